"""Which stamp is due when, at a speed; and how fast it really went. Pure: who has a clock tells the time."""

from __future__ import annotations

import math
from collections import deque

LONGEST_WAIT_S = 5.0
SKIPPED_WAIT_S = 1.0
MEASURED_S = 1.0
SLOWEST, FASTEST = 0.25, 1000.0


def speed_within(speed: float) -> float:
    """A speed as it may be: 0.25 to 1000, or inf.

    >>> speed_within(0.1), speed_within(5000.0), speed_within(math.inf)
    (0.25, 1000.0, inf)
    """
    return speed if speed == math.inf else min(max(speed, SLOWEST), FASTEST)


class Pacing:
    """From an anchor on, stamps fall due at `speed` seconds a second."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._stamp = math.nan
        self._now = 0.0

    def anchor(self, stamp: float, now: float) -> None:
        """At clock time `now`, `stamp` is due."""
        self._stamp, self._now = stamp, now

    def due(self, now: float) -> float:
        """The stamp up to which all is due."""
        if math.isinf(self.speed):
            return math.inf
        return self._stamp + (now - self._now) * self.speed

    def wait(self, stamp: float, now: float) -> float:
        """Seconds until `stamp` is due."""
        return 0.0 if math.isinf(self.speed) else max(0.0, (stamp - self.due(now)) / self.speed)

    def meet(self, last: float, coming: float, now: float) -> None:
        """What comes after the stamp `last` is stamped `coming`.

        A recorder writes heartbeats four times a second, so stamps further apart than 5 s mean that it was off: such a
        pause counts as 1 s. Stamps that step back (two recordings in one file) are not waited for either.
        """
        if coming < last - LONGEST_WAIT_S:
            self.anchor(coming, now)
        elif coming - last > LONGEST_WAIT_S and self.wait(coming, now) > SKIPPED_WAIT_S:
            self.anchor(coming - SKIPPED_WAIT_S * min(self.speed, FASTEST), now)


class MeasuredSpeed:
    """Seconds of stamps that went by in a second of the clock, measured over the last one."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def restart(self) -> None:
        """Time stood still, or jumped."""
        self._seen.clear()

    def see(self, stamp: float, now: float) -> float:
        """At clock time `now` it stood at `stamp`. NaN until there is something to tell."""
        self._seen.append((now, stamp))
        while len(self._seen) > 2 and now - self._seen[1][0] >= MEASURED_S:
            self._seen.popleft()
        began, first = self._seen[0]
        return (stamp - first) / (now - began) if now - began >= MEASURED_S / 4 else math.nan
