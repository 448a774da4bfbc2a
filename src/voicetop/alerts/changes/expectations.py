"""Expected rate or mean of each stream in each row, from a baseline, and the CUSUM weights derived from it.

For a rate with p in a row, tilted by the odds θ, the log-likelihood ratio of x hits among n is

    x·ln θ − n·ln(1 + p(θ − 1))

and for a mean μ with the deviation σ, shifted by δσ, x·δ/σ − n·(δμ/σ + δ²/2): both are x·w − n·c. Weights are whole
micro-nats, so that sums are exact and the same on every machine.
"""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct

from voicetop.alerts.changes.array_codec import Floats, Ints
from voicetop.alerts.changes.baseline import Baseline
from voicetop.alerts.changes.streams import TILTS, MonitoredRate
from voicetop.engine.windows.cells import Key

NAT = 1_000_000
FACTOR_HITS = 4.0
ROW_HITS = 6.0
HOUR_HITS = 50.0
"""Pseudo-counts, in expected hits, that shrink the factors of segment values, rows and hours towards 1."""
ROW_TRIALS = 30.0
PRIOR_TRIALS = 50.0
ROUNDS = 3


class Expectation(Struct):
    """One stream: expected rate or mean by row (without the hour), deviation of one trial (means only)."""

    by_row: Floats
    deviation: float
    n: float
    """Trials behind it."""


class Shape:
    """By dimension, the value index of each row, -1 for none."""

    def __init__(self, keys: list[Key]) -> None:
        names = sorted({name for key in keys for name, _ in key})
        self.columns: list[tuple[Ints, int]] = []
        for name in names:
            values: dict[str, int] = {}
            column = [
                values.setdefault(dict(key)[name], len(values)) if name in dict(key) else -1 for key in keys
            ]
            self.columns.append((np.array(column, np.int64), len(values)))


def rate(hits: Floats, trials: Floats, shape: Shape, prior: float) -> Floats:
    """Hits among trials expected in each row: factors by segment value, fitted in turns, then the row's own."""
    total = trials.sum()
    overall = (hits.sum() + PRIOR_TRIALS * prior) / (total + PRIOR_TRIALS)
    expected: Floats = np.full(len(trials), min(overall, 0.9))
    for _ in range(ROUNDS):
        for column, values in shape.columns:
            has_value = column >= 0
            value_hits = np.bincount(column[has_value], hits[has_value], values)
            value_expected = np.bincount(column[has_value], (trials * expected)[has_value], values)
            factor = (value_hits + FACTOR_HITS) / (value_expected + FACTOR_HITS)
            expected[has_value] *= factor[column[has_value]]
    expected *= (hits + ROW_HITS) / (trials * expected + ROW_HITS)
    return np.clip(expected, 1e-7, 0.95)


def mean(sums: Floats, trials: Floats, shape: Shape) -> Floats:
    """The mean expected in each row, by offsets for segment values and for the row."""
    total = trials.sum()
    expected: Floats = np.full(len(trials), sums.sum() / total if total else 0.0)
    for _ in range(ROUNDS):
        for column, values in shape.columns:
            has_value = column >= 0
            over = np.bincount(column[has_value], (sums - trials * expected)[has_value], values)
            n = np.bincount(column[has_value], trials[has_value], values)
            expected[has_value] += (over / (n + ROW_TRIALS))[column[has_value]]
    expected += (sums - trials * expected) / (trials + ROW_TRIALS)
    return expected


def normal_of(stream: MonitoredRate, baseline: Baseline, shape: Shape, rows: int) -> Expectation:
    """The baseline's expectation of one stream."""
    if stream.model == "arrivals":
        return Expectation(np.zeros(rows), math.nan, math.inf)
    hits, trials = baseline.of(stream.num, rows), np.maximum(baseline.of(stream.den, rows), 0)
    n = float(trials.sum())
    if stream.model == "rate":
        return Expectation(rate(np.maximum(hits, 0), trials, shape, stream.prior), math.nan, n)
    by_row = mean(hits, trials, shape)
    return Expectation(by_row, _deviation(stream, baseline), n)


def _deviation(stream: MonitoredRate, baseline: Baseline) -> float:
    """Standard deviation of one trial: Σ X²/n − (Σ X)²/Σ n over parts of n trials is σ² per part.

    It includes the differences between rows.
    """
    squares, parts, n, total = baseline.spread.get(stream.num, (0.0, 0.0, 0.0, 0.0))
    if parts < 2 or n <= 0:
        return math.nan
    return math.sqrt(max((squares - total * total / n) / (parts - 1), 1e-9))


def hour_factors(stream: MonitoredRate, baseline: Baseline) -> Floats:
    """Factor of each hour of the day, 1 if unknown; for means, zero offsets."""
    table = baseline.hours.get(stream.name)
    if table is None:
        return np.ones(24) if stream.model == "rate" else np.zeros(24)
    if stream.model == "rate":
        factor: Floats = (table[:, 0] + HOUR_HITS) / (table[:, 1] + HOUR_HITS)
        return np.clip(factor, 0.2, 5.0)
    return np.zeros(24)


def at_time(factors: Floats, at: float) -> float:
    """Interpolate between the midpoints of hours."""
    place = (at / 3600 - 0.5) % 24
    low = int(place)
    share = place - low
    return float(factors[low] * (1 - share) + factors[(low + 1) % 24] * share)


def weights(stream: MonitoredRate, normal: Expectation, factor: float) -> tuple[Ints, Ints]:
    """(w by tilt, c by tilt and row), in micro-nats."""
    w, c = np.zeros(TILTS), np.zeros((TILTS, len(normal.by_row)))
    for number, tilt in enumerate(stream.tilts):
        if stream.model == "rate":
            p = np.clip(normal.by_row * factor, 1e-7, 0.95)
            w[number], c[number] = math.log(tilt), np.log1p(p * (tilt - 1))
        else:
            w[number] = tilt / normal.deviation
            c[number] = tilt * normal.by_row / normal.deviation + tilt * tilt / 2
    return np.rint(w * NAT).astype(np.int64), np.rint(c * NAT).astype(np.int64)


def traffic_weights(tilts: tuple[float, ...], rows: int) -> tuple[Ints, Ints]:
    """Weights for arrivals that fall to a share ρ: x·ln ρ + e·(1 − ρ), with e in thousandths of a call as trials."""
    w = np.array([math.log(tilt) for tilt in tilts])
    c = np.array([[(tilt - 1) / 1000] * rows for tilt in tilts])
    return np.rint(w * NAT).astype(np.int64), np.rint(c * NAT).astype(np.int64)
