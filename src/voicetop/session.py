"""One feed, from frames to pictures: the same for live, replay, the hub's own and the headless watcher.

Whoever has frames calls `feed`; nothing here knows where they come from, and no branch asks whether it is a replay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec

from voicetop.alerts.alerts import Alerts
from voicetop.alerts.detectors.all import DetectorSet
from voicetop.alerts.incidents.resync import between
from voicetop.alerts.rules.rules import Rules
from voicetop.alerts.signals import Effect
from voicetop.engine import checkpoint
from voicetop.engine.call_events import read_all
from voicetop.engine.checkpoint import State
from voicetop.engine.config import EngineConfig
from voicetop.engine.engine import Engine
from voicetop.engine.snapshot import Severity, Snapshot, View
from voicetop.errors import CheckpointError, WireError
from voicetop.views.snapshot_builder import SnapshotBuilder
from voicetop.views.verdict import severity_of
from voicetop.wire.codec import Batch, Beat, Codec, Step
from voicetop.wire.duplicates import Duplicates
from voicetop.wire.events import Operator
from voicetop.wire.frames import Welcome


class Session:
    """Folds a feed. Not thread-safe: feed, ask and dump from one thread, or hold a lock around it."""

    def __init__(self, config: EngineConfig | None = None, alerts: Alerts | None = None) -> None:
        self.codec = Codec()
        self.engine = Engine(config)
        self.alerts = alerts or Alerts((DetectorSet(), Rules()))
        self._builder = SnapshotBuilder(self.engine, self.codec.stats, self.alerts)
        self.epoch = ""
        self.deployment = ""
        self.noted: Sequence[Operator] = ()
        """What people noted about this feed outside of it (`recording.notes`): shown, and no part of the state."""
        self.on_beat: list[Callable[[Beat], None]] = []
        """Called at every heartbeat, when the state is the same for all who fold this feed."""
        self.on_welcome: list[Callable[[Welcome], None]] = []
        """Called when a feed began or went on after a break, once the state that came with it is in place."""
        self.on_batch: list[Callable[[Batch], None]] = []
        """Called with what was folded between two heartbeats, right after it was."""
        self.on_effect: list[Callable[[Effect], None]] = []
        """Called with what the outside should hear of incidents, ahead of `on_beat`; only what is live tells it on."""

    @property
    def at(self) -> float:
        """Stamp time of the last heartbeat, epoch seconds."""
        return self.engine.at

    @property
    def seq(self) -> int:
        """The last stamp that was folded."""
        return self.codec.seq

    @property
    def live_calls(self) -> int:
        """How many calls are live; a snapshot would tell much more, at a price."""
        return len(self.engine.roster.live)

    def feed(self, frame: bytes) -> None:
        """Fold one wire frame. What is no frame is counted and otherwise ignored."""
        try:
            for step in self.codec.steps(frame):
                self._fold(step)
        except WireError as error:
            self.codec.reject(self.at, str(error), frame)

    def _fold(self, step: Step) -> None:
        if type(step) is Batch:
            self.engine.apply(step)
            for look in self.on_batch:
                look(step)
        elif type(step) is Beat:
            self._beat(step)
        elif type(step) is Welcome:
            self._welcome(step)

    def _beat(self, beat: Beat) -> None:
        marks = self.engine.advance(beat.at, local=beat.local)
        for effect in self.alerts.beat(self.engine, marks, self.deployment):
            for tell in self.on_effect:
                tell(effect)
        for hook in self.on_beat:
            hook(beat)

    def _welcome(self, welcome: Welcome) -> None:
        known, begun = self.alerts.incidents, self.at > 0
        if welcome.state:
            self.load(welcome.state)
        self.epoch = welcome.epoch
        self.deployment = welcome.deployment
        if begun:
            for effect in between(known, self.alerts.incidents, self.at, self.deployment):
                for tell in self.on_effect:
                    tell(effect)
        for join in self.on_welcome:
            join(welcome)

    @property
    def severity(self) -> Severity:
        """The verdict's severity, without the picture around it: cheap enough for every heartbeat."""
        return severity_of(self.engine, self.alerts.incidents, self.at)

    def snapshot(self, view: View) -> Snapshot:
        """What a screen that asks with `view` may know now."""
        return self._builder.snapshot(
            view, epoch=self.epoch, seq=self.seq, deployment=self.deployment, noted=self.noted
        )

    def checkpoint(self) -> bytes:
        """The whole state, for a console that joins or a replay that seeks."""
        return checkpoint.pack(self.state())

    def welcome(self) -> Welcome:
        """What brings another session to this one's state, as a hub welcomes a console that joins."""
        at = self.at if math.isfinite(self.at) else 0.0
        return Welcome(
            epoch=self.epoch, seq=self.seq, at=at, deployment=self.deployment, state=self.checkpoint()
        )

    def load(self, state: bytes) -> None:
        """Go on from a checkpoint. Raises CheckpointError; the session is then as it was."""
        loaded = checkpoint.unpack(state)
        self.go_on(loaded, checkpoint.engine_of(loaded), Duplicates.of(loaded.seen))

    def go_on(self, loaded: State, engine: Engine, duplicates: Duplicates) -> None:
        """Go on from a state, the engine that was made of it, and the ids that it has seen. Raises CheckpointError."""
        try:
            self.alerts.load(loaded.alerts)
        except msgspec.DecodeError as error:
            raise CheckpointError(f"a damaged checkpoint: {error}") from None
        self.engine = engine
        self.epoch = loaded.epoch
        self.codec.resume(loaded.seq, loaded.wire, duplicates)
        self._builder = SnapshotBuilder(self.engine, self.codec.stats, self.alerts)

    def digest(self) -> str:
        """A hash over the whole state; at a heartbeat it is the same for all who folded the same records."""
        return checkpoint.digest(self.state())

    def state(self, *, whole: bool = True) -> State:
        """The whole state, sharing what the session holds: encode it before the session goes on.

        Without `whole`, what stands in a recording may be left there: `seen` is empty, and the events of calls may
        be `StoredEvents`.
        """
        if whole:
            roster = self.engine.roster
            read_all([*roster.live.values(), *roster.gone()])
        seen = self.codec.duplicates.known() if whole else ([], [])
        alerts = self.alerts.dump()
        return checkpoint.state_of(self.engine, self.seq, self.epoch, self.codec.stats, seen, alerts=alerts)
