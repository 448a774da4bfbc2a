"""From counts to figures: percentiles with their n, rates with their bounds, and what is normal for them.

What is normal is read off the same windows: the last 24 hours without the last 5 minutes and without the minutes in
which a problem was on the screen. So it is known for any conjunction of segments, and a day that is fed in at once
teaches it as well as a day that passes. Nothing is normal before there were 15 minutes to learn from, nor for a figure
that was seen too seldom: panels, segments, rules and the verdict all go by that.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from voicetop.engine import thresholds
from voicetop.engine.snapshot import NAN, Figure, Latencies, Normal
from voicetop.engine.thresholds import Threshold
from voicetop.engine.windows.buckets import BUCKETS, QUANTILES, censored_quantile
from voicetop.engine.windows.histograms import METRICS, Histogram
from voicetop.engine.windows.slots import MINUTE, SPANS, SlotKey
from voicetop.formatting.numbers import known

if TYPE_CHECKING:
    from voicetop.engine.windows.ledger import Ledger

FEW = {0.50: 5, 0.95: 20, 0.99: 100}
"""The least n at which a percentile is read as one: with fewer than 1/(1−q) values a P99 is but the maximum."""
FEW_CALLS = 10
LEARNING_S = 900.0
LEARNED_TURNS = 100

Cells = NDArray[np.intp] | None

_UNKNOWN = Normal()


def rate(hits: int, n: int, normal: Normal = _UNKNOWN) -> Figure:
    """A share of n calls; NaN of nothing."""
    hits = min(hits, n)
    low, high = thresholds.wilson(hits, n)
    return Figure(hits / n if n else NAN, n, low, high, normal, few=n < FEW_CALLS)


def mean(total: float, n: int, normal: Normal = _UNKNOWN) -> Figure:
    """A mean over n; NaN of nothing."""
    return Figure(total / n if n else NAN, n, normal=normal, few=n < FEW_CALLS)


class _Outcome(NamedTuple):
    """A figure of ended calls: what is counted, or added up in a `unit`, of how many; and when it is bad."""

    total: str
    of: str
    threshold: Threshold
    unit: float = 0.0


OUTCOMES = {
    "success": _Outcome("succeeded", "known", thresholds.SUCCESS),
    "abandonment": _Outcome("abandoned", "decided", thresholds.ABANDONMENT),
    "escalation": _Outcome("escalated", "talked", thresholds.ESCALATION),
    "cost": _Outcome("cost_micro", "priced", thresholds.COST, 1e6),
    "sentiment": _Outcome("sentiment_centi", "sentiments", thresholds.SENTIMENT, 100.0),
}
"""What comes of calls, by kind of trouble: rates, cost in dollars and sentiment from 1 to 5."""


def outcome(kind: str, sums: dict[str, int], usual: Normals) -> Figure:
    """One figure of what comes of calls, judged against its normal."""
    total, of, threshold, unit = OUTCOMES[kind]
    normal = usual.mean(total, of, unit) if unit else usual.rate(total, of)
    return threshold.judge(replace(unjudged_outcome(kind, sums), normal=normal))


def unjudged_outcome(kind: str, sums: dict[str, int]) -> Figure:
    """The same figure without its normal."""
    total, of, _, unit = OUTCOMES[kind]
    amount, n = sums.get(total, 0), sums.get(of, 0)
    return mean(amount / unit, n) if unit else rate(amount, n)


def percentile(counts: Histogram, waits: Histogram | None, q: float, normal: Normal = _UNKNOWN) -> Figure:
    """A percentile of completed turns and waits; n counts both."""
    value, at_least = censored_quantile(counts, waits, q)
    n = int(counts.sum()) + (int(waits.sum()) if waits is not None else 0)
    return Figure(value, n, normal=normal, at_least=at_least, few=n < FEW[q])


def latencies(
    name: str,
    counts: Histogram,
    waits: Histogram | None,
    usual: Histogram | None,
    threshold: Threshold | None = None,
) -> Latencies:
    """P50, P95 and P99 with their normals, judged where a threshold is given."""
    made = [percentile(counts, waits, q, normal_of(usual, q)) for q in QUANTILES]
    if threshold is not None:
        slow = usual is not None and thresholds.many_slow(counts, NOTHING if waits is None else waits, usual)
        made = [replace(figure, off=figure.off and slow) for figure in map(threshold.judge, made)]
    return Latencies(name, *made)


def normal_of(usual: Histogram | None, q: float) -> Normal:
    """The normal of a percentile; unknown before there is enough to learn from."""
    if usual is None:
        return Normal()
    n = int(usual.sum())
    if n < LEARNED_TURNS:
        return Normal(n=n)
    return Normal(censored_quantile(usual, None, q)[0], n=n)


class Normals:
    """The past that counts as normal, for some cells: histograms and sums of the healthy part of the last day.

    `since` is the stamp time, epoch seconds, from which on anything is known.
    """

    def __init__(self, histograms: dict[str, Histogram], sums: dict[str, int], since: float = NAN) -> None:
        self.histograms, self.sums, self.since = histograms, sums, since

    @classmethod
    def of(cls, ledger: Ledger, cells: Cells, troubled: frozenset[int]) -> Normals:
        """Those of what the windows hold, without the last 5 minutes and the `troubled` ones; none of a young feed."""
        if too_young(ledger):
            return cls({}, {}, first_seen(ledger))
        used = len(ledger.cells)
        day = ledger.windows.histograms("24h", cells, used)
        short = ledger.windows.histograms("5m", cells, used)
        histograms = {name: counts - short.get(name, NOTHING) for name, counts in day.items()}
        made = cls(histograms, ledger.counts.sums("24h", cells), first_seen(ledger))
        made._less(ledger.counts.sums("5m", cells))
        made._forget(ledger, cells, troubled)
        return made

    def _forget(self, ledger: Ledger, cells: Cells, troubled: frozenset[int]) -> None:
        chosen = None if cells is None else frozenset(cells.tolist())
        for slot in troubled_slots(ledger, troubled):
            table = ledger.windows.over_time(slot, cells)
            for metric, name in enumerate(METRICS):
                if name in self.histograms:
                    self.histograms[name] = np.maximum(0, self.histograms[name] - table[metric])
            self._less(ledger.counts.over_time(slot, chosen))

    def _less(self, sums: dict[str, int]) -> None:
        for kind, amount in sums.items():
            self.sums[kind] = max(0, self.sums.get(kind, 0) - amount)

    @property
    def learned(self) -> bool:
        """Whether there is enough behind to call response times normal; other figures have their own least n."""
        counts = self.histograms.get("e2e")
        return counts is not None and int(counts.sum()) >= LEARNED_TURNS

    def left(self, at: float) -> float:
        """Seconds until there may be a normal; the whole time where nothing came yet."""
        return min(LEARNING_S, max(0.0, self.since + LEARNING_S - at))

    def rate(self, hits: str, n: str) -> Normal:
        """The normal of a share of ended calls."""
        of = self.sums.get(n, 0)
        return Normal(min(1.0, self.sums.get(hits, 0) / of), n=of) if of >= 3 * FEW_CALLS else Normal(n=of)

    @property
    def slow_from(self) -> int:
        """The bucket beyond which 5 % of the normal turns lie; past the last one while too few are known."""
        return thresholds.bucket_after(self.histograms["e2e"]) if self.learned else BUCKETS

    @property
    def long_wait_s(self) -> float:
        """Three normal P99 of the response time, in whole seconds; 0 while that isn't known."""
        normal = normal_of(self.histograms.get("e2e"), 0.99)
        return float(math.ceil(3 * normal.value / 1000)) if normal.known else 0.0

    def error_rate(self, kind: str, span: str | int, handling_s: float) -> Normal:
        """The normal share of the calls active in a window that have an error in it."""
        usual = self.rate(kind, "ended")
        return Normal(usual.value * share_of_call(span, handling_s), n=usual.n)

    def mean(self, total: str, n: str, unit: float) -> Normal:
        """The normal of a mean over ended calls."""
        of = self.sums.get(n, 0)
        return Normal(self.sums.get(total, 0) / of / unit, n=of) if of >= 3 * FEW_CALLS else Normal(n=of)


NOTHING = np.zeros(BUCKETS, np.int64)


def troubled_slots(ledger: Ledger, troubled: frozenset[int]) -> list[SlotKey]:
    """The slots of the longer windows, older than 5 minutes, in which a problem was on the screen."""
    found: list[SlotKey] = []
    for key in ledger.windows.coarse:
        width, number = key
        minutes = range(number * width // MINUTE, (number + 1) * width // MINUTE)
        if (number + 1) * width <= ledger.windows.edges.short and not troubled.isdisjoint(minutes):
            found.append(key)
    return sorted(found)


def share_of_call(span: str | int, handling_s: float) -> float:
    """The chance that what happens once in a call happens within the window, of calls active in it.

    Of calls that last H and err with probability e at some moment of it, a window W sees λ·(W + H) active and
    λ·W·e of them err within it: e·W/(W + H).
    """
    width = SPANS[span] if isinstance(span, str) else span
    return width / (width + handling_s) if known(handling_s) else 1.0


def handling_s(sums: dict[str, int]) -> float:
    """Mean handling time of the ended calls in `sums`, in seconds; NaN of none."""
    ended = sums.get("ended", 0)
    return sums.get("handled_ms", 0) / ended / 1000 if ended else NAN


def first_seen(ledger: Ledger) -> float:
    """Epoch seconds of the oldest slot that has anything in it."""
    starts = [width * number for width, number in ledger.windows.coarse]
    return float(min(starts)) if starts else math.inf


def too_young(ledger: Ledger) -> bool:
    """Whether the feed is younger than it takes to call anything normal."""
    return ledger.windows.edges.at - first_seen(ledger) < LEARNING_S
