"""By how much figures vary by themselves from one quarter of an hour to the next, while nothing is wrong.

Providers are a little slower for twenty minutes and errors come in clusters: with thousands of turns a difference of
three percent is beyond the doubt of n and still no news. What varies between quarters beyond their own n is that
wobble; a comparison takes it in. It is read off the last 24 hours before the earlier of the two windows ends, without
the minutes in which a problem was on the screen, over everybody; where little is known, off minutes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.normals import FEW_CALLS
from voicetop.engine.windows.buckets import QUANTILES, value_of
from voicetop.engine.windows.histograms import METRICS, Histogram
from voicetop.engine.windows.slots import MINUTE, QUARTER, SlotKey
from voicetop.views.compare import intervals

if TYPE_CHECKING:
    from voicetop.engine.engine import Engine

LEAST_UNITS, LEAST_HITS = 6, 5
SETTLED_S = 120
RATES = (
    ("errors", "error", "ended"), ("success", "succeeded", "known"), ("escalation", "escalated", "talked"),
    ("abandonment", "abandoned", "decided"), ("frustration", "moody", "talked"),
)  # fmt: skip
_RATES = frozenset(name for name, _, _ in RATES)
TRAFFIC = "traffic"

LEAST_TURNS = {0.50: 20, 0.95: 100}
"""Turns from which on a slot tells of a percentile."""

Figures = dict[str, tuple[float, float, int]]
"""(value, variance of a single one, n) by name: the logarithm of a percentile ("e2e P95") or of the turns; a rate."""


class NaturalVariation:
    """Reads one engine; keeps what slots of time that are over said."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: dict[SlotKey, Figures] = {}
        self._made: tuple[object, tuple[tuple[str, float], ...], int] | None = None

    def shares(self, until: float) -> tuple[tuple[tuple[str, float], ...], int]:
        """(name, standard deviation as a share of the value) for each figure, and how many units told it.

        Only of what was before `until`: a change that came later must not pass for what figures do by themselves.
        """
        until = min(until, self._engine.at - SETTLED_S)
        key = (int(self._engine.at // MINUTE), int(until // MINUTE))
        if self._made is None or self._made[0] != key:
            units = self._units(until)
            self._made = (key, _shares(units), len(units))
        return self._made[1], self._made[2]

    def _units(self, until: float) -> list[Figures]:
        calm = self._calm(QUARTER, until, 96)
        if len(calm) < LEAST_UNITS:
            calm = self._calm(MINUTE, until, 105)
        if len(calm) < LEAST_UNITS:
            return []
        self._kept = {key: self._kept[key] if key in self._kept else self._figures(key) for key in calm}
        return list(self._kept.values())

    def _calm(self, width: int, until: float, most: int) -> list[SlotKey]:
        """The slots of a width that are whole, over by then, and without trouble."""
        first, last = int(_first(self._engine) // width) + 1, int(until // width)
        there = range(max(first, int(self._engine.at // width) - most), last)
        return [(width, number) for number in there if not self._troubled((width, number))]

    def _troubled(self, key: SlotKey) -> bool:
        begin, minutes = key[0] * key[1] // MINUTE, key[0] // MINUTE
        return any(begin <= minute < begin + minutes for minute in self._engine.judge.troubled)

    def _figures(self, key: SlotKey) -> Figures:
        table, sums = self._engine.ledger.over_time(key, None, None)
        return {**_of_turns(table), **_of_calls(sums)}


def _first(engine: Engine) -> float:
    """Epoch seconds of the oldest slot that has anything in it."""
    keys = {*engine.ledger.windows.coarse, *engine.ledger.counts.slots}
    return float(min((width * number for width, number in keys), default=engine.at))


def _of_turns(table: Histogram) -> Figures:
    made: Figures = {}
    for metric, name in enumerate(METRICS[:-1]):
        done = np.cumsum(table[metric])
        n = int(done[-1])
        for q, least in LEAST_TURNS.items():
            if n >= least:
                low, high = intervals.quantile_bounds(done, q, n, 1.0)
                value = value_of(int(np.searchsorted(done, max(1, math.ceil(q * n - 1e-9)))))
                made[f"{name} P{round(100 * q)}"] = (math.log(value), n * (math.log(high / low) / 2) ** 2, n)
        if name == "e2e" and n:
            made[TRAFFIC] = (math.log(n), 1.0, n)
    return made


def _of_calls(sums: dict[str, int]) -> Figures:
    made: Figures = {}
    for name, hits, of in RATES:
        n = sums.get(of, 0)
        if n >= FEW_CALLS:
            share = min(1.0, sums.get(hits, 0) / n)
            made[name] = (share, share * (1 - share), n)
    return made


def _shares(units: list[Figures]) -> tuple[tuple[str, float], ...]:
    """By name; what few units tell is doubtful itself, and taken as larger, as Student's t does.

    What moves a stage moves all of its percentiles: all have the larger of those of P50 and P95.
    """
    names = {name for unit in units for name in unit}
    told = {name: _share(name, [unit[name] for unit in units if name in unit]) for name in names}
    doubtful = intervals.student_z(max(1.0, len(units) / 2), intervals.Z95) / intervals.Z95 if units else 1.0
    for metric in {name.removesuffix(" P50") for name in names if name.endswith(" P50")}:
        most = max(told[f"{metric} P50"], told.get(f"{metric} P95", 0.0))
        told |= {f"{metric} P{round(100 * q)}": most for q in QUANTILES}
    return tuple((name, told[name] * doubtful) for name in sorted(told))


def _share(name: str, told: list[tuple[float, float, int]]) -> float:
    """The variance of a single one is taken from all units: that of one with few turns is hardly known. Of a rate with
    few hits in each it can't be told, and what there may be is little beside the doubt of n.
    """
    values, single, n = np.array(told, float).T
    if name == TRAFFIC:
        return _steps(values, single / n)
    if name not in _RATES:
        return intervals.spread_between(values, float(np.median(single)) / n)
    centre = float((values * n).sum() / n.sum())
    if centre * float(n.mean()) < LEAST_HITS:
        return 0.0
    return intervals.spread_between(values, centre * (1 - centre) / n) / centre


def _steps(values: NDArray[np.float64], variances: NDArray[np.float64]) -> float:
    """Traffic drifts with the day: what counts is the step from one unit to the next (von Neumann, 1941).

    The median step, so that one jump doesn't make all else look calm: half of a normal's squares are under 0.455.
    """
    if len(values) < 3:
        return 0.0
    squares = float(np.median(np.diff(values) ** 2)) / 0.4549 / 2
    return math.sqrt(max(0.0, squares - float(variances.mean())))
