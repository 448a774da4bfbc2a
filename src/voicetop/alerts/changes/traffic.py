"""Expected arrivals: a profile over the half-hours of the day, times a weekday factor, times today's factor.

Today's factor comes from the last hours up to 20 minutes ago, so that a drop doesn't explain itself away at once. It
never exceeds 1, so that the end of a busy hour isn't a drop.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct, field

from voicetop.alerts.changes.array_codec import Floats, Ints
from voicetop.alerts.changes.baseline import BINS, Baseline, weekday
from voicetop.alerts.changes.readings import Part

SLOT_S, SLOTS, RECENT = 300, 48, 4
MIN_FACTOR, MAX_FACTOR = 0.3, 1.0
WEEKDAY_CALLS = 30.0
TODAY_CALLS = 20.0
BIN_S = 86_400 // BINS
MAX_TREND = 3.0
MIN_SEEN = 1.2
"""Exposure, in half-hours, above which a time of the week was seen more than once."""
MIN_EXPOSED = 0.3
"""Exposure, in half-hours, that a time of day needs before calls are expected at it."""


class Traffic(Struct, kw_only=True):
    """`slots` are (start, calls, calls expected before today's factor) by 5 minutes."""

    slots: list[tuple[int, int, float]] = field(default_factory=list)
    bins: list[tuple[int, int, int]] = field(default_factory=list)
    """(half-hour since the epoch, calls, marks) not learned from yet."""
    profile: Floats = field(default_factory=lambda: np.zeros(BINS))
    weekdays: Floats = field(default_factory=lambda: np.ones(7))
    fitted: float = -1.0

    def expect(self, parts: dict[str, Part], baseline: Baseline, at: float) -> dict[str, Part]:
        """The reading with the expected calls added, in thousandths of a call."""
        started = int(parts["started"][1].sum()) if "started" in parts else 0
        self._count(started, at)
        if self.fitted != baseline.exposed.sum():
            self._fit(baseline)
        usual = self._seasonal_rate(at) * 5.0
        self._add_to_slot(started, usual, at)
        if usual <= 0:
            return {kind: part for kind, part in parts.items() if kind != "started"}
        amount = round(1000 * usual * self._today_factor(at))
        return {**parts, "expected": (_FIRST, np.array([amount], np.int64))}

    def trend(self, baseline: Baseline, at: float) -> float:
        """How calls usually change from the last half-hour to now, as a factor; 1 while these hours aren't learned."""
        if self.fitted != baseline.exposed.sum():
            self._fit(baseline)
        before = [self._seasonal_rate(at - 60.0 * minutes) for minutes in (10, 15, 20, 25, 30)]
        known = min(
            baseline.exposed[:, int(when // BIN_S) % BINS].sum() for when in (at - 1800, at, at + 900)
        )
        mean = sum(before) / len(before)
        return min(MAX_TREND, self._seasonal_rate(at) / mean) if known > MIN_EXPOSED and mean > 0 else 1.0

    def seen_before(self, baseline: Baseline, at: float) -> bool:
        """Whether this time of this weekday was seen before the current one."""
        return float(baseline.exposed[weekday(at), int(at // BIN_S) % BINS]) > MIN_SEEN

    def since(self, onset: float) -> tuple[float, float]:
        """(calls, expected calls) since about `onset`."""
        recent = [slot for slot in self.slots if slot[0] + SLOT_S > onset]
        return float(sum(slot[1] for slot in recent)), sum(slot[2] for slot in recent)

    def learn(self, baseline: Baseline, *, healthy: bool) -> None:
        """Learn the past hour's arrivals, unless they dropped; errors don't matter, as they don't change demand."""
        for number, calls, count in self.bins if healthy else ():
            day = weekday(number * BIN_S)
            baseline.arrived[day, number % BINS] += calls
            baseline.exposed[day, number % BINS] += count * 5.0 / BIN_S
        self.bins = []

    def _count(self, started: int, at: float) -> None:
        number = int((at - 1) // BIN_S)
        if self.bins and self.bins[-1][0] == number:
            _, calls, marks = self.bins[-1]
            self.bins[-1] = (number, calls + started, marks + 1)
        else:
            self.bins = [*self.bins[-3:], (number, started, 1)]

    def _add_to_slot(self, started: int, more_expected: float, at: float) -> None:
        start = int((at - 1) // SLOT_S) * SLOT_S
        if self.slots and self.slots[-1][0] == start:
            _, before, expected = self.slots[-1]
            self.slots[-1] = (start, before + started, expected + more_expected)
        else:
            self.slots = [*self.slots[-SLOTS + 1 :], (start, started, more_expected)]

    def _today_factor(self, at: float) -> float:
        past = [slot for slot in self.slots[:-RECENT] if slot[0] > at - SLOTS * SLOT_S]
        calls, expected = sum(slot[1] for slot in past), sum(slot[2] for slot in past)
        return min(MAX_FACTOR, max(MIN_FACTOR, (calls + TODAY_CALLS) / (expected + TODAY_CALLS)))

    def _seasonal_rate(self, at: float) -> float:
        """Calls per second by time of day and weekday."""
        place = (at / BIN_S - 0.5) % BINS
        low = int(place)
        share = place - low
        shape = self.profile[low] * (1 - share) + self.profile[(low + 1) % BINS] * share
        return float(shape * self.weekdays[weekday(at)])

    def _fit(self, baseline: Baseline) -> None:
        arrived, exposed = baseline.arrived, baseline.exposed
        factors = np.ones(7)
        profile = np.zeros(BINS)
        for _ in range(4):
            weight = (exposed * factors[:, None]).sum(axis=0)
            profile = np.where(weight > MIN_EXPOSED, arrived.sum(axis=0) / np.maximum(weight, 1e-9), 0.0)
            expected = (exposed * profile).sum(axis=1)
            factors = (arrived.sum(axis=1) + WEEKDAY_CALLS) / (expected + WEEKDAY_CALLS)
        self.profile, self.weekdays, self.fitted = profile / BIN_S, factors, float(exposed.sum())


_FIRST: Ints = np.zeros(1, np.int64)
