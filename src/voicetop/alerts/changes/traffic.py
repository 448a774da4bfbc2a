"""How many calls are to be expected: a shape over the half-hours of the day, a factor for the weekday, and how today
goes so far.

Today's factor comes from the last hours up to 20 minutes ago, so that a drop doesn't explain itself away at once; it
never promises more than normal, so that the end of a busy hour is no drop.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct, field

from voicetop.alerts.changes.array_codec import Floats, Ints
from voicetop.alerts.changes.baseline import BINS, Baseline, weekday
from voicetop.alerts.changes.readings import Part

SLOT_S, SLOTS, RECENT = 300, 48, 4
LEAST, MOST = 0.3, 1.0
WEEKDAY_CALLS = 30.0
TODAY_CALLS = 20.0
BIN_S = 86_400 // BINS
SEEN_TWICE = 1.2
"""Half-hours of a time of the week, more than one of which were seen."""
LEAST_EXPOSED = 0.3
"""Half-hours of a time of day that must have been seen before calls are expected at it."""


class Traffic(Struct, kw_only=True):
    """(start, calls that came, calls expected before today's factor) by 5 minutes."""

    slots: list[tuple[int, int, float]] = field(default_factory=list)
    bins: list[tuple[int, int, int]] = field(default_factory=list)
    """(half-hour since the epoch, calls, marks) of the hour that is not learned from yet."""
    profile: Floats = field(default_factory=lambda: np.zeros(BINS))
    weekdays: Floats = field(default_factory=lambda: np.ones(7))
    fitted: float = -1.0

    def expect(self, parts: dict[str, Part], baseline: Baseline, at: float) -> dict[str, Part]:
        """The reading with what was to be expected added to it, in thousandths of a call."""
        came = int(parts["started"][1].sum()) if "started" in parts else 0
        self._count(came, at)
        if self.fitted != baseline.exposed.sum():
            self._fit(baseline)
        hoped = self._usual(at) * 5.0
        self._note(came, hoped, at)
        if hoped <= 0:
            return {kind: part for kind, part in parts.items() if kind != "started"}
        amount = round(1000 * hoped * self._today(at))
        return {**parts, "expected": (_FIRST, np.array([amount], np.int64))}

    def knows(self, baseline: Baseline, at: float) -> bool:
        """Whether this time of this weekday was seen before, and not only just now."""
        return float(baseline.exposed[weekday(at), int(at // BIN_S) % BINS]) > SEEN_TWICE

    def since(self, onset: float) -> tuple[float, float]:
        """(calls that came, calls expected) since about `onset`."""
        held = [slot for slot in self.slots if slot[0] + SLOT_S > onset]
        return float(sum(slot[1] for slot in held)), sum(slot[2] for slot in held)

    def learn(self, baseline: Baseline, *, healthy: bool) -> None:
        """An hour is over. Calls come or don't whether or not they are answered well: only a drop teaches nothing."""
        for number, calls, count in self.bins if healthy else ():
            day = weekday(number * BIN_S)
            baseline.arrived[day, number % BINS] += calls
            baseline.exposed[day, number % BINS] += count * 5.0 / BIN_S
        self.bins = []

    def _count(self, came: int, at: float) -> None:
        number = int((at - 1) // BIN_S)
        if self.bins and self.bins[-1][0] == number:
            _, calls, marks = self.bins[-1]
            self.bins[-1] = (number, calls + came, marks + 1)
        else:
            self.bins = [*self.bins[-3:], (number, came, 1)]

    def _note(self, came: int, hoped: float, at: float) -> None:
        start = int((at - 1) // SLOT_S) * SLOT_S
        if self.slots and self.slots[-1][0] == start:
            _, before, expected = self.slots[-1]
            self.slots[-1] = (start, before + came, expected + hoped)
        else:
            self.slots = [*self.slots[-SLOTS + 1 :], (start, came, hoped)]

    def _today(self, at: float) -> float:
        held = [slot for slot in self.slots[:-RECENT] if slot[0] > at - SLOTS * SLOT_S]
        came, hoped = sum(slot[1] for slot in held), sum(slot[2] for slot in held)
        return min(MOST, max(LEAST, (came + TODAY_CALLS) / (hoped + TODAY_CALLS)))

    def _usual(self, at: float) -> float:
        """Calls a second by the shape of the day and the weekday."""
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
            profile = np.where(weight > LEAST_EXPOSED, arrived.sum(axis=0) / np.maximum(weight, 1e-9), 0.0)
            hoped = (exposed * profile).sum(axis=1)
            factors = (arrived.sum(axis=1) + WEEKDAY_CALLS) / (hoped + WEEKDAY_CALLS)
        self.profile, self.weekdays, self.fitted = profile / BIN_S, factors, float(exposed.sum())


_FIRST: Ints = np.zeros(1, np.int64)
