"""What a live feed keeps of itself, so that one can go back in it while it goes on.

The frames are recorded as they come: into the recording that was asked for anyway, else into files of this process's
own, bounded in size and age and gone when it ends. States are kept beside them, and a `Player` walks through it all.
The feed's own thread only hands over frames, and now and then a state.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from voicetop.clock import Clock, WallClock
from voicetop.engine.snapshot import NAN
from voicetop.engine.snapshot.timeline import Timeline
from voicetop.formatting.numbers import known
from voicetop.recording import Recorder
from voicetop.recording.reader import shard_files
from voicetop.recording.shards import Shards
from voicetop.replay.live_checkpoints import LiveCheckpoints
from voicetop.replay.options import HistoryLimits, PlaybackStart
from voicetop.replay.playback_thread import NoteKeeper
from voicetop.replay.player import Player
from voicetop.replay.recording_set import RecordingSet
from voicetop.replay.scratch import Scratch
from voicetop.replay.timeline_scan import follow
from voicetop.sources import Act
from voicetop.views.timeline_builder import MOST_NOTES, TimelineBuilder
from voicetop.wire.batches import ends_with_heartbeat
from voicetop.wire.events import NOTING, Operator

if TYPE_CHECKING:
    from voicetop.engine.config import EngineConfig
    from voicetop.session import Session

FILES = 8
"""In so many files what is kept is, so that little goes with the oldest."""
LEAST_FILE_S = 60.0
STATE_SHARE = 0.25
"""How much of the bytes states may take."""
APART_S = 20.0
COST = 0.02
"""How much of the feed's time may go into states."""
TOLD_S = 1.0
FLUSH_S = 0.25
CLOSE_S = 2.0
"""A disk that hangs holds nobody up for what is thrown away anyway."""
LEVEL = 1
"""Of zstd: what is kept for two hours need not be packed as well as what is kept for ever."""
QUEUE_BYTES = 16 * 1024 * 1024
"""Frames that wait for a slow disk; beyond, the past has a gap, and the feed goes on."""


class LiveHistory:
    """Made on the feed's own thread. `past` may be walked through from any other.

    With `recorder`, what that writes is walked through; it stays its owner's. Raises RecordingError where nothing can
    be kept.
    """

    def __init__(
        self,
        session: Session,
        *,
        where: str,
        remarks: NoteKeeper,
        bounds: HistoryLimits,
        config: Callable[[], EngineConfig] | None = None,
        recorder: Recorder | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or WallClock()
        self._scratch = Scratch()
        self._own: Recorder | None = None
        self._path = self._where_recorded(recorder, bounds)
        self._origin = next(iter(self._files()), None) if self._own is not None else None
        self._states = LiveCheckpoints(self._scratch.path, self._files, int(bounds.size * STATE_SHARE))
        self._gathering = LiveTimeline()
        self._session = session
        self._beat_at = self._stated_at = NAN
        self._not_before = 0.0
        session.on_beat.append(lambda beat: self._beat(beat.at))
        follow(session, self._gathering.chronicle)
        self.past = Player(
            self._open_reel,
            where=where,
            gathering=self._gathering,
            remarks=remarks,
            config=config,
            start=PlaybackStart(at=math.inf, playing=False),
        )

    @property
    def note(self) -> str:
        """Why what comes can't be gone back to, in a line."""
        error = self._own.error if self._own is not None else ""
        return f"you can't go back to new data: {error}" if error else ""

    def write(self, frame: bytes) -> None:
        """Keep a frame, before it is folded."""
        if self._own is not None:
            self._own.write(frame)

    def folded(self, frame: bytes) -> None:
        """A frame was folded: now and then keep the state behind it."""
        at = self._session.at
        if self._beat_at != at:  # time didn't move with this frame
            return
        self._beat_at = NAN
        if not known(self._stated_at):
            self._stated_at = at
        if at - self._stated_at >= APART_S and self._may_state() and ends_with_heartbeat(frame):
            self._stated_at = at
            self._keep_state(at)
        if at - self._gathering.told_at >= TOLD_S or self._gathering.told_at > at:
            self._gathering.tell(at, self._first_at())

    def finish(self) -> None:
        """Nothing more comes: all of it is to be in the files. It can still be walked through."""
        if self._own is not None:
            self._own.close(CLOSE_S)

    def close(self) -> None:
        """End it, and remove what was kept."""
        self.past.close()
        self._states.close()
        self.finish()
        self._scratch.close()

    def _where_recorded(self, recorder: Recorder | None, bounds: HistoryLimits) -> Path:
        if recorder is not None and not recorder.is_stream:
            return Path(recorder.path)
        folder = self._scratch.path / "feed"
        shards = Shards(
            folder,
            shard_s=max(LEAST_FILE_S, bounds.seconds / FILES),
            keep_s=bounds.seconds,
            keep_bytes=int(bounds.size * (1 - STATE_SHARE)),
            durable=False,
            clock=self._clock,
        )
        try:
            self._own = Recorder(
                folder,
                shards=shards,
                flush_s=FLUSH_S,
                level=LEVEL,
                queue_bytes=QUEUE_BYTES,
                clock=self._clock,
            )
        except BaseException:
            self._scratch.close()
            raise
        return folder

    def _files(self) -> list[Path]:
        return shard_files(self._path) if self._path.is_dir() else [self._path]

    def _open_reel(self, new_session: Callable[[], Session]) -> RecordingSet:
        return RecordingSet(self._path, new_session, states=self._states, floor=self._first_at)

    def _first_at(self) -> float:
        """Before it, nothing can be gone to any more: of what is kept here, the file that it began with was deleted."""
        if self._origin is None or self._origin.exists():
            return 0.0
        return self._states.first_at()

    def _beat(self, at: float) -> None:
        self._beat_at = at

    def _may_state(self) -> bool:
        return not self._session.engine.feed.local and self._clock.monotonic() >= self._not_before

    def _keep_state(self, at: float) -> None:
        """Keep the state, as often as it costs little."""
        began = self._clock.monotonic()
        self._states.add(self._session.welcome(), at)
        now = self._clock.monotonic()
        self._not_before = now + (now - began) / COST


class LiveTimeline:
    """A `projector.TimelineSource` that the feed itself fills."""

    def __init__(self) -> None:
        self.chronicle = TimelineBuilder()
        self.timeline = Timeline()
        self.told_at = -math.inf

    def tell(self, at: float, since: float) -> None:
        """Give out what was gathered by `at`."""
        self.told_at = at
        self.timeline = self.chronicle.timeline(complete=True, since=since)

    def begin(self, reel: RecordingSet, idle: threading.Event) -> None:
        """All is gathered as it comes."""

    def close(self) -> None:
        """Nothing runs."""


class LiveNotes:
    """A `projector.NoteKeeper` of a live feed: what is noted goes to the hub, and comes back with the feed.

    Whoever goes back to a moment sees what was noted about it later: `hear` is told what the live session knows.
    """

    def __init__(self, operate: Callable[[Act], str]) -> None:
        self.acts: list[Operator] = []
        self.failures: list[str] = []
        self.operate = operate
        self._told: Sequence[Operator] = ()

    def hear(self, told: Sequence[Operator]) -> None:
        """The engine's acts by now; another sequence whenever there is one more."""
        if told is self._told:
            return
        before = {act.event_id for act in self._told}
        self._told = told
        self.acts += [act for act in told if act.act in NOTING and act.event_id not in before]
        del self.acts[:-MOST_NOTES]

    def load(self) -> None:
        """The feed itself brings them."""
