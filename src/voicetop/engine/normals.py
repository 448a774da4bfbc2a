"""From counts to figures: percentiles with their n, rates with their bounds, and what is normal for them.

What is normal is read off the same windows: the last 24 hours without the last 5 minutes and without the minutes in
which a problem was on the screen. So it is known for any conjunction of segments, and a day that is fed in at once
teaches it as well as a day that passes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.snapshot import NAN, Figure, Latencies, Normal
from voicetop.engine.windows.buckets import BUCKETS, QUANTILES, censored_quantile
from voicetop.engine.windows.histograms import METRICS, Histogram
from voicetop.engine.windows.slots import MINUTE, QUARTER, SPANS, SlotKey

if TYPE_CHECKING:
    from voicetop.engine.windows.ledger import Ledger

FEW = {0.50: 5, 0.95: 20, 0.99: 100}
"""The least n at which a percentile is read as one: with fewer than 1/(1−q) values a P99 is but the maximum."""
FEW_CALLS = 10
LEARNING_S = 900.0
LEARNED_TURNS = 100
WARN_RATIO = 1.5

Cells = NDArray[np.intp] | None


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The Wilson score interval of a rate (E. B. Wilson, 1927), 95 % at z = 1.96; (NaN, NaN) of nothing.

    Holds its level at small n and never leaves 0…1, where the textbook interval does both.
    """
    if n <= 0:
        return NAN, NAN
    p = hits / n
    z2 = z * z / n
    middle = p + z2 / 2
    half = z * math.sqrt(max(0.0, p * (1 - p) / n + z2 / (4 * n)))
    return max(0.0, (middle - half) / (1 + z2)), min(1.0, (middle + half) / (1 + z2))


def rate(hits: int, n: int, normal: Normal = Normal(), warn: float = NAN) -> Figure:  # noqa: B008 - frozen
    """A share of n calls; NaN of nothing."""
    hits = min(hits, n)
    low, high = wilson(hits, n)
    return Figure(hits / n if n else NAN, n, low, high, normal, warn, few=n < FEW_CALLS)


def mean(total: float, n: int, normal: Normal = Normal(), warn: float = NAN) -> Figure:  # noqa: B008 - frozen
    """A mean over n; NaN of nothing."""
    return Figure(total / n if n else NAN, n, normal=normal, warn=warn, few=n < FEW_CALLS)


def line_over(normal: Normal, times: float, least: float = 0.0) -> float:
    """A warning line above normal: `times` normal, but at least `least` more; NaN where no normal is known."""
    return max(times * normal.value, normal.value + least) if normal.known else NAN


def error_line(normal: Normal) -> float:
    """Errors warn at twice their normal, and at least one point of a hundred above it."""
    return line_over(normal, 2.0, 0.01)


def leaving_line(normal: Normal) -> float:
    """Abandonment and escalation warn at 1.5 times their normal, and at least two points above it."""
    return line_over(normal, WARN_RATIO, 0.02)


def latencies(
    name: str, counts: Histogram, waits: Histogram | None, usual: Histogram | None, *, warn: bool = False
) -> Latencies:
    """P50, P95 and P99 with their normals; `warn` draws the line at 1.5 times normal."""
    n = int(counts.sum()) + (int(waits.sum()) if waits is not None else 0)
    made: list[Figure] = []
    for q in QUANTILES:
        value, at_least = censored_quantile(counts, waits, q)
        normal = normal_of(usual, q)
        line = WARN_RATIO * normal.value if warn and normal.known else NAN
        made.append(Figure(value, n, normal=normal, warn=line, at_least=at_least, few=n < FEW[q]))
    return Latencies(name, *made)


def normal_of(usual: Histogram | None, q: float) -> Normal:
    """The normal of a percentile; unknown before there is enough to learn from."""
    if usual is None:
        return Normal()
    n = int(usual.sum())
    if n < LEARNED_TURNS:
        return Normal(n=n)
    return Normal(censored_quantile(usual, None, q)[0], n=n)


class Usual:
    """The past that counts as normal, for some cells: histograms and sums of the healthy part of the last day."""

    def __init__(self, ledger: Ledger, cells: Cells, troubled: frozenset[int]) -> None:
        self.since = first_seen(ledger)
        used = len(ledger.cells)
        day = ledger.windows.histograms("24h", cells, used)
        short = ledger.windows.histograms("5m", cells, used)
        self.histograms = {name: counts - short.get(name, NOTHING) for name, counts in day.items()}
        self.sums = ledger.counts.sums("24h", cells)
        self._less(ledger.counts.sums("5m", cells))
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

    def learned(self, at: float) -> bool:
        """Whether there is enough behind to call anything normal."""
        counts = self.histograms.get("e2e")
        enough = counts is not None and int(counts.sum()) >= LEARNED_TURNS
        return enough and at - self.since >= LEARNING_S

    def left(self, at: float) -> float:
        """Seconds until there may be a normal; the whole time where nothing came yet."""
        return min(LEARNING_S, max(0.0, self.since + LEARNING_S - at))

    def rate(self, hits: str, n: str) -> Normal:
        """The normal of a share of ended calls."""
        of = self.sums.get(n, 0)
        return Normal(min(1.0, self.sums.get(hits, 0) / of), n=of) if of >= 3 * FEW_CALLS else Normal(n=of)

    def error_rate(self, kind: str, span: str, handling_s: float) -> Normal:
        """The normal share of the calls active in a window that have an error in it.

        Of calls that last H and err with probability e at some moment of it, a window W sees λ·(W + H) active and
        λ·W·e of them err within it: e·W/(W + H).
        """
        usual = self.rate(kind, "ended")
        width = SPANS[span]
        share = width / (width + handling_s) if handling_s == handling_s else 1.0
        return Normal(usual.value * share, n=usual.n)

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
        if (number + 1) * width <= ledger.windows.edges.short and any(m in troubled for m in minutes):
            found.append(key)
    return sorted(found)


def first_seen(ledger: Ledger) -> float:
    """Epoch seconds of the oldest slot that has anything in it."""
    starts = [width * number for width, number in ledger.windows.coarse]
    return float(min(starts)) if starts else math.inf


def stuck_after(usual: Histogram | None, least_s: float) -> float:
    """From how many seconds of waiting on a caller is stuck: never below `least_s`, nor below three normal P99."""
    normal = normal_of(usual, 0.99)
    return max(least_s, math.ceil(3 * normal.value / 1000)) if normal.known else least_s


def quarters_back(at: float, count: int) -> list[SlotKey]:
    """The last `count` quarters of an hour, the oldest first."""
    last = int(at // QUARTER)
    return [(QUARTER, number) for number in range(last - count + 1, last + 1)]
