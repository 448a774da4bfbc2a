"""Adapts frame rate and write size to a terminal that may be slow.

Four frames a second if the terminal keeps up. When frames take longer than their interval, the rate is halved, down to
one in two seconds; it rises step by step after a period in which frames needed little more than half their interval. A
slow terminal also gets at most 0.2 s of data at once, and only after it had time for earlier data, so that the answer
to a key never waits longer.
"""

from __future__ import annotations

RATES = (4.0, 2.0, 1.0, 0.5)
LOWER_ABOVE = 1.2
"""Lower the rate once frames take this many intervals: one poll late still counts as on time."""

RAISE_BELOW = 0.6
"""Raise the rate while frames take at most this share of an interval."""

CALM_S = 5.0
MAX_CALM_S = 60.0
PART_S = 0.2
MIN_PART = 1_000
MIN_SPEED = 1_500.0
MIN_MEASURED = 16_000
"""Smaller writes (bytes) say little about the speed: a pseudo-terminal buffers that much."""

GROWTH = 1.03
"""Growth of the speed estimate after each part received in time."""

MEAN_WEIGHT = 0.4
"""Weight of the last frame in the mean frame time."""

FAST = 60_000.0
"""Speed (bytes/s) above which frames are sent whole."""


class FrameRate:
    """The frame rate of one terminal, at most `max_rate` frames a second. Times are in seconds of one clock."""

    def __init__(self, max_rate: float = RATES[0]) -> None:
        self.rates = (max_rate, *(rate for rate in RATES if rate < max_rate))
        self.speed = float("inf")
        """Measured speed in bytes/s; infinite until the terminal turns out to be slow."""
        self._step = 0
        self._mean = 0.0
        self._free_at = 0.0
        self._rose_at = -MAX_CALM_S
        self._blocked = False
        self._delayed = False
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
        """The frame rate in words if it is reduced; else empty.

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
        """How many bytes to send at once; None for no limit."""
        return None if self.speed >= FAST else max(MIN_PART, int(self.speed * PART_S))

    def due(self, now: float) -> bool:
        """Whether a frame is due; the next is then due one interval later."""
        if now < self._next:
            return False
        turn = 1 / self.rate
        self._next = max(self._next + turn, now + turn / 2) - 0.01
        self._frame_at = now
        return True

    def sent(self, size: int, now: float) -> None:
        """Record that `size` bytes were written."""
        if not self._size:
            self._sent_at = now
        self._size += size
        if self.part is not None:
            self._free_at = max(self._free_at, now) + size / self.speed

    def caught_up(self, now: float) -> bool:
        """Whether a slow terminal has had time to show what was sent; buffered data would delay the answer to a key."""
        if now < self._free_at:
            self._delayed = True
            return False
        return True

    def set_blocked(self) -> None:
        """Record that the terminal accepts no data now."""
        self._blocked = self._size > 0
        self._delayed = True

    def drained(self, now: float) -> None:
        """Record that the terminal has received everything that was sent."""
        if not self._size:
            return
        took, size, self._size = max(now - self._sent_at, 1e-6), self._size, 0
        blocked, self._blocked = self._blocked, False
        if blocked and (
            self.part is None or size >= 0.5 * self.part
        ):  # less may have waited behind buffered data
            least = self.speed / 2 if self.part is not None else 0.0
            self.speed = max(size / took, least, MIN_SPEED)
        elif size >= MIN_MEASURED:
            self.speed = max(self.speed, size / took)
        elif self.part is not None and size >= 0.8 * self.part:
            self.speed *= GROWTH  # it may be faster than measured: the next part tells

    def frame_complete(self, now: float) -> None:
        """Record that the terminal has received the whole frame."""
        if self._frame_at is None:
            return
        took = now - self._frame_at if self._delayed else 0.0  # else this machine was busy
        self._frame_at, self._delayed = None, False
        self._mean += MEAN_WEIGHT * (took - self._mean)
        if self._mean > LOWER_ABOVE / self.rate:
            self._slower(now)
        elif self._mean > RAISE_BELOW / self.rate:
            self._calm_since = now
        else:
            self._calm(now)

    def _slower(self, now: float) -> None:
        self._calm_since = now
        if self._step < len(self.rates) - 1:
            self._step += 1
            self._mean = 0.75 / self.rate
            soon = now - self._rose_at < MAX_CALM_S  # raised too early: wait longer next time
            self._patience = min(self._patience * 2, MAX_CALM_S) if soon else CALM_S

    def _calm(self, now: float) -> None:
        if self._step and now - self._calm_since >= self._patience:
            self._step -= 1
            self._calm_since = self._rose_at = now
