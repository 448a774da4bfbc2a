"""How often to paint, and how much at once, on a terminal that may be slow. It is told what was sent, and when.

Four frames a second where the terminal takes them; where two in a row took longer than their turn, half as many, down
to one in two seconds; back up, a step at a time, after a while in which every frame was taken in half its turn. A slow
terminal also gets no more at once than it takes in a third of a second: the answer to a key never waits behind more.
"""

from __future__ import annotations

RATES = (4.0, 2.0, 1.0, 0.5)
SLACK = 1.2
"""A frame that is found taken at the next look is in time."""

STRIKES = 2
CALM_S = 5.0
MOST_CALM_S = 60.0
PART_S = 0.3
LEAST_PART = 1_000
LOOK_S = 0.26
"""How long it may take until somebody looks."""

FAST = 60_000.0
"""Bytes a second from which on nothing is cut in parts."""


class Pace:
    """The pace of one terminal, at most so many frames a second. Times in seconds of one clock."""

    def __init__(self, most: float = RATES[0]) -> None:
        self.rates = (most, *(rate for rate in RATES if rate < most))
        self.speed = float("inf")
        """Bytes a second that the terminal was last seen to take; infinite until it was seen to be slow."""
        self._step = 0
        self._strikes = 0
        self._sent_at = 0.0
        self._size = 0
        self._next = 0.0
        self._calm_since = 0.0
        self._patience = CALM_S

    @property
    def rate(self) -> float:
        """Frames a second."""
        return self.rates[self._step]

    @property
    def slowness(self) -> str:
        """The pace in words where it is below the one that is wanted; else empty.

        >>> Pace().slowness
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
        return True

    def sent(self, size: int, now: float) -> None:
        """So many bytes were handed over; what is still on the way counts with them."""
        if not self._size:
            self._sent_at = now
        self._size += size

    def taken(self, now: float) -> None:
        """The terminal was found to have taken everything."""
        if not self._size:
            return
        took, size, self._size = max(now - self._sent_at, 1e-6), self._size, 0
        self._measure(size, took)
        if took > SLACK / self.rate:
            self._strike(now)
        elif took > 0.5 / self.rate:
            self._strikes, self._calm_since = 0, now
        else:
            self._strikes = 0
            self._calm(now)

    def _measure(self, size: int, took: float) -> None:
        """What was found taken at the first look may have been taken long before: it says that more is possible."""
        if took > LOOK_S:
            self.speed = size / took
        elif self.speed < FAST:
            self.speed = max(1.5 * self.speed, size / took)

    def _strike(self, now: float) -> None:
        self._strikes += 1
        self._calm_since = now
        if self._strikes >= STRIKES and self._step < len(self.rates) - 1:
            self._step += 1
            self._strikes = 0
            self._patience = min(self._patience * 2, MOST_CALM_S)

    def _calm(self, now: float) -> None:
        if self._step and now - self._calm_since >= self._patience:
            self._step -= 1
            self._calm_since = now
        elif not self._step and now - self._calm_since >= MOST_CALM_S:
            self._patience = CALM_S
