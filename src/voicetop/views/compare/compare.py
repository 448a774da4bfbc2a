"""Compares two windows: every figure of the panels, and the segments that changed most, each tested for significance.

A difference is significant if its 95 % interval excludes 0 and its p-value passes the Benjamini-Hochberg procedure over
all tests: of comparisons without a real change, at most one in twenty shows a significant one, half of that from the
table and half from the segments. The interval accounts for n, for the correlation of turns within a call
(`intervals.design_effect`), and for natural variation (`natural_variation.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from voicetop.engine.normals import FEW, FEW_CALLS, percentile
from voicetop.engine.snapshot.comparison import (
    NAN,
    Comparison,
    FigureChange,
    Finding,
    Key,
    SegmentChange,
    Unit,
    WindowSample,
)
from voicetop.engine.windows.buckets import MIDDLES, QUANTILES
from voicetop.engine.windows.histograms import METRICS, Histogram
from voicetop.formatting.numbers import known
from voicetop.views.compare import intervals, segment_search
from voicetop.views.compare.intervals import Interval, Share
from voicetop.views.compare.measures import earlier
from voicetop.views.compare.natural_variation import RATES, TRAFFIC
from voicetop.views.compare.sample_arrays import SampleArrays, SamplePart, Vector

LEVEL = 0.025
"""The family-wise level of the table, and that of the segment search."""
MIN_HITS = 5
"""Calls with a kind of error, in both windows together, for it to have a row."""
GOOD_IF_HIGH = frozenset({"success", "sentiment"})
NEUTRAL = frozenset({"live calls", "turns"})


SHARES = (("errors", "error", ""), *(rate for rate in RATES if rate[0] != "errors"))
"""(name, hits, of); an empty `of` is the active calls."""

Slotted = tuple[Vector, Vector]
"""Amounts by slot, and their denominators."""


def compare(a: WindowSample, b: WindowSample, where: Key = ()) -> Comparison:
    """The differences of B from A, within `where` (empty: the whole fleet)."""
    arrays = SampleArrays(a), SampleArrays(b)
    rows = list(figures(*(SamplePart(side, side.within(where)) for side in arrays)))
    threshold = intervals.cutoff([row.chance for row in rows if row.finding == "noise"], LEVEL)
    search = segment_search.search(*arrays, where, LEVEL)
    segments = [_segment(arrays, where, segment) for segment in search.segments]
    return Comparison(
        a,
        b,
        where,
        tuple(_with_finding(row, threshold) for row in rows),
        tuple(segment for segment in segments if segment.change.news),
        sum(row.finding == "noise" for row in rows),
        search.tested,
        max(0.0, min(a.end, b.end) - max(a.start, b.start)),
        min(a, b, key=_end).units,
    )


def _end(sample: WindowSample) -> float:
    return sample.end


def _with_finding(row: FigureChange, threshold: float) -> FigureChange:
    """Decides whether a row is significant; rows with too few samples stay undecided."""
    if row.finding != "noise" or row.chance > threshold or row.low <= 0 <= row.high:
        return row
    if row.name in NEUTRAL:
        return replace(row, finding="changed")
    worse = (row.b < row.a) == (row.name in GOOD_IF_HIGH)
    return replace(row, finding="worse" if worse else "better")


def _segment(
    arrays: tuple[SampleArrays, SampleArrays], where: Key, finding: segment_search.SegmentFinding
) -> SegmentChange:
    """A segment's figure, and the same figure of the rest."""
    inside = [side.within((*where, *finding.where)) for side in arrays]
    outside = [side.within(where) & ~mask for side, mask in zip(arrays, inside, strict=True)]
    change = figure(finding.name, SamplePart(arrays[0], inside[0]), SamplePart(arrays[1], inside[1]))
    rest = figure(finding.name, SamplePart(arrays[0], outside[0]), SamplePart(arrays[1], outside[1]))
    return SegmentChange(finding.where, _with_finding(change, 1.0), rest)


# -- figures ---------------------------------------------------------------------------------------------------------


def figures(a: SamplePart, b: SamplePart) -> Iterator[FigureChange]:
    """All rows of the table, in the order of the panels; the many stages come last."""
    yield from _percentiles("e2e", a, b)
    yield figure("errors", a, b)
    for kind in sorted({kind for kind in (*a.sums, *b.sums) if kind.startswith("error:")}):
        if a.sums.get(kind, 0) + b.sums.get(kind, 0) >= MIN_HITS:
            yield _rate(kind, a.share(kind, ""), b.share(kind, ""), _variation(a, b, "errors"))
    for name, _, _ in SHARES[1:]:
        yield figure(name, a, b)
    yield _mean("cost per call", "dollars", ("cost_micro", "priced", 1e6), a, b)
    yield _mean("sentiment", "of 5", ("sentiment_centi", "sentiments", 100), a, b)
    yield from _traffic(a, b)
    for name in METRICS[1:-1]:
        yield from _percentiles(name, a, b)


def _percentiles(name: str, a: SamplePart, b: SamplePart) -> Iterator[FigureChange]:
    if name in a.histograms or name in b.histograms:
        for index in range(len(QUANTILES)):
            yield _percentile(name, index, a, b)


def figure(name: str, a: SamplePart, b: SamplePart) -> FigureChange:
    """A row by which segments are searched: a percentile of e2e, or a rate."""
    for index, q in enumerate(QUANTILES):
        if name == f"e2e P{round(100 * q)}":
            return _percentile("e2e", index, a, b)
    hits, of = {rate: (hits, of) for rate, hits, of in SHARES}[name]
    return _rate(name, a.share(hits, of), b.share(hits, of), _variation(a, b, name))


def _variation(a: SamplePart, b: SamplePart, name: str) -> float:
    """A figure's natural variation as a share of its value, from the earlier sample, which precedes any change."""
    return earlier(a.side, b.side).natural_variation.get(name, 0.0)


def _tested(row: FigureChange, interval: Callable[[float], Interval], *, few: bool) -> FigureChange:
    low, high = interval(intervals.Z95)
    finding: Finding = "few" if few else "noise"
    return replace(
        row, low=low, high=high, finding=finding, chance=1.0 if few else intervals.p_value(interval)
    )


def _percentile(name: str, index: int, a: SamplePart, b: SamplePart) -> FigureChange:
    q = QUANTILES[index]
    row = FigureChange(f"{name} P{round(100 * q)}", "ms")
    in_a, in_b = (_percentile_of(name, part.histograms, q) for part in (a, b))
    row = replace(
        row, a=in_a.value, b=in_b.value, n_a=in_a.n, n_b=in_b.n, least_a=in_a.least, least_b=in_b.least
    )
    if not in_a.n or not in_b.n:
        return row
    deviation = math.hypot(row.a, row.b) * _variation(a, b, row.name)
    effective = [
        value.ranked / part.side.sample.design_effects[index] for value, part in ((in_a, a), (in_b, b))
    ]

    def interval(z: float) -> Interval:
        bounds_a = intervals.quantile_bounds(in_a.cumulative, q, effective[0], z)
        bounds_b = intervals.quantile_bounds(in_b.cumulative, q, effective[1], z)
        return intervals.difference(row.a, bounds_a, row.b, bounds_b, z * deviation)

    return _tested(row, interval, few=min(row.n_a, row.n_b) < FEW[q])


class _Percentile(NamedTuple):
    """A percentile, whether it is a lower bound, its n, and the cumulative counts by bucket for its interval.

    `n` counts all turns and waits; the interval is that of the turns and those waits that raise the percentile.
    """

    value: float
    least: bool
    n: int
    cumulative: NDArray[np.int64]

    @property
    def ranked(self) -> int:
        return int(self.cumulative[-1])


def _percentile_of(name: str, histograms: dict[str, Histogram], q: float) -> _Percentile:
    """A percentile; for e2e including waits at least as long as the value."""
    counts = histograms.get(name)
    if counts is None:
        return _Percentile(NAN, least=False, n=0, cumulative=np.zeros(1, np.int64))
    waits = histograms.get("waited") if name == "e2e" else None
    figure = percentile(counts, waits, q)
    if waits is not None:
        from_here = int(np.searchsorted(MIDDLES, figure.value))
        counts = counts.copy()
        counts[from_here:] += waits[from_here:]
    return _Percentile(figure.value, figure.at_least, figure.n, np.cumsum(counts))


def _rate(name: str, a: Share, b: Share, variation: float) -> FigureChange:
    rate_a, rate_b = (hits / n if n else NAN for hits, n in (a, b))
    row = FigureChange(name, "share", rate_a, rate_b, n_a=a[1], n_b=b[1])
    if not row.n_a or not row.n_b:
        return row
    deviation = math.hypot(rate_a, rate_b) * variation
    few = min(row.n_a, row.n_b) < FEW_CALLS
    return _tested(row, lambda z: intervals.rates(a, b, z, deviation), few=few)


def _mean(name: str, unit: Unit, of: tuple[str, str, float], a: SamplePart, b: SamplePart) -> FigureChange:
    """A mean over ended calls, from (total, n, scale); its variance is taken between time slots."""
    total, n, scale = of
    in_a, in_b = ((part.by_slot(total) / scale, part.by_slot(n)) for part in (a, b))
    row = FigureChange(name, unit, n_a=int(in_a[1].sum()), n_b=int(in_b[1].sum()))
    return _by_slots(row, in_a, in_b, few=min(row.n_a, row.n_b) < FEW_CALLS)


def _by_slots(row: FigureChange, in_a: Slotted, in_b: Slotted, *, few: bool) -> FigureChange:
    (a, var_a, df_a), (b, var_b, df_b) = intervals.ratio(*in_a), intervals.ratio(*in_b)
    row = replace(row, a=a, b=b)
    if not row.n_a or not row.n_b:
        return row
    if not df_a or not df_b:
        return replace(row, finding="few")
    error, df = intervals.welch(var_a, df_a, var_b, df_b)
    half = intervals.student_z(df, intervals.Z95) * error
    chance = intervals.student((b - a) / error, df) if error else float(a == b)
    finding: Finding = "few" if few else "noise"
    return replace(row, low=b - a - half, high=b - a + half, finding=finding, chance=1.0 if few else chance)


def _traffic(a: SamplePart, b: SamplePart) -> Iterator[FigureChange]:
    """Interruptions per 100 turns, turns a minute, and live calls.

    A call's interruptions are counted at its latest one, so a window cut from the past lacks those of calls that
    continued: it has no row for them.
    """
    turns = [part.by_slot("turns") for part in (a, b)]
    n_a, n_b = (int(counts.sum()) for counts in turns)
    if not a.side.sample.cut and not b.side.sample.cut:
        barge_ins = [100 * part.by_slot("barge_ins") for part in (a, b)]
        row = FigureChange("interruptions", "per 100", n_a=n_a, n_b=n_b)
        yield _by_slots(row, (barge_ins[0], turns[0]), (barge_ins[1], turns[1]), few=min(n_a, n_b) < 30)
    variation = _variation(a, b, TRAFFIC)
    row = FigureChange("turns", "per min", _per_minute(a), _per_minute(b), n_a=n_a, n_b=n_b)
    yield _counted(row, [2 / max(1, part.active) + variation**2 for part in (a, b)])
    row = FigureChange("live calls", "calls", float(a.live), float(b.live), n_a=a.live, n_b=b.live)
    yield _counted(row, [1 / max(1, part.live) + variation**2 for part in (a, b)])


def _per_minute(part: SamplePart) -> float:
    seconds = float(part.side.seconds.sum())
    return 60 * float(part.by_slot("turns").sum()) / seconds if seconds else NAN


def _counted(row: FigureChange, of: list[float]) -> FigureChange:
    """A traffic row, from the relative variance of each value.

    Live calls vary as a Poisson count. Turns vary with their calls: for N calls whose number of turns has a variance
    equal to its squared mean, the total has a relative variance of 2/N.
    """
    error = math.sqrt(row.a**2 * of[0] + row.b**2 * of[1] + 1)
    delta = row.difference
    return _tested(row, lambda z: (delta - z * error, delta + z * error), few=False) if known(delta) else row
