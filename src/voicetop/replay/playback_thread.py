"""The thread that a player runs on: it folds, seeks and makes snapshots as its controls say.

The screen's side of it is `player.py`; both meet in `controls.py` and nowhere else.
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
"""How long it folds before it looks whether a picture is due."""
GROWTH_S = 0.1
FLUSHED_S = 0.8
"""What a recorder that is at it has seen is in the file after this."""

AT_END = "end of recording"
AT_UNTIL = "paused as requested"

NewSession: TypeAlias = "Callable[[], Session]"


class Superseded(Exception):
    """Something else is wanted before this was done."""


class NoteKeeper(Protocol):
    """Who knows what was noted, and keeps what is; see `remarks.RecordingNotes` and `ui.feed.FeedHandle.operate`."""

    acts: list[Operator]
    failures: list[str]

    def load(self) -> None: ...

    def operate(self, act: Act) -> str: ...


class TimelineSource(Protocol):
    """Who knows what happened when in all of it."""

    @property
    def timeline(self) -> Timeline: ...

    def begin(self, reel: RecordingSet, idle: threading.Event) -> None:
        """The reel is open; `idle` is set while nobody waits for the processor."""

    def close(self) -> None: ...


class PlaybackThread:
    """What runs: `open_reel` is called on its own thread, with what makes its sessions.

    `reel` and `cursor` are there once `opened` is set, unless `error` says in a line why not.
    """

    def __init__(
        self,
        open_reel: Callable[[NewSession], RecordingSet],
        controls: Controls,
        *,
        gathering: TimelineSource,
        remarks: NoteKeeper,
        config: Callable[[], EngineConfig] | None,
        until: float,
        clock: Clock | None = None,
    ) -> None:
        self.error = ""
        self.reel: RecordingSet | None = None
        self.cursor: Cursor | None = None
        self.opened = threading.Event()
        self._open_reel = open_reel
        self._controls = controls
        self._pictures = controls.pictures
        self._gathering = gathering
        self._remarks = remarks
        self._make_config = config
        self._config: EngineConfig | None = None
        self._until = until
        self._clock = clock or WallClock()
        self._pacing = Pacing(controls.position.speed)
        self._reached = MeasuredSpeed()
        self._anchored = False
        self._moved = False
        """Whether time has gone on since it was told to."""
        self._unseen = True
        """Whether something was folded since the last snapshot."""
        self._picture_due = 0.0
        self._idle = threading.Event()
        self._thread = threading.Thread(target=self._run, name="voicetop playback", daemon=True)

    def start(self) -> None:
        """Begin, once."""
        if not self._thread.ident and not self._controls.closing:
            self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait for its end, if it has begun."""
        if self._thread.ident:
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self._begin()
            while not self._controls.closing:
                with contextlib.suppress(Superseded):
                    self._turn()
        except Exception as error:  # noqa: BLE001 - a thread that dies silently would look like a calm night
            self.error = in_one_line(error)
        finally:
            self.opened.set()
            self._idle.set()
            if self.cursor is not None:
                self.cursor.close()

    def _begin(self) -> None:
        from voicetop.replay.cursor import Cursor  # noqa: PLC0415 - behind the first frame, as all that needs numpy

        self._config = self._make_config() if self._make_config is not None else None
        reel = self._open_reel(self._new_session)
        self._remarks.load()
        freeze_imports()
        self.cursor = Cursor(reel)
        self.reel = reel
        self.opened.set()
        self._gathering.begin(reel, self._idle)

    def _new_session(self) -> Session:
        from voicetop.replay.cursor import ReplaySession  # noqa: PLC0415

        session = ReplaySession(self._config, self._look)
        session.noted = self._remarks.acts
        return session

    def _look(self) -> None:
        """Before each frame, see whether something else is wanted by now. Who builds checkpoints is let alone."""
        if threading.get_ident() != self._thread.ident:
            return
        self._give_way()

    def _give_way(self) -> None:
        """Raise Superseded where something else is wanted by now; show where it stands if somebody asks."""
        if self._controls.superseded:
            raise Superseded
        if self._pictures.requested:
            self._show()

    def _turn(self) -> None:
        wish = self._controls.take()
        if wish.resumed or wish.speed != self._pacing.speed:
            self._pacing = Pacing(wish.speed)
            self._reached.restart()
            self._anchored = False
        if wish.resumed:
            self._moved = False
        if wish.target is not None:
            self._idle.clear()
            self._go(wish.target)
        elif self._pictures.requested:
            self._show()
        elif wish.playing:
            self._play()
        else:
            self._reached.restart()
            self._rest(None)

    def _rest(self, seconds: float | None) -> None:
        """Let others have the processor until somebody wants something; None: it stands still until then."""
        self._idle.set()
        self._controls.wait(seconds)
        self._idle.clear()

    def _go(self, target: float) -> None:
        """Seek, and show what is there. A place that can't be read is told, and it stands still."""
        assert self.cursor is not None
        reel = self.cursor.reel
        reel.refresh()
        self._await(reel, target)
        at = min(max(target, reel.first_at), reel.last_at)
        why = ""
        try:
            self.cursor.seek(at)
        except RecordingError as error:
            why = str(error)
        self._anchored = False
        self._reached.restart()
        self._show()
        self._controls.arrive(self.cursor.at or at, why)

    def _await(self, reel: RecordingSet, target: float) -> None:
        """A moment that is a recorder's to write yet is there shortly."""
        patience = self._clock.monotonic() + FLUSHED_S
        while reel.last_at < target < math.inf and reel.growing and self._clock.monotonic() < patience:
            self._rest(GROWTH_S / 2)
            self._give_way()
            reel.refresh()

    def _play(self) -> None:
        """Fold what is due, for a moment at most; then show, and wait for what comes."""
        assert self.cursor is not None
        course = self.cursor.course
        if course is None:
            self._controls.stop(self.cursor.at, "empty")
            return
        now = self._clock.monotonic()
        if not self._anchored:
            self._anchored = True
            self._pacing.anchor(self.cursor.at or course.begins_at(), now)
        coming = course.begins_at()
        if coming == math.inf:
            self._end()
            return
        self._moved = True
        self._pacing.meet(self.cursor.at or coming, coming, now)
        limit = self._until if self._until > self.cursor.at else math.inf
        due = min(self._pacing.due(now), limit)
        behind = self._fold(due, now + SLICE_S)
        now = self._clock.monotonic()
        if now >= self._picture_due:
            self._show()
        self._controls.pass_by(self.cursor.at, self._reached.see(self.cursor.at, now))
        if behind:
            if not math.isinf(self._pacing.speed):
                self._pacing.anchor(max(self.cursor.at, coming), now)
        elif limit <= due < math.inf:
            self._until = NAN
            self._show()
            self._controls.stop(self.cursor.at, AT_UNTIL)
        else:
            wait = min(
                self._pacing.wait(course.next_at(), now), self._picture_due - now, self._pictures.every_s
            )
            self._rest(max(wait, 0.01) if course.next_at() < math.inf else GROWTH_S)

    def _fold(self, due: float, stop: float) -> bool:
        """Fold what was stamped by `due`; True where it is `stop` by the clock before all of that is done."""
        assert self.cursor is not None
        course = self.cursor.course
        assert course is not None
        while (coming := course.next_at()) <= due and coming < math.inf:
            self._unseen = True
            course.fold()
            if self._clock.monotonic() >= stop:
                return course.next_at() <= due and course.next_at() < math.inf
        if coming < math.inf and due < math.inf:
            self._unseen = True
            course.fold_until(due)
        return False

    def _end(self) -> None:
        """All that was written is folded: go on as it grows, begin again, or stop."""
        assert self.cursor is not None
        reel = self.cursor.reel
        reel.refresh()
        now = self._clock.monotonic()
        if self._unseen:
            self._show()
        if reel.growing:
            self._controls.pass_by(self.cursor.at, self._reached.see(self.cursor.at, now))
            self._rest(GROWTH_S)
        elif self._controls.position.loop or not self._moved:
            self._moved = True
            self._controls.begin_again(reel.first_at)
        elif self.cursor.course is not None and self.cursor.course.next_at() == math.inf:
            self._controls.stop(self.cursor.at, AT_END)

    def _show(self) -> None:
        """Make a snapshot of where it stands, for whoever asked and for the screen."""
        session = self.cursor.session if self.cursor is not None else None
        if session is None or not session.at:  # who asked is answered with the first snapshot
            self._pictures.requested = False
            return
        self._unseen = False
        self._pictures.make(session, self._clock.monotonic)
        self._picture_due = max(self._clock.monotonic() + self._pictures.every_s, self._pictures.free_at)
