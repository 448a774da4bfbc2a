"""The thread behind a player: folds, seeks and makes snapshots as its controls request.

`player.py` is the screen's side; the two communicate only through `controls.py`.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from voicetop.clock import Clock, WallClock
from voicetop.engine.config import EngineConfig
from voicetop.engine.snapshot import NAN
from voicetop.engine.snapshot.timeline import Timeline
from voicetop.errors import RecordingError, in_one_line
from voicetop.picture_loop import freeze_imports
from voicetop.replay.controls import Controls
from voicetop.replay.pacing import MeasuredSpeed, Pacing
from voicetop.sources import Act
from voicetop.wire.events import Operator

if TYPE_CHECKING:
    from voicetop.replay.cursor import Cursor
    from voicetop.replay.recording_set import RecordingSet
    from voicetop.session import Session

SLICE_S = 0.05
"""How long it folds before it checks whether a snapshot is due."""
GROWTH_S = 0.1
FLUSHED_S = 0.8
"""A running recorder has written a frame to the file within this time."""

AT_END = "end of recording"
AT_CUT = "the rest of the recording is missing"
AT_UNTIL = "paused as requested"

NewSession: TypeAlias = "Callable[[], Session]"


class Superseded(Exception):
    """Another request arrived before this one was done."""


class Annotations(Protocol):
    """Loads and stores notes: see `annotations.RecordingNotes` and `ui.feed.FeedHandle.operate`."""

    acts: list[Operator]
    failures: list[str]

    def load(self) -> None: ...

    def operate(self, act: Act) -> str: ...


class TimelineSource(Protocol):
    """Provides the timeline of the whole recording."""

    @property
    def timeline(self) -> Timeline: ...

    def begin(self, recordings: RecordingSet, idle: threading.Event) -> None:
        """`recordings` are open; `idle` is set while the processor is free."""

    def close(self) -> None: ...


class PlaybackThread:
    """What runs: `open_recordings` is called on its own thread, with what makes its sessions.

    `recordings` and `cursor` are there once `opened` is set, unless `error` says in a line why not.
    """

    def __init__(
        self,
        open_recordings: Callable[[NewSession], RecordingSet],
        controls: Controls,
        *,
        timeline_source: TimelineSource,
        annotations: Annotations,
        config: Callable[[], EngineConfig] | None,
        until: float,
        clock: Clock | None = None,
    ) -> None:
        self.error = ""
        self.recordings: RecordingSet | None = None
        self.cursor: Cursor | None = None
        self.opened = threading.Event()
        self._open_recordings = open_recordings
        self._controls = controls
        self._pictures = controls.pictures
        self._timeline_source = timeline_source
        self._annotations = annotations
        self._make_config = config
        self._config: EngineConfig | None = None
        self._until = until
        self._clock = clock or WallClock()
        self._pacing = Pacing(controls.position.speed)
        self._measured_speed = MeasuredSpeed()
        self._anchored = False
        self._advanced = False
        """Whether playback has advanced since it was resumed."""
        self._snapshot_stale = True
        """Whether anything was folded since the last snapshot."""
        self._picture_due = 0.0
        self._idle = threading.Event()
        self._thread = threading.Thread(target=self._run, name="voicetop playback", daemon=True)

    def start(self) -> None:
        """Start the thread, once."""
        if not self._thread.ident and not self._controls.closing:
            self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait for the thread to end, if it was started."""
        if self._thread.ident:
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self._begin()
            while not self._controls.closing:
                with contextlib.suppress(Superseded):
                    self._step()
        except Exception as error:  # noqa: BLE001 - a thread that died silently would look like a quiet night
            self.error = in_one_line(error)
        finally:
            self.opened.set()
            self._idle.set()
            if self.cursor is not None:
                self.cursor.close()

    def _begin(self) -> None:
        from voicetop.replay.cursor import Cursor  # noqa: PLC0415 - behind the first frame, as all that needs numpy

        self._config = self._make_config() if self._make_config is not None else None
        recordings = self._open_recordings(self._new_session)
        self._annotations.load()
        freeze_imports()
        self.cursor = Cursor(recordings)
        self.recordings = recordings
        self.opened.set()
        self._timeline_source.begin(recordings, self._idle)

    def _new_session(self) -> Session:
        from voicetop.replay.cursor import ReplaySession  # noqa: PLC0415

        session = ReplaySession(self._config, self._before_frame)
        session.noted = self._annotations.acts
        return session

    def _before_frame(self) -> None:
        """Before each frame, check for a new request. Does not interrupt the timeline scan."""
        if threading.get_ident() != self._thread.ident:
            return
        self._check_controls()

    def _check_controls(self) -> None:
        """Raise Superseded if there is a new request; make a snapshot if one is wanted."""
        if self._controls.superseded:
            raise Superseded
        if self._pictures.requested:
            self._make_snapshot()

    def _step(self) -> None:
        request = self._controls.take()
        if request.resumed or request.speed != self._pacing.speed:
            self._pacing = Pacing(request.speed)
            self._measured_speed.restart()
            self._anchored = False
        if request.resumed:
            self._advanced = False
        if request.target is not None:
            self._idle.clear()
            self._seek(request.target)
        elif self._pictures.requested:
            self._make_snapshot()
        elif request.playing:
            self._play()
        else:
            self._measured_speed.restart()
            self._wait(None)

    def _wait(self, seconds: float | None) -> None:
        """Leave the processor to others until a request arrives or `seconds` pass (None: while paused)."""
        self._idle.set()
        self._controls.wait(seconds)
        self._idle.clear()

    def _seek(self, target: float) -> None:
        """Seek and make a snapshot. If the place can't be read, report it and pause."""
        assert self.cursor is not None
        recordings = self.cursor.recordings
        recordings.refresh()
        self._wait_for_growth(recordings, target)
        at = min(max(target, recordings.first_at), recordings.last_at)
        why = ""
        try:
            self.cursor.seek(at)
        except RecordingError as error:
            why = str(error)
        self._anchored = False
        self._measured_speed.restart()
        self._make_snapshot()
        self._controls.arrived(self.cursor.at or at, why)

    def _wait_for_growth(self, recordings: RecordingSet, target: float) -> None:
        """Wait briefly for a target that a recorder is about to write."""
        patience = self._clock.monotonic() + FLUSHED_S
        while (
            recordings.last_at < target < math.inf
            and recordings.growing
            and self._clock.monotonic() < patience
        ):
            self._wait(GROWTH_S / 2)
            self._check_controls()
            recordings.refresh()

    def _play(self) -> None:
        """Fold what is due, for at most SLICE_S; then make a snapshot and wait for the next frame."""
        assert self.cursor is not None
        session_cursor = self.cursor.session_cursor
        if session_cursor is None:
            self._controls.stop(self.cursor.at, "empty")
            return
        now = self._clock.monotonic()
        if not self._anchored:
            self._anchored = True
            self._pacing.anchor(self.cursor.at or session_cursor.next_begins_at(), now)
        coming = session_cursor.next_begins_at()
        if coming == math.inf:
            self._end()
            return
        self._advanced = True
        self._pacing.skip_gap(self.cursor.at or coming, coming, now)
        limit = self._until if self._until > self.cursor.at else math.inf
        due = min(self._pacing.due(now), limit)
        behind = self._fold(due, now + SLICE_S)
        now = self._clock.monotonic()
        if now >= self._picture_due:
            self._make_snapshot()
        self._controls.advance(self.cursor.at, self._measured_speed.measure(self.cursor.at, now))
        if behind:
            if not math.isinf(self._pacing.speed):
                self._pacing.anchor(max(self.cursor.at, coming), now)
        elif limit <= due < math.inf:
            self._until = NAN
            self._make_snapshot()
            self._controls.stop(self.cursor.at, AT_UNTIL)
        else:
            wait = min(
                self._pacing.wait(session_cursor.next_ends_at(), now),
                self._picture_due - now,
                self._pictures.every_s,
            )
            self._wait(max(wait, 0.01) if session_cursor.next_ends_at() < math.inf else GROWTH_S)

    def _fold(self, due: float, stop: float) -> bool:
        """Fold what is stamped by `due`; True if the clock reaches `stop` before that is done."""
        assert self.cursor is not None
        session_cursor = self.cursor.session_cursor
        assert session_cursor is not None
        while (coming := session_cursor.next_ends_at()) <= due and coming < math.inf:
            self._snapshot_stale = True
            session_cursor.fold()
            coming = session_cursor.next_ends_at()
            if coming <= due and coming < math.inf and self._clock.monotonic() >= stop:
                return True
        if coming < math.inf and due < math.inf:
            self._snapshot_stale = True
            session_cursor.fold_until(due)
        return False

    def _end(self) -> None:
        """Everything written is folded: follow a growing file, restart, or stop."""
        assert self.cursor is not None
        recordings = self.cursor.recordings
        recordings.refresh()
        now = self._clock.monotonic()
        if self._snapshot_stale:
            self._make_snapshot()
        if recordings.growing:
            self._controls.advance(self.cursor.at, self._measured_speed.measure(self.cursor.at, now))
            self._wait(GROWTH_S)
        elif self._controls.position.loop or not self._advanced:
            self._advanced = True
            self._controls.restart(recordings.first_at)
        elif self.cursor.session_cursor is not None and self.cursor.session_cursor.next_ends_at() == math.inf:
            self._controls.stop(self.cursor.at, AT_CUT if self.cursor.incomplete else AT_END)

    def _make_snapshot(self) -> None:
        """Make a snapshot of the current position."""
        session = self.cursor.session if self.cursor is not None else None
        if session is None or not session.at:  # the first snapshot will answer the request
            self._pictures.requested = False
            return
        self._snapshot_stale = False
        self._pictures.make(session, self._clock.monotonic)
        self._picture_due = max(self._clock.monotonic() + self._pictures.every_s, self._pictures.free_at)
