"""What a baseline lets expect of each stream in each row, and the weights of the CUSUMs that follow from it.

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
"""Expected hits with which a factor for a segment value, what is left for a row, and an hour's factor are mixed."""
ROW_TRIALS = 30.0
PRIOR_TRIALS = 50.0
ROUNDS = 3


class Expectation(Struct):
    """One stream: expected rate or mean by row (without the hour), deviation of one trial (means only)."""

    by_row: Floats
    deviation: float
    n: float
    """Trials that it rests on."""


class Shape:
    """Rows by dimension: which value each row has of it, -1 for none."""

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
    usual = (hits.sum() + PRIOR_TRIALS * prior) / (total + PRIOR_TRIALS)
    found: Floats = np.full(len(trials), min(usual, 0.9))
    for _ in range(ROUNDS):
        for column, values in shape.columns:
            known = column >= 0
            came = np.bincount(column[known], hits[known], values)
            hoped = np.bincount(column[known], (trials * found)[known], values)
            factor = (came + FACTOR_HITS) / (hoped + FACTOR_HITS)
            found[known] *= factor[column[known]]
    found *= (hits + ROW_HITS) / (trials * found + ROW_HITS)
    return np.clip(found, 1e-7, 0.95)


def mean(sums: Floats, trials: Floats, shape: Shape) -> Floats:
    """The mean expected in each row, by offsets for segment values and for the row."""
    total = trials.sum()
    found: Floats = np.full(len(trials), sums.sum() / total if total else 0.0)
    for _ in range(ROUNDS):
        for column, values in shape.columns:
            known = column >= 0
            over = np.bincount(column[known], (sums - trials * found)[known], values)
            n = np.bincount(column[known], trials[known], values)
            found[known] += (over / (n + ROW_TRIALS))[column[known]]
    found += (sums - trials * found) / (trials + ROW_TRIALS)
    return found


def normal_of(stream: MonitoredRate, baseline: Baseline, shape: Shape, rows: int) -> Expectation:
    """What the baseline says of one stream."""
    if stream.model == "arrivals":
        return Expectation(np.zeros(rows), math.nan, math.inf)
    hits, trials = baseline.of(stream.num, rows), np.maximum(baseline.of(stream.den, rows), 0)
    n = float(trials.sum())
    if stream.model == "rate":
        return Expectation(rate(np.maximum(hits, 0), trials, shape, stream.prior), math.nan, n)
    by_row = mean(hits, trials, shape)
    return Expectation(by_row, _deviation(stream, baseline), n)


def _deviation(stream: MonitoredRate, baseline: Baseline) -> float:
    """Of one trial: Σ X²/n − (Σ X)²/Σ n over parts of n trials is σ² a part, the rows' differences included."""
    squares, parts, n, total = baseline.spread.get(stream.num, (0.0, 0.0, 0.0, 0.0))
    if parts < 2 or n <= 0:
        return math.nan
    return math.sqrt(max((squares - total * total / n) / (parts - 1), 1e-9))


def hour_factors(stream: MonitoredRate, baseline: Baseline) -> Floats:
    """Of each hour of the day against all of them, 1 where nothing is known; offsets for means."""
    table = baseline.hours.get(stream.name)
    if table is None:
        return np.ones(24) if stream.model == "rate" else np.zeros(24)
    if stream.model == "rate":
        factor: Floats = (table[:, 0] + HOUR_HITS) / (table[:, 1] + HOUR_HITS)
        return np.clip(factor, 0.2, 5.0)
    return np.zeros(24)


def at_time(factors: Floats, at: float) -> float:
    """Between the middles of two hours."""
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
    """Of arrivals that fall to a share ρ: x·ln ρ + e·(1 − ρ), with e in thousandths of a call as trials."""
    w = np.array([math.log(tilt) for tilt in tilts])
    c = np.array([[(tilt - 1) / 1000] * rows for tilt in tilts])
    return np.rint(w * NAT).astype(np.int64), np.rint(c * NAT).astype(np.int64)
