"""A session and the frames that follow its state: the only way to move to a time in a recording."""

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
    """A session and the frames that follow its state. Exceptions neither lose a frame nor fold one twice."""

    def __init__(self, session: Session, frames: Iterator[Stamped]) -> None:
        self.session = session
        self._frames = frames
        self._ahead: deque[Stamped] = deque()
        self._next_begin: tuple[Stamped, float] | None = None

    @property
    def has_state(self) -> bool:
        """Whether the session has loaded a state or folded anything."""
        session = self.session
        return bool(session.at or session.epoch or session.seq)

    def remaining(self) -> Iterator[Stamped]:
        """The remaining frames, each with its last stamp. They are removed from the cursor without being folded."""
        while not math.isinf(self.next_ends_at()):
            yield self._ahead.popleft()

    def next_begins_at(self) -> float:
        """The first stamp of the next frame, which may span half a minute in a small fleet; inf without one."""
        if math.isinf(self.next_ends_at()):
            return math.inf
        coming = self._ahead[0]
        if self._next_begin is None or self._next_begin[0] is not coming:
            self._next_begin = coming, first_stamp(coming)
        return self._next_begin[1]

    def next_ends_at(self) -> float:
        """The last stamp of the next frame; inf if nothing more is written."""
        if not self._ahead and (stamped := next(self._frames, None)) is not None:
            self._ahead.append(stamped)
        return self._ahead[0][0] if self._ahead else math.inf

    def fold(self) -> None:
        """Fold the next frame."""
        self.session.feed(self._ahead[0][1])
        self._ahead.popleft()

    def fold_until(self, at: float) -> None:
        """Fold the part of the next frame that is stamped by `at`."""
        before, after = split_at(self._ahead[0], at)
        self._ahead.popleft()
        self._ahead.extendleft(reversed([*before, *after]))
        if before:
            self.fold()

    def advance_to(self, at: float) -> None:
        """Fold up to the last heartbeat stamped by `at`, so that a seek gives the same state from any start.

        If stamps step back: up to the last heartbeat before they first pass `at`.
        """
        count = 0
        while True:
            stamped = self._peek(count)
            if stamped is None:
                break
            if stamped[0] > at:
                count += self._split_at(count, stamped, at)
                break
            count += 1
            if count_to_last_heartbeat(stamped[1]):
                for _ in range(count - 1):
                    self.fold()
                count = 1
        self._fold_to_beat(count)

    def advance_to_first_beat(self, at: float) -> None:
        """Before the first heartbeat there is nothing to show: advance to it, if it is stamped by `at`."""
        while not self.session.at and self.next_begins_at() <= at:
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

    def _split_at(self, number: int, stamped: Stamped, at: float) -> int:
        """Split the frame that extends past `at`; returns how many of the parts (0 or 1) are stamped by then."""
        before, after = split_at(stamped, at)
        del self._ahead[number]
        for piece in reversed([*before, *after]):
            self._ahead.insert(number, piece)
        return len(before)

    def _fold_to_beat(self, count: int) -> None:
        """Fold the first `count` frames up to the last heartbeat in them."""
        beats = [count_to_last_heartbeat(self._ahead[number][1]) for number in range(count)]
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
