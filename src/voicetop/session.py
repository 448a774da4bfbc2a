"""One feed, from frames to snapshots: the same code for live feeds, replays, the hub and the watcher.

Callers pass frames to `feed`; nothing here depends on where they come from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec

from voicetop.alerts.alerts import Alerts
from voicetop.alerts.detectors.all import DetectorSet
from voicetop.alerts.incidents.resync import effects_between
from voicetop.alerts.rules.rules import Rules
from voicetop.alerts.signals import Effect
from voicetop.engine import checkpoint
from voicetop.engine.call_events import load_all
from voicetop.engine.checkpoint import State
from voicetop.engine.config import EngineConfig
from voicetop.engine.engine import Engine
from voicetop.engine.snapshot import FeedHealthPanel, Severity, Snapshot, View
from voicetop.errors import CheckpointError, WireError
from voicetop.views.feed import sources_without_calls
from voicetop.views.feed_health import feed_health
from voicetop.views.snapshot_builder import SnapshotBuilder
from voicetop.views.verdict import severity_of
from voicetop.wire.codec import Batch, Beat, Codec, Step
from voicetop.wire.duplicates import Duplicates
from voicetop.wire.events import Operator
from voicetop.wire.frames import Welcome


class Session:
    """Folds a feed. Not thread-safe: use it from one thread, or hold a lock."""

    def __init__(self, config: EngineConfig | None = None, alerts: Alerts | None = None) -> None:
        self.codec = Codec()
        self.engine = Engine(config)
        self.alerts = alerts or Alerts((DetectorSet(), Rules()))
        self._builder = SnapshotBuilder(self.engine, self.codec.stats, self.alerts)
        self.epoch = ""
        self.deployment = ""
        self.noted: Sequence[Operator] = ()
        """Notes kept outside the feed (`recording.notes`): shown, but not part of the state."""
        self.on_beat: list[Callable[[Beat], None]] = []
        """Called at every heartbeat, when all sessions on this feed have the same state."""
        self.on_welcome: list[Callable[[Welcome], None]] = []
        """Called when a feed starts or resumes, after its state has been loaded."""
        self.on_batch: list[Callable[[Batch], None]] = []
        """Called with each batch right after it has been folded."""
        self.on_effect: list[Callable[[Effect], None]] = []
        """Called with incident effects, before `on_beat`; only live feeds pass them on."""

    @property
    def at(self) -> float:
        """Stamp time of the last heartbeat, epoch seconds."""
        return self.engine.at

    @property
    def seq(self) -> int:
        """The last sequence number that was folded."""
        return self.codec.seq

    @property
    def live_calls(self) -> int:
        """Number of live calls; much cheaper than a snapshot."""
        return len(self.engine.roster.live)

    def feed_health(self, most: int) -> FeedHealthPanel:
        """What each source sends, and what is wrong with it: the `most` worst."""
        return feed_health(self.engine, self.codec.stats.faults, most)

    def sources_without_calls(self, sources: set[str]) -> list[str]:
        """Those of these sources that have no live calls and haven't said goodbye."""
        return sources_without_calls(self.engine, sources)

    def feed(self, frame: bytes) -> None:
        """Fold one wire frame. Invalid frames are counted and otherwise ignored."""
        try:
            for step in self.codec.steps(frame):
                self._fold(step)
        except WireError as error:
            self.codec.reject(self.at, str(error), frame)

    def _fold(self, step: Step) -> None:
        if type(step) is Batch:
            self.engine.apply(step)
            for on_batch in self.on_batch:
                on_batch(step)
        elif type(step) is Beat:
            self._beat(step)
        elif type(step) is Welcome:
            self._welcome(step)

    def _beat(self, beat: Beat) -> None:
        marks = self.engine.advance(beat.at, local=beat.local)
        for effect in self.alerts.beat(self.engine, marks, self.deployment):
            for on_effect in self.on_effect:
                on_effect(effect)
        for on_beat in self.on_beat:
            on_beat(beat)

    def _welcome(self, welcome: Welcome) -> None:
        before, resumed = self.alerts.incidents, self.at > 0
        if welcome.state:
            self.load(welcome.state)
        self.epoch = welcome.epoch
        self.deployment = welcome.deployment
        if resumed:
            for effect in effects_between(before, self.alerts.incidents, self.at, self.deployment):
                for on_effect in self.on_effect:
                    on_effect(effect)
        for on_welcome in self.on_welcome:
            on_welcome(welcome)

    @property
    def severity(self) -> Severity:
        """The verdict's severity alone: cheap enough for every heartbeat."""
        return severity_of(self.engine, self.alerts.incidents, self.at)

    def snapshot(self, view: View) -> Snapshot:
        """A snapshot of the current state for `view`."""
        return self._builder.snapshot(
            view, epoch=self.epoch, seq=self.seq, deployment=self.deployment, noted=self.noted
        )

    def checkpoint(self) -> bytes:
        """The whole state, for a console that connects or a replay that seeks."""
        return checkpoint.pack(self.state())

    def welcome(self) -> Welcome:
        """The message that brings another session to this state, as a hub sends it to a new console."""
        at = self.at if math.isfinite(self.at) else 0.0
        return Welcome(
            epoch=self.epoch, seq=self.seq, at=at, deployment=self.deployment, state=self.checkpoint()
        )

    def load(self, state: bytes) -> None:
        """Restore from a checkpoint. Raises CheckpointError and leaves the session unchanged."""
        loaded = checkpoint.unpack(state)
        self.restore(loaded, checkpoint.engine_of(loaded), Duplicates.of(loaded.seen))

    def restore(self, loaded: State, engine: Engine, duplicates: Duplicates) -> None:
        """Restore from a decoded state, its engine and its duplicate filter. Raises CheckpointError."""
        try:
            self.alerts.load(loaded.alerts)
        except msgspec.DecodeError as error:
            raise CheckpointError(f"a damaged checkpoint: {error}") from None
        self.engine = engine
        self.epoch = loaded.epoch
        self.codec.resume(loaded.seq, loaded.wire, duplicates)
        self._builder = SnapshotBuilder(self.engine, self.codec.stats, self.alerts)

    def digest(self) -> str:
        """A hash of the whole state; at a heartbeat it is equal for all sessions that folded the same records."""
        return checkpoint.digest(self.state())

    def state(self, *, whole: bool = True) -> State:
        """The whole state, sharing objects with the session: encode it before feeding the next frame.

        Without `whole`, data that is also in the recording may be left out: `seen` is empty, and call events may be
        `StoredEvents`.
        """
        if whole:
            roster = self.engine.roster
            load_all([*roster.live.values(), *roster.ended_calls()])
        seen = self.codec.duplicates.known() if whole else ([], [])
        alerts = self.alerts.dump()
        return checkpoint.state_of(self.engine, self.seq, self.epoch, self.codec.stats, seen, alerts=alerts)
