"""The thread that a player runs on: it folds, seeks and makes pictures as wishes come.

The screen's side of it is `player.py`. Whatever both touch is small and set at once, or set with `_wish` held.
"""

from __future__ import annotations

import contextlib
import gc
import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from msgspec import structs

from voicetop.clock import Clock, WallClock
from voicetop.engine.config import EngineConfig
from voicetop.engine.snapshot import NAN, Snapshot, View
from voicetop.engine.snapshot.timeline import Timeline
from voicetop.errors import RecordingError, VoicetopError
from voicetop.replay.options import PlaybackPosition, PlaybackStart
from voicetop.replay.pacing import MeasuredSpeed, Pacing, speed_within
from voicetop.sources import Act
from voicetop.wire.events import Operator

if TYPE_CHECKING:
    from voicetop.replay.cursor import Cursor
    from voicetop.replay.recording_set import RecordingSet
    from voicetop.session import Session

PICTURES_PER_S = 4
REST = 3.0
"""After a picture, folding has the thread for at least so many times as long."""
SLICE_S = 0.05
"""How long it folds before it looks whether a picture is due."""
GROWTH_S = 0.1
FLUSHED_S = 0.8
"""What a recorder that is at it has seen is in the file after this."""

AT_END = "at its end"
AT_UNTIL = "where it was to pause"

Answer = Callable[[Snapshot], None]
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
    """What runs: `open_reel` is called on its own thread, with what makes its sessions."""

    def __init__(
        self,
        open_reel: Callable[[NewSession], RecordingSet],
        *,
        where: str,
        gathering: TimelineSource,
        remarks: NoteKeeper,
        config: Callable[[], EngineConfig] | None = None,
        start: PlaybackStart | None = None,
        trouble: Callable[[], str] = lambda: "",
        clock: Clock | None = None,
    ) -> None:
        start = start or PlaybackStart()
        self._open_reel = open_reel
        self._where = where
        self._gathering = gathering
        self._make_config = config
        self._config: EngineConfig | None = None
        self._remarks = remarks
        self._trouble = trouble
        self._clock = clock or WallClock()
        self._wish = threading.Condition()
        self._target: float | None = start.at if start.at == start.at else -math.inf
        self._until = start.until
        self._asked: list[Answer] = []
        self._view = View()
        self._wants_picture = False
        self._closing = False
        self._done = False
        self._latest: Snapshot | None = None
        self._error = ""
        self._reel: RecordingSet | None = None
        self._walk: Cursor | None = None
        self._pacing = Pacing(speed_within(start.speed))
        self._reached = MeasuredSpeed()
        self._anchored = False
        self._moved = False
        """Whether time has gone on since it was told to."""
        self._unseen = True
        """Whether something was folded since the last picture."""
        self._picture_due = 0.0
        self._idle = threading.Event()
        self._opened = threading.Event()
        self._position = PlaybackPosition(
            playing=start.playing,
            speed=self._pacing.speed,
            loop=start.loop,
            seeking=start.at if math.isfinite(start.at) else NAN,
        )
        self._thread = threading.Thread(target=self._run, name="voicetop past", daemon=True)

    def _aim(self, at: float) -> None:
        reel = self._reel
        self._target = at
        seeking = min(max(at, reel.first_at), reel.last_at) if reel else at
        self._place(seeking=seeking, why="", reached=NAN)

    def _place(self, **changes: object) -> None:
        """Say where it stands; with the wishes' lock held."""
        self._position = structs.replace(self._position, **changes)

    def _named(self, note: str) -> str:
        """A spool's own file is nothing to people."""
        reel = self._reel
        return note.replace(str(reel.path), self._where) if reel is not None else note

    # -- its own thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._begin()
            while not self._closing:
                with contextlib.suppress(Superseded):
                    self._turn()
        except VoicetopError as error:
            self._error = self._named(str(error))
        except Exception as error:  # noqa: BLE001 - a thread that dies silently would look like a calm night
            self._error = f"a mistake of voicetop's own, please report it: {type(error).__name__}: {error}"
        finally:
            self._opened.set()
            self._idle.set()
            if self._walk is not None:
                self._walk.close()

    def _begin(self) -> None:
        from voicetop.replay.cursor import Cursor  # noqa: PLC0415 - behind the first frame, as all that needs numpy

        self._config = self._make_config() if self._make_config is not None else None
        reel = self._open_reel(self._new_session)
        self._remarks.load()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        self._walk = Cursor(reel)
        self._reel = reel
        self._opened.set()
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
        if self._closing or self._target is not None:
            raise Superseded
        if self._wants_picture:
            self._show()

    def _turn(self) -> None:
        with self._wish:
            target, self._target = self._target, None
            playing = self._position.playing
        if target is not None:
            self._idle.clear()
            self._go(target)
        elif self._wants_picture:
            self._show()
        elif playing:
            self._play()
        else:
            self._reached.restart()
            self._rest(None)

    def _rest(self, seconds: float | None) -> None:
        """Let others have the processor until somebody wants something; None: it stands still until then."""
        self._idle.set()
        with self._wish:
            wanted = self._closing or self._target is not None or self._wants_picture
            if not wanted and (seconds is not None or not self._position.playing):
                self._wish.wait(seconds)
        self._idle.clear()

    def _go(self, target: float) -> None:
        """Seek, and show what is there. A place that can't be read is told, and it stands still."""
        assert self._walk is not None
        reel = self._walk.reel
        reel.refresh()
        self._await(reel, target)
        at = min(max(target, reel.first_at), reel.last_at)
        why = ""
        try:
            self._walk.seek(at)
        except RecordingError as error:
            why = self._named(str(error))
        self._anchored = False
        self._reached.restart()
        self._show()
        with self._wish:
            if self._target is None:
                self._place(at=self._walk.at or at, seeking=NAN, why=why)
            if why:
                self._place(playing=False)

    def _await(self, reel: RecordingSet, target: float) -> None:
        """A moment that is a recorder's to write yet is there shortly."""
        patience = self._clock.monotonic() + FLUSHED_S
        while reel.last_at < target < math.inf and reel.growing and self._clock.monotonic() < patience:
            self._rest(GROWTH_S / 2)
            if self._target is not None or self._closing:
                raise Superseded
            if self._wants_picture:
                self._show()
            reel.refresh()

    def _play(self) -> None:
        """Fold what is due, for a moment at most; then show, and wait for what comes."""
        assert self._walk is not None
        course = self._walk.course
        if course is None:
            self._place_done("empty")
            return
        now = self._clock.monotonic()
        if not self._anchored:
            self._anchored = True
            self._pacing.anchor(self._walk.at or course.begins_at(), now)
        coming = course.begins_at()
        if coming == math.inf:
            self._end()
            return
        self._moved = True
        self._pacing.meet(self._walk.at or coming, coming, now)
        limit = self._until if self._until > self._walk.at else math.inf
        due = min(self._pacing.due(now), limit)
        behind = self._fold(due, now + SLICE_S)
        now = self._clock.monotonic()
        if now >= self._picture_due:
            self._show()
        with self._wish:
            if self._target is None:
                self._place(at=self._walk.at, reached=self._reached.see(self._walk.at, now))
        if behind:
            if not math.isinf(self._pacing.speed):
                self._pacing.anchor(max(self._walk.at, coming), now)
        elif limit <= due < math.inf:
            self._until = NAN
            self._show()
            self._place_done(AT_UNTIL)
        else:
            wait = min(self._pacing.wait(course.next_at(), now), self._picture_due - now, 1 / PICTURES_PER_S)
            self._rest(max(wait, 0.01) if course.next_at() < math.inf else GROWTH_S)

    def _fold(self, due: float, stop: float) -> bool:
        """Fold what was stamped by `due`; True where it is `stop` by the clock before all of that is done."""
        assert self._walk is not None
        course = self._walk.course
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
        assert self._walk is not None
        reel = self._walk.reel
        reel.refresh()
        now = self._clock.monotonic()
        if self._unseen:
            self._show()
        if reel.growing:
            with self._wish:
                self._place(at=self._walk.at, reached=self._reached.see(self._walk.at, now))
            self._rest(GROWTH_S)
        elif self._position.loop or not self._moved:
            with self._wish:
                self._moved = True
                if self._target is None:
                    self._aim(-math.inf)
        elif self._walk.course is not None and self._walk.course.next_at() == math.inf:
            self._place_done(AT_END)

    def _place_done(self, why: str) -> None:
        assert self._walk is not None
        with self._wish:
            if self._target is None and self._position.playing:
                self._place(at=self._walk.at, playing=False, reached=NAN, why=why)
                self._done = True

    def _show(self) -> None:
        """Make a picture of where the walk stands, for whoever asked and for the screen."""
        session = self._walk.session if self._walk is not None else None
        if session is None or not session.at:  # who asked is answered with the first picture
            self._wants_picture = False
            return
        with self._wish:
            view, calls, self._asked = self._view, self._asked, []
            self._wants_picture = self._unseen = False
        began = self._clock.monotonic()
        picture = session.snapshot(view)
        self._latest = picture
        self._picture_due = self._clock.monotonic() + max(
            1 / PICTURES_PER_S, REST * (self._clock.monotonic() - began)
        )
        for call in calls:
            call(picture)
