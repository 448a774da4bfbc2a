"""Computes when each stamp is due at a given speed, and the actual speed. Pure: the caller passes the time."""

from __future__ import annotations

import math
from collections import deque

MAX_GAP_S = 5.0
SKIPPED_GAP_S = 1.0
WINDOW_S = 1.0
SLOWEST, FASTEST = 0.25, 1000.0


def clamp_speed(speed: float) -> float:
    """Clamp a speed to 0.25–1000; inf is allowed.

    >>> speed_within(0.1), speed_within(5000.0), speed_within(math.inf)
    (0.25, 1000.0, inf)
    """
    return speed if speed == math.inf else min(max(speed, SLOWEST), FASTEST)


class Pacing:
    """From an anchor on, stamps become due at `speed` seconds per second."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._stamp = math.nan
        self._now = 0.0

    def anchor(self, stamp: float, now: float) -> None:
        """Set `stamp` to be due at clock time `now`."""
        self._stamp, self._now = stamp, now

    def due(self, now: float) -> float:
        """The latest stamp that is due."""
        if math.isinf(self.speed):
            return math.inf
        return self._stamp + (now - self._now) * self.speed

    def wait(self, stamp: float, now: float) -> float:
        """Seconds until `stamp` is due."""
        return 0.0 if math.isinf(self.speed) else max(0.0, (stamp - self.due(now)) / self.speed)

    def skip_gap(self, last: float, following: float, now: float) -> None:
        """Move the anchor past a gap between the stamps `last` and `following`.

        A recorder writes heartbeats four times a second, so stamps more than 5 s apart mean that it was off: the gap is
        shortened to 1 s. Stamps that step back (two recordings in one file) are not waited for either.
        """
        if following < last - MAX_GAP_S:
            self.anchor(following, now)
        elif following - last > MAX_GAP_S and self.wait(following, now) > SKIPPED_GAP_S:
            self.anchor(following - SKIPPED_GAP_S * min(self.speed, FASTEST), now)


class MeasuredSpeed:
    """Measures the actual speed over the last second: seconds of stamps per second of the clock."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque()

    def restart(self) -> None:
        """Forget the past, after a pause or a jump."""
        self._samples.clear()

    def measure(self, stamp: float, now: float) -> float:
        """Add the position `stamp` at clock time `now`; returns the speed, NaN until it is known."""
        self._samples.append((now, stamp))
        while len(self._samples) > 2 and now - self._samples[1][0] >= WINDOW_S:
            self._samples.popleft()
        began, first = self._samples[0]
        return (stamp - first) / (now - began) if now - began >= WINDOW_S / 4 else math.nan
