"""How often to paint, and how much at once, on a terminal that may be slow. It is told what was sent, and when.

Four frames a second where the terminal takes them; where they take longer than their turn, half as many, down to one
in two seconds; back up, a step at a time, after a while in which frames needed little more than half their turn. A slow
terminal also gets no more at once than it takes in a fifth of a second, and not before it has had time for what came
earlier: the answer to a key never waits behind more.
"""

from __future__ import annotations

RATES = (4.0, 2.0, 1.0, 0.5)
SLACK = 1.2
"""A frame that is found taken at the next look is in time."""

EASE = 0.6
"""A mean of so much of a turn leaves room for twice as many frames."""

CALM_S = 5.0
MOST_CALM_S = 60.0
PART_S = 0.2
LEAST_PART = 1_000
LEAST_SPEED = 1_500.0
TELLING = 16_000
"""Bytes below which it says little that a terminal took them at once: a pseudo-terminal itself holds that much."""

GROWTH = 1.03
"""How much more a slow terminal is trusted with after each part that it took in time."""

WEIGHT = 0.4
"""Of the last frame in the mean of how long frames take."""

FAST = 60_000.0
"""Bytes a second from which on nothing is cut in parts."""


class FrameRate:
    """The frame rate of one terminal, at most `most` frames a second. Times are in seconds of one clock."""

    def __init__(self, most: float = RATES[0]) -> None:
        self.rates = (most, *(rate for rate in RATES if rate < most))
        self.speed = float("inf")
        """Bytes a second that the terminal was last seen to take; infinite until it was seen to be slow."""
        self._step = 0
        self._mean = 0.0
        self._free_at = 0.0
        self._rose_at = -MOST_CALM_S
        self._blocked = False
        self._held_up = False
        self._sent_at = 0.0
        self._size = 0
        self._next = 0.0
        self._frame_at: float | None = None
        self._calm_since = 0.0
        self._patience = CALM_S

    @property
    def rate(self) -> float:
        """Frames a second."""
        return self.rates[self._step]

    @property
    def slowness(self) -> str:
        """The pace in words where it is below the one that is wanted; else empty.

        >>> FrameRate().slowness
        ''
        """
        if not self._step:
            return ""
        return (
            f"1 frame in {1 / self.rate:.0f} s"
            if self.rate < 1
            else f"{self.rate:.0f} frame{'s' * (self.rate > 1)}/s"
        )

    @property
    def part(self) -> int | None:
        """How many bytes to send at once; None for all there are."""
        return None if self.speed >= FAST else max(LEAST_PART, int(self.speed * PART_S))

    def due(self, now: float) -> bool:
        """Whether it is time for a frame; the next is then due a turn later."""
        if now < self._next:
            return False
        turn = 1 / self.rate
        self._next = max(self._next + turn, now + turn / 2) - 0.01
        self._frame_at = now
        return True

    def sent(self, size: int, now: float) -> None:
        """So many bytes were handed over; what is still on the way counts with them."""
        if not self._size:
            self._sent_at = now
        self._size += size
        if self.part is not None:
            self._free_at = max(self._free_at, now) + size / self.speed

    def free(self, now: float) -> bool:
        """Whether a slow terminal has had time for what it was sent; what it merely holds keeps keys waiting."""
        if now < self._free_at:
            self._held_up = True
            return False
        return True

    def full(self) -> None:
        """The terminal was found to have room for nothing."""
        self._blocked = self._size > 0
        self._held_up = True

    def taken(self, now: float) -> None:
        """The terminal was found to have taken everything that it was sent."""
        if not self._size:
            return
        took, size, self._size = max(now - self._sent_at, 1e-6), self._size, 0
        blocked, self._blocked = self._blocked, False
        if blocked and (
            self.part is None or size >= 0.5 * self.part
        ):  # less may have waited behind what was held
            least = self.speed / 2 if self.part is not None else 0.0
            self.speed = max(size / took, least, LEAST_SPEED)
        elif size >= TELLING:
            self.speed = max(self.speed, size / took)
        elif self.part is not None and size >= 0.8 * self.part:
            self.speed *= GROWTH  # it may be faster than was thought: the next part tells

    def whole(self, now: float) -> None:
        """Nothing is owed any more: the terminal has the whole of the last frame."""
        if self._frame_at is None:
            return
        took = now - self._frame_at if self._held_up else 0.0  # else it was this machine that was busy
        self._frame_at, self._held_up = None, False
        self._mean += WEIGHT * (took - self._mean)
        if self._mean > SLACK / self.rate:
            self._slower(now)
        elif self._mean > EASE / self.rate:
            self._calm_since = now
        else:
            self._calm(now)

    def _slower(self, now: float) -> None:
        self._calm_since = now
        if self._step < len(self.rates) - 1:
            self._step += 1
            self._mean = 0.75 / self.rate
            soon = now - self._rose_at < MOST_CALM_S  # it was too early to go faster: wait longer next time
            self._patience = min(self._patience * 2, MOST_CALM_S) if soon else CALM_S

    def _calm(self, now: float) -> None:
        if self._step and now - self._calm_since >= self._patience:
            self._step -= 1
            self._calm_since = self._rose_at = now
