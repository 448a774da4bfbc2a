"""A session that walks along a recording: to a moment, or on from where it is. No thread and no clock."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Protocol

from voicetop.engine.config import EngineConfig
from voicetop.errors import CheckpointError
from voicetop.replay.frame_cursor import FrameCursor
from voicetop.replay.recording_set import RecordingSet
from voicetop.session import Session
from voicetop.wire.batches import Stamped, begin_of, first_beat, last_beat, split, split_at

FIRST_S = 5.0
"""So long after its beginning at most, a recording has its first heartbeat."""
NEAR_S = 2.0
"""So little ahead is folded rather than entered anew, even where a state is kept in between."""


class ReplaySession(Session):
    """A session that lets somebody look before each frame; who raises there leaves the frame unfolded.

    A recording outlives the version that made it: a state in it that can't be read any more is passed over, and
    `unread` says so. The records that follow are read by today's rules.
    """

    def __init__(self, config: EngineConfig | None, look: Callable[[], None] = lambda: None) -> None:
        super().__init__(config)
        self._look = look
        self.unread = ""

    def load(self, state: bytes) -> None:
        """Go on from a checkpoint, if it can be read."""
        try:
            super().load(state)
        except CheckpointError as error:
            self.unread = f"what was before this recording is not known: it begins with {error}"

    def feed(self, frame: bytes) -> None:
        self._look()
        super().feed(frame)


class Folded(Protocol):
    """What a course folds into: a `Session`."""

    @property
    def at(self) -> float: ...

    def feed(self, frame: bytes) -> None: ...


class SessionCursor:
    """A session and the frames that follow on it. Whatever stops it, it can go on: no frame is lost or folded twice."""

    def __init__(self, session: Session, trail: FrameCursor) -> None:
        self.session = session
        self.trail = trail
        self._ahead: deque[Stamped] = deque()
        self._begin: tuple[Stamped, float] | None = None

    def begins_at(self) -> float:
        """The first stamp of the frame that comes next: of a small fleet, a frame is half a minute long."""
        if math.isinf(self.next_at()):
            return math.inf
        coming = self._ahead[0]
        if self._begin is None or self._begin[0] is not coming:
            self._begin = coming, begin_of(coming)
        return self._begin[1]

    def next_at(self) -> float:
        """The last stamp of the frame that comes next; inf where nothing does, as far as was written."""
        if not self._ahead and (stamped := next(self.trail, None)) is not None:
            self._ahead.append(stamped)
        return self._ahead[0][0] if self._ahead else math.inf

    def fold(self) -> None:
        """Fold the frame that comes next."""
        self.session.feed(self._ahead[0][1])
        self._ahead.popleft()

    def fold_until(self, at: float) -> None:
        """Fold what of the next frame was stamped by `at`."""
        before, after = split_at(self._ahead[0], at)
        self._ahead.popleft()
        self._ahead.extendleft(reversed([*before, *after]))
        if before:
            self.fold()

    def settle(self, at: float) -> None:
        """Fold up to the last heartbeat that was stamped by `at`: what a seek shows is the same from wherever it came.

        Where stamps step back, up to the last one before time first passes `at`.
        """
        held = 0
        while True:
            stamped = self._peek(held)
            if stamped is None:
                break
            if stamped[0] > at:
                held += self._cut(held, stamped, at)
                break
            held += 1
            if last_beat(stamped[1]):
                for _ in range(held - 1):
                    self.fold()
                held = 1
        self._fold_to_beat(held)

    def begin(self, at: float) -> None:
        """Before the first heartbeat there is nothing to show: go on to it, if it is stamped by `at`."""
        while not self.session.at and self.begins_at() <= at:
            stamp, frame = self._ahead[0]
            if count := first_beat(frame):
                self._ahead.popleft()
                self._ahead.extendleft((stamp, part) for part in reversed(split(frame, count)) if part)
            self.fold()

    def _peek(self, number: int) -> Stamped | None:
        while len(self._ahead) <= number:
            stamped = next(self.trail, None)
            if stamped is None:
                return None
            self._ahead.append(stamped)
        return self._ahead[number]

    def _cut(self, number: int, stamped: Stamped, at: float) -> int:
        """Cut the frame that goes beyond `at` in two; 1 where some of it was stamped by then."""
        before, after = split_at(stamped, at)
        del self._ahead[number]
        for piece in reversed([*before, *after]):
            self._ahead.insert(number, piece)
        return len(before)

    def _fold_to_beat(self, held: int) -> None:
        """Fold the first `held` frames up to the last heartbeat in them."""
        beats = [last_beat(self._ahead[number][1]) for number in range(held)]
        last = max((number for number, beat in enumerate(beats) if beat), default=-1)
        if last < 0:
            return
        at, frame = self._ahead[last]
        head, tail = split(frame, beats[last])
        del self._ahead[last]
        for piece in [(at, tail)] * bool(tail) + [(at, head)]:
            self._ahead.insert(last, piece)
        for _ in range(last + 1):
            self.fold()


class Cursor:
    """Where somebody stands in a reel. `course` is None before the first `seek`."""

    def __init__(self, reel: RecordingSet) -> None:
        self.reel = reel
        self.course: SessionCursor | None = None
        self._notes: list[str] = []

    @property
    def session(self) -> Session | None:
        return self.course.session if self.course else None

    @property
    def at(self) -> float:
        """The last heartbeat that was folded, 0.0 before any."""
        return self.course.session.at if self.course else 0.0

    @property
    def notes(self) -> list[str]:
        """What could not be read so far, each told once."""
        trail = self.course.trail.notes if self.course else []
        unread = getattr(self.session, "unread", "")
        return list(dict.fromkeys([*([unread] if unread else []), *self.reel.notes, *self._notes, *trail]))

    def seek(self, at: float) -> None:
        """Go to the last heartbeat by `at`, on from here where that is cheaper. Raises RecordingError.

        What a look raises on the way leaves the walk where it was, or somewhere between here and there.
        """
        if self.course is None or not self._goes_on_to(at):
            session = self.reel.new_session()
            course = SessionCursor(session, self.reel.enter(at, session))
            course.settle(at)
            self._leave()
            self.course = course
        else:
            self.course.settle(at)
        self.course.begin(at + FIRST_S)

    def close(self) -> None:
        """Let go of the files."""
        self._leave()

    def _goes_on_to(self, at: float) -> bool:
        return at >= self.at and (at - self.at <= NEAR_S or self.reel.nearest(at) <= self.at)

    def _leave(self) -> None:
        if self.course is not None:
            self._notes += self.course.trail.notes
            self.course.trail.close()
