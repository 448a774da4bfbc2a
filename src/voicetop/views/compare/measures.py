"""The measures by which segments are searched: shares by combination of values in A and B, and their tests.

Turns slower than the fleet's P50 or P95 of both windows together, calls with an error, successes, ...: as shares,
thousands of segments are tested with one matrix product.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.windows.buckets import BUCKETS, MIDDLES, QUANTILES
from voicetop.views.compare import intervals
from voicetop.views.compare.sample_arrays import Mask, SampleArrays, Vector

LEAST_CALLS, LEAST_TURNS, LEAST_HITS = 20, 50, 5
"""What a segment must have in both windows; hits and misses count in both together."""
LIKELY = 0.02

Matrix = NDArray[np.float64]


class Measure(NamedTuple):
    """A share, by combination, in A and in B: (hits, n) each, with design effect and natural variation."""

    name: str
    a: tuple[Vector, Vector]
    b: tuple[Vector, Vector]
    least: int
    alike: tuple[float, float]
    variation: float


def earlier(a: SampleArrays, b: SampleArrays) -> SampleArrays:
    """The sample whose window ends first."""
    return a if a.sample.end <= b.sample.end else b


def measures(
    a: SampleArrays, b: SampleArrays, of_a: NDArray[np.int64], of_b: NDArray[np.int64], inside: Mask
) -> list[Measure]:
    size = len(inside)

    def put(side: SampleArrays, values: Vector) -> Vector:
        """Values by cell of a side as values by combination, only those inside."""
        whole = np.bincount(of_a if side is a else of_b, np.maximum(values, 0), size)
        return np.where(inside, whole, 0.0)

    made: list[Measure] = []
    together = [side.histograms(inside[of]).get("e2e") for side, of in ((a, of_a), (b, of_b))]
    pooled = sum((counts for counts in together if counts is not None), np.zeros(BUCKETS, np.int64))
    turns = [put(side, side.turns_by_cell(0)) for side in (a, b)]
    if pooled.any():
        cumulative = np.cumsum(pooled)
        for index in (1, 0):
            bucket = int(np.searchsorted(cumulative, QUANTILES[index] * cumulative[-1])) + 1
            name = f"e2e P{round(100 * QUANTILES[index])}"
            slow = [put(side, side.turns_by_cell(bucket)) for side in (a, b)]
            share = _share_of(pooled, bucket, earlier(a, b).natural_variation.get(name, 0.0))
            alike = a.sample.design_effects[index], b.sample.design_effects[index]
            made.append(Measure(name, (slow[0], turns[0]), (slow[1], turns[1]), LEAST_TURNS, alike, share))
    for name, hit, of in (
        ("errors", "error", ""),
        ("success", "succeeded", "known"),
        ("abandonment", "abandoned", "decided"),
        ("escalation", "escalated", "talked"),
    ):
        parts = []
        for side in (a, b):
            n = side.by_cell(of) if of else side.by_cell("ended") + side.live
            hits = put(side, side.by_cell(hit))
            parts.append((np.minimum(hits, put(side, n)), put(side, n)))
        variation = earlier(a, b).natural_variation.get(name, 0.0)
        made.append(Measure(name, parts[0], parts[1], LEAST_CALLS, (1.0, 1.0), variation))
    return made


def _share_of(pooled: NDArray[np.int64], bucket: int, variation: float) -> float:
    """The relative variation of the share above a bucket if all latencies vary by `variation`."""
    beyond = float(pooled[bucket:].sum())
    if not beyond or not variation:
        return 0.0
    moved = int(np.searchsorted(MIDDLES, MIDDLES[min(bucket, BUCKETS - 1)] * math.exp(-variation)))
    return float(pooled[moved:].sum()) / beyond - 1


def tests(members: NDArray[np.bool_], measures: list[Measure], left: Mask) -> tuple[Matrix, Matrix]:
    """(p-value, evidence) [segment, measure] over the combinations in `left`; a p-value is NaN with too few samples.

    Evidence is the squared z, which still ranks differences whose p-value is 0.
    """
    columns = [np.where(left, part, 0.0) for m in measures for part in (*m.a, *m.b)]
    sums = members.astype(np.float64) @ np.stack(columns, axis=1)
    p_values = np.full((len(members), len(measures)), np.nan)
    evidence = np.zeros_like(p_values)
    for column, measure in enumerate(measures):
        hits_a, n_a, hits_b, n_b = sums[:, 4 * column : 4 * column + 4].T
        hits_a, n_a, hits_b, n_b = (
            part / deff
            for part, deff in zip((hits_a, n_a, hits_b, n_b), np.repeat(measure.alike, 2), strict=True)
        )
        hits, n = hits_a + hits_b, n_a + n_b
        enough = (np.minimum(n_a, n_b) >= measure.least) & (np.minimum(hits, n - hits) >= LEAST_HITS)
        for row in np.flatnonzero(enough).tolist():
            counts = (float(hits_a[row]), float(n_a[row]), float(hits_b[row]), float(n_b[row]))
            z = _z(*counts, measure.variation)
            p_values[row, column], evidence[row, column] = intervals.tail(z), z * z
    return p_values, evidence


def _z(hits_a: float, n_a: float, hits_b: float, n_b: float, variation: float) -> float:
    """The difference of two shares in standard errors, including natural variation."""
    a, b, share = hits_a / n_a, hits_b / n_b, (hits_a + hits_b) / (n_a + n_b)
    g = 2 * sum(
        _g_term(observed, n * of)
        for observed, n, of in (
            (hits_a, n_a, share),
            (n_a - hits_a, n_a, 1 - share),
            (hits_b, n_b, share),
            (n_b - hits_b, n_b, 1 - share),
        )
    )
    z = math.sqrt(max(0.0, g))
    if intervals.tail(z) < LIKELY and z < 8:
        z = min(
            z,
            intervals.z_of(intervals.fisher(int(hits_a), int(n_a), math.floor(hits_b), math.floor(n_b))),
        )
    if not variation or a == b or not z:
        return z
    return abs(b - a) / math.hypot((b - a) / z, math.hypot(a, b) * variation)


def _g_term(observed: float, expected: float) -> float:
    return observed * math.log(observed / expected) if observed > 0 else 0.0
