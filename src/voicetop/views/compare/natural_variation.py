"""Natural variation of each figure between quiet quarter-hours.

Providers are a little slower for twenty minutes and errors cluster: with thousands of turns, a difference of three
percent exceeds sampling error and still means nothing. The variation between quarters beyond sampling error is
measured over the whole fleet, in the 24 hours before the earlier window ends, without minutes that had a trouble; from
minutes if there are few quarters.
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
"""Turns that a slot needs for a percentile."""

Figures = dict[str, tuple[float, float, int]]
"""(value, variance of a single one, n) by name: the logarithm of a percentile ("e2e P95") or of the turns; a rate."""


class NaturalVariation:
    """Measures one engine, caching figures of past slots."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cache: dict[SlotKey, Figures] = {}
        self._result: tuple[object, tuple[tuple[str, float], ...], int] | None = None

    def shares(self, until: float) -> tuple[tuple[tuple[str, float], ...], int]:
        """(name, standard deviation as a share of the value) for each figure, and the number of units.

        Only from before `until`: a later change must not count as natural variation.
        """
        until = min(until, self._engine.at - SETTLED_S)
        key = (int(self._engine.at // MINUTE), int(until // MINUTE))
        if self._result is None or self._result[0] != key:
            units = self._units(until)
            self._result = (key, _shares(units), len(units))
        return self._result[1], self._result[2]

    def _units(self, until: float) -> list[Figures]:
        calm = self._calm(QUARTER, until, 96)
        if len(calm) < LEAST_UNITS:
            calm = self._calm(MINUTE, until, 105)
        if len(calm) < LEAST_UNITS:
            return []
        self._cache = {key: self._cache[key] if key in self._cache else self._figures(key) for key in calm}
        return list(self._cache.values())

    def _calm(self, width: int, until: float, most: int) -> list[SlotKey]:
        """The complete slots of a width that ended by `until`, without trouble."""
        first, last = int(_first(self._engine) // width) + 1, int(until // width)
        slots = range(max(first, int(self._engine.at // width) - most), last)
        return [(width, number) for number in slots if not self._troubled((width, number))]

    def _troubled(self, key: SlotKey) -> bool:
        begin, minutes = key[0] * key[1] // MINUTE, key[0] // MINUTE
        return any(begin <= minute < begin + minutes for minute in self._engine.judge.troubled)

    def _figures(self, key: SlotKey) -> Figures:
        table, sums = self._engine.ledger.over_time(key, None, None)
        return {**_of_turns(table), **_of_calls(sums)}


def _first(engine: Engine) -> float:
    """The start (epoch s) of the oldest slot."""
    keys = {*engine.ledger.windows.coarse, *engine.ledger.counts.slots}
    return float(min((width * number for width, number in keys), default=engine.at))


def _of_turns(table: Histogram) -> Figures:
    figures: Figures = {}
    for metric, name in enumerate(METRICS[:-1]):
        cumulative = np.cumsum(table[metric])
        n = int(cumulative[-1])
        for q, least in LEAST_TURNS.items():
            if n >= least:
                low, high = intervals.quantile_bounds(cumulative, q, n, 1.0)
                value = value_of(int(np.searchsorted(cumulative, max(1, math.ceil(q * n - 1e-9)))))
                variance = n * (math.log(high / low) / 2) ** 2
                figures[f"{name} P{round(100 * q)}"] = (math.log(value), variance, n)
        if name == "e2e" and n:
            figures[TRAFFIC] = (math.log(n), 1.0, n)
    return figures


def _of_calls(sums: dict[str, int]) -> Figures:
    figures: Figures = {}
    for name, hits, of in RATES:
        n = sums.get(of, 0)
        if n >= FEW_CALLS:
            share = min(1.0, sums.get(hits, 0) / n)
            figures[name] = (share, share * (1 - share), n)
    return figures


def _shares(units: list[Figures]) -> tuple[tuple[str, float], ...]:
    """Variation by name; increased for few units, as in Student's t.

    What shifts a stage shifts all its percentiles: all get the larger variation of P50 and P95.
    """
    names = {name for unit in units for name in unit}
    shares = {name: _share(name, [unit[name] for unit in units if name in unit]) for name in names}
    factor = intervals.student_z(max(1.0, len(units) / 2), intervals.Z95) / intervals.Z95 if units else 1.0
    for metric in {name.removesuffix(" P50") for name in names if name.endswith(" P50")}:
        most = max(shares[f"{metric} P50"], shares.get(f"{metric} P95", 0.0))
        shares |= {f"{metric} P{round(100 * q)}": most for q in QUANTILES}
    return tuple((name, shares[name] * factor) for name in sorted(shares))


def _share(name: str, observations: list[tuple[float, float, int]]) -> float:
    """One figure's variation. The variance of a single observation is pooled over all units, since one unit's is
    imprecise. 0 for a rate with few hits per unit: it can't be measured, and is small beside sampling error.
    """
    values, single, n = np.array(observations, float).T
    if name == TRAFFIC:
        return _steps(values, single / n)
    if name not in _RATES:
        return intervals.spread_between(values, float(np.median(single)) / n)
    centre = float((values * n).sum() / n.sum())
    if centre * float(n.mean()) < LEAST_HITS:
        return 0.0
    return intervals.spread_between(values, centre * (1 - centre) / n) / centre


def _steps(values: NDArray[np.float64], variances: NDArray[np.float64]) -> float:
    """Traffic follows the time of day, so its variation is that of steps between units (von Neumann, 1941).

    Uses the median step, so that one jump doesn't dominate: half of a normal's squares are below 0.455.
    """
    if len(values) < 3:
        return 0.0
    squares = float(np.median(np.diff(values) ** 2)) / 0.4549 / 2
    return math.sqrt(max(0.0, squares - float(variances.mean())))
