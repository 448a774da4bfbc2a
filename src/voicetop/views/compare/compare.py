"""Two moments compared: every figure of the panels, and the segments that changed most, noise told from news.

A difference is news where its 95 % interval leaves out 0 and its chance passes Benjamini and Hochberg's procedure over
all that was looked at: of comparisons between which nothing changed, at most one in twenty shows any news at all, half
of that allowed to the table and half to the segments. The interval takes in three doubts: that of n, that turns of
one call are alike (`doubt.alike`), and that figures wobble by themselves (`wobble.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from voicetop.engine.normals import FEW, FEW_CALLS
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
from voicetop.engine.windows.buckets import MIDDLES, QUANTILES, censored_quantile
from voicetop.engine.windows.histograms import METRICS, Histogram
from voicetop.formatting.numbers import known
from voicetop.views.compare import intervals, segment_search
from voicetop.views.compare.intervals import Interval, Share
from voicetop.views.compare.measures import earlier
from voicetop.views.compare.natural_variation import RATES, TRAFFIC
from voicetop.views.compare.sample_arrays import SampleArrays, SamplePart, Vector

LEVEL = 0.025
"""Of all tables without a change, so many may show news; and of all searches through segments."""
LEAST_HITS = 5
"""Calls with a kind of error, in both windows together, from which on it has a row."""
GOOD_IF_HIGH = frozenset({"success", "sentiment"})
NEITHER = frozenset({"live calls", "turns"})


SHARES = (("errors", "error", ""), *(rate for rate in RATES if rate[0] != "errors"))
"""(name, hits, of); of nothing named, the active calls."""

Slotted = tuple[Vector, Vector]
"""Amounts by slot, and what they are divided by."""


def compare(a: WindowSample, b: WindowSample, where: Key = ()) -> Comparison:
    """What differs in B from A, within `where` (empty: everybody)."""
    sides = SampleArrays(a), SampleArrays(b)
    rows = list(figures(*(SamplePart(side, side.within(where)) for side in sides)))
    line = intervals.cutoff([row.chance for row in rows if row.finding == "noise"], LEVEL)
    found = segment_search.search(*sides, where, LEVEL)
    segments = [_segment(sides, where, one) for one in found.segments]
    return Comparison(
        a,
        b,
        where,
        tuple(_judged(row, line) for row in rows),
        tuple(one for one in segments if one.change.news),
        sum(row.finding == "noise" for row in rows),
        found.tested,
        max(0.0, min(a.end, b.end) - max(a.start, b.start)),
        min(a, b, key=_end).units,
    )


def _end(moment: WindowSample) -> float:
    return moment.end


def _judged(row: FigureChange, line: float) -> FigureChange:
    """News, or noise; of what there is too little of, neither can be said."""
    if row.finding != "noise" or row.chance > line or row.low <= 0 <= row.high:
        return row
    if row.name in NEITHER:
        return replace(row, finding="changed")
    worse = (row.b < row.a) == (row.name in GOOD_IF_HIGH)
    return replace(row, finding="worse" if worse else "better")


def _segment(
    sides: tuple[SampleArrays, SampleArrays], where: Key, found: segment_search.SegmentFinding
) -> SegmentChange:
    """A segment's own figure, and the same of everybody else."""
    inside = [side.within((*where, *found.where)) for side in sides]
    outside = [side.within(where) & ~mask for side, mask in zip(sides, inside, strict=True)]
    change = figure(found.name, SamplePart(sides[0], inside[0]), SamplePart(sides[1], inside[1]))
    rest = figure(found.name, SamplePart(sides[0], outside[0]), SamplePart(sides[1], outside[1]))
    return SegmentChange(found.where, _judged(change, 1.0), rest)


# -- figures ---------------------------------------------------------------------------------------------------------


def figures(a: SamplePart, b: SamplePart) -> Iterator[FigureChange]:
    """Every row of the table, in the order of the panels; the stages, which are many, come last."""
    yield from _percentiles("e2e", a, b)
    yield figure("errors", a, b)
    for kind in sorted({kind for kind in (*a.sums, *b.sums) if kind.startswith("error:")}):
        if a.sums.get(kind, 0) + b.sums.get(kind, 0) >= LEAST_HITS:
            yield _rate(kind, a.share(kind, ""), b.share(kind, ""), _wobble(a, b, "errors"))
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
    """One of the rows that segments are searched by: a percentile of e2e, or a rate."""
    for index, q in enumerate(QUANTILES):
        if name == f"e2e P{round(100 * q)}":
            return _percentile("e2e", index, a, b)
    hits, of = {rate: (hits, of) for rate, hits, of in SHARES}[name]
    return _rate(name, a.share(hits, of), b.share(hits, of), _wobble(a, b, name))


def _wobble(a: SamplePart, b: SamplePart, name: str) -> float:
    """By what share of its value a figure wobbles, as known at the earlier moment: a change isn't in it yet."""
    return earlier(a.side, b.side).wobble.get(name, 0.0)


def _tested(row: FigureChange, interval: Callable[[float], Interval], *, few: bool) -> FigureChange:
    low, high = interval(intervals.Z95)
    finding: Finding = "few" if few else "noise"
    return replace(
        row, low=low, high=high, finding=finding, chance=1.0 if few else intervals.chance(interval)
    )


def _percentile(name: str, index: int, a: SamplePart, b: SamplePart) -> FigureChange:
    q = QUANTILES[index]
    row = FigureChange(f"{name} P{round(100 * q)}", "ms")
    in_a, in_b = (_completed(name, part.histograms, q) for part in (a, b))
    row = replace(
        row, a=in_a.value, b=in_b.value, n_a=in_a.n, n_b=in_b.n, least_a=in_a.least, least_b=in_b.least
    )
    if not in_a.n or not in_b.n:
        return row
    wobble = math.hypot(row.a, row.b) * _wobble(a, b, row.name)
    effective = [told.n / part.side.moment.alike[index] for told, part in ((in_a, a), (in_b, b))]

    def interval(z: float) -> Interval:
        of_a = intervals.quantile_bounds(in_a.done, q, effective[0], z)
        of_b = intervals.quantile_bounds(in_b.done, q, effective[1], z)
        return intervals.together(row.a, of_a, row.b, of_b, z * wobble)

    return _tested(row, interval, few=min(row.n_a, row.n_b) < FEW[q])


class _Told(NamedTuple):
    """A percentile, whether it is a lower bound, and the running sums by bucket that it stands on."""

    value: float
    least: bool
    done: NDArray[np.int64]

    @property
    def n(self) -> int:
        return int(self.done[-1])


def _completed(name: str, told: dict[str, Histogram], q: float) -> _Told:
    """Of e2e with the waits that are as long as the value."""
    counts = told.get(name)
    if counts is None:
        return _Told(NAN, least=False, done=np.zeros(1, np.int64))
    waits = told.get("waited") if name == "e2e" else None
    value, least = censored_quantile(counts, waits, q)
    if waits is not None:
        from_here = int(np.searchsorted(MIDDLES, value))
        counts = counts.copy()
        counts[from_here:] += waits[from_here:]
    return _Told(value, least, np.cumsum(counts))


def _rate(name: str, a: Share, b: Share, wobble: float) -> FigureChange:
    of_a, of_b = (hits / n if n else NAN for hits, n in (a, b))
    row = FigureChange(name, "share", of_a, of_b, n_a=a[1], n_b=b[1])
    if not row.n_a or not row.n_b:
        return row
    by_itself = math.hypot(of_a, of_b) * wobble
    few = min(row.n_a, row.n_b) < FEW_CALLS
    return _tested(row, lambda z: intervals.rates(a, b, z, by_itself), few=few)


def _mean(name: str, unit: Unit, of: tuple[str, str, float], a: SamplePart, b: SamplePart) -> FigureChange:
    """A mean over ended calls: (total, n, scale); its spread is taken from the slots of time."""
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

    A call's interruptions are told with its latest one, so that a window that is cut out of the past lacks those of
    calls that went on: there they have no row.
    """
    turns = [part.by_slot("turns") for part in (a, b)]
    n_a, n_b = (int(told.sum()) for told in turns)
    if not a.side.moment.cut and not b.side.moment.cut:
        heard = [100 * part.by_slot("barge_ins") for part in (a, b)]
        row = FigureChange("interruptions", "per 100", n_a=n_a, n_b=n_b)
        yield _by_slots(row, (heard[0], turns[0]), (heard[1], turns[1]), few=min(n_a, n_b) < 30)
    drift = _wobble(a, b, TRAFFIC)
    row = FigureChange("turns", "per min", _per_minute(a), _per_minute(b), n_a=n_a, n_b=n_b)
    yield _counted(row, [2 / max(1, part.active) + drift**2 for part in (a, b)])
    row = FigureChange("live calls", "calls", float(a.live), float(b.live), n_a=a.live, n_b=b.live)
    yield _counted(row, [1 / max(1, part.live) + drift**2 for part in (a, b)])


def _per_minute(part: SamplePart) -> float:
    seconds = float(part.side.seconds.sum())
    return 60 * float(part.by_slot("turns").sum()) / seconds if seconds else NAN


def _counted(row: FigureChange, of: list[float]) -> FigureChange:
    """Traffic, each with its variance as a share of its square.

    Live calls vary as a Poisson law lets them. Turns vary with the calls that take them: of N calls whose numbers of
    turns vary as much as their mean, the total has a variance of 2/N of its square.
    """
    error = math.sqrt(row.a**2 * of[0] + row.b**2 * of[1] + 1)
    more = row.difference
    return _tested(row, lambda z: (more - z * error, more + z * error), few=False) if known(more) else row
