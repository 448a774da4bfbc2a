"""A session and the frames that follow on it: the one way to get to a moment of a recording."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator

from voicetop.session import Session
from voicetop.wire.batches import (
    Stamped,
    count_to_first_heartbeat,
    count_to_last_heartbeat,
    first_stamp,
    split,
    split_at,
)


class SessionCursor:
    """A session and the frames that follow on it. Whatever stops it, it can go on: no frame is lost or folded twice."""

    def __init__(self, session: Session, frames: Iterator[Stamped]) -> None:
        self.session = session
        self._frames = frames
        self._ahead: deque[Stamped] = deque()
        self._begin: tuple[Stamped, float] | None = None

    @property
    def begun(self) -> bool:
        """Whether the session knows anything: a state, or what it folded."""
        session = self.session
        return bool(session.at or session.epoch or session.seq)

    def rest(self) -> Iterator[Stamped]:
        """The frames that follow, each with its last stamp. They leave the cursor unfolded."""
        while not math.isinf(self.next_at()):
            yield self._ahead.popleft()

    def begins_at(self) -> float:
        """The first stamp of the frame that comes next: of a small fleet, a frame is half a minute long."""
        if math.isinf(self.next_at()):
            return math.inf
        coming = self._ahead[0]
        if self._begin is None or self._begin[0] is not coming:
            self._begin = coming, first_stamp(coming)
        return self._begin[1]

    def next_at(self) -> float:
        """The last stamp of the frame that comes next; inf where nothing does, as far as was written."""
        if not self._ahead and (stamped := next(self._frames, None)) is not None:
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
            if count_to_last_heartbeat(stamped[1]):
                for _ in range(held - 1):
                    self.fold()
                held = 1
        self._fold_to_beat(held)

    def begin(self, at: float) -> None:
        """Before the first heartbeat there is nothing to show: go on to it, if it is stamped by `at`."""
        while not self.session.at and self.begins_at() <= at:
            stamp, frame = self._ahead[0]
            if count := count_to_first_heartbeat(frame):
                self._ahead.popleft()
                self._ahead.extendleft((stamp, part) for part in reversed(split(frame, count)) if part)
            self.fold()

    def _peek(self, number: int) -> Stamped | None:
        while len(self._ahead) <= number:
            stamped = next(self._frames, None)
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
        beats = [count_to_last_heartbeat(self._ahead[number][1]) for number in range(held)]
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
