"""Thresholds: one definition per figure, shared by the verdict, panels, segments and detectors.

A figure is off its normal if the difference is both large enough to matter and significant: the Wilson bound of a rate
lies beyond the threshold; a mean or percentile needs a minimum n. docs/detection.md explains the choices.
"""

from __future__ import annotations

import math

from msgspec import Struct
from msgspec.structs import replace

from voicetop.engine.snapshot import NAN, Figure, Normal, Severity, WaitingPanel
from voicetop.engine.windows.buckets import QUANTILES
from voicetop.engine.windows.histograms import Histogram


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The Wilson score interval of a rate (E. B. Wilson, 1927), 95 % at z = 1.96; (NaN, NaN) if n is 0.

    Unlike the textbook interval it keeps its level at small n and stays within 0…1.
    """
    if n <= 0:
        return NAN, NAN
    p = hits / n
    z2 = z * z / n
    middle = p + z2 / 2
    half = z * math.sqrt(max(0.0, p * (1 - p) / n + z2 / (4 * n)))
    return max(0.0, (middle - half) / (1 + z2)), min(1.0, (middle + half) / (1 + z2))


class Threshold(Struct, frozen=True):
    """`times` normal, and at least `more` (in the figure's unit) away from it; `unlearned` while no normal is known.

    It takes `least_n` observations to cross it, for a rate `least_hits` and the interval at `z` standard errors too
    (0: not a rate).
    """

    times: float = 1.0
    more: float = 0.0
    z: float = 0.0
    least_n: int = 30
    least_hits: int = 0
    low_is_bad: bool = False
    unlearned: float = NAN

    def at(self, normal: Normal) -> float:
        """The threshold in the figure's unit; NaN without a normal and a preset."""
        if not normal.known:
            return self.unlearned
        if self.low_is_bad:
            return self.times * normal.value - self.more
        return max(self.times * normal.value, normal.value + self.more)

    def judge(self, figure: Figure) -> Figure:
        """The figure with its threshold, and whether it is off its normal."""
        return replace(figure, warn=self.at(figure.normal), off=self.crossed(figure))

    def crossed(self, figure: Figure) -> bool:
        """Whether a figure is significantly off its normal."""
        if figure.n < self.least_n or not figure.known:
            return False
        at, bound = self.at(figure.normal), figure.value
        if self.z:
            hits = round(figure.value * figure.n)
            if hits < self.least_hits:
                return False
            bound = wilson(hits, figure.n, self.z)[self.low_is_bad]
        return bound < at if self.low_is_bad else bound > at


ERRORS = Threshold(times=2.0, more=0.01, z=2.6, least_hits=5, unlearned=0.08)
LATENCY = Threshold(times=1.5)
SEGMENT_LATENCY = Threshold(times=1.3)
"""Of the percentiles of e2e, in ms; `many_slow` turns have to be there besides. A segment's are looked at more closely:
it varies less from hour to hour than a whole fleet, whose mix of segments changes.
"""
STAGE = Threshold(times=1.5, more=100.0)
"""Of a stage's percentiles, in ms: half as much again of a few milliseconds is nothing that a caller hears."""
SUCCESS = Threshold(more=0.03, z=3.0, low_is_bad=True)
ABANDONMENT = ESCALATION = Threshold(times=1.5, more=0.02, z=3.0)
COST = Threshold(times=1.5)
SENTIMENT = Threshold(more=0.4, least_n=100, low_is_bad=True)
"""On the scale of 1 to 5. Opinions spread by about a point: the mean of 100 is known to a tenth."""

DOWN_ERRORS = 0.25
"""The service is down at an error rate significantly above this."""
SLOW_SHARE = 0.07
"""Share of turns beyond the normal P95, of which 5 % would be normal, that counts as slow if significant."""

MUCH_SLOWER = 1.4
"""By how many times the share of slow turns of one segment counts as much: the same 7 % where 5 % is normal."""

STUCK_CALLS, STUCK_OF_WAITING, STUCK_OF_LIVE = 3, 0.5, 0.05
"""The service is down with this many stuck callers, at these shares of those waiting and of the live calls."""
STUCK_BY_CHANCE, SMALL_FLEET = 100, 20
"""One live call in `STUCK_BY_CHANCE` may be stuck by chance, and two at once in a fleet that isn't small."""

FEW_CALLS, HARDLY_A_CALL = 0.4, 0.15
"""Shares of the expected calls: fewer are a drop in traffic; of hardly any, nearly nobody gets through."""

TRAFFIC = Threshold(times=FEW_CALLS, least_n=0, low_is_bad=True)
"""Of calls per minute, against those expected at this hour."""

NEAR_CAPACITY = 0.9
"""Share of the tested capacity that counts as near."""
MINUTES_TO_CAPACITY = 10.0
"""Reaching the tested capacity sooner than this, at the current arrival rate, is a warning too."""


def many_slow(now: Histogram, waits: Histogram, past: Histogram) -> bool:
    """Whether significantly many turns are slow, including waits already beyond the limit."""
    slow_from = bucket_after(past)
    waiting = int(waits[slow_from:].sum())
    slow, n = int(now[slow_from:].sum()) + waiting, int(now.sum()) + waiting
    return wilson(slow, n, ERRORS.z)[0] > SLOW_SHARE


def bucket_after(past: Histogram) -> int:
    """The bucket beyond which 5 % of the normal turns lie."""
    cumulative = past.cumsum()
    return int((cumulative < QUANTILES[1] * cumulative[-1]).sum()) + 1


def capacity(live: int, limit: int) -> Severity:
    """Severity of the live calls against a tested limit (0: unknown): "degraded" near it, "down" at it."""
    if not limit or live < NEAR_CAPACITY * limit:
        return "ok"
    return "down" if live >= limit else "degraded"


def stuck(panel: WaitingPanel, live: int) -> Severity:
    """Severity of the stuck callers among `live` calls; "ok" if chance explains them."""
    if panel.stuck < (2 if live < SMALL_FLEET else max(3, 1 + live // STUCK_BY_CHANCE)):
        return "ok"
    many = panel.stuck >= max(STUCK_CALLS, STUCK_OF_LIVE * live)
    return "down" if many and panel.stuck >= STUCK_OF_WAITING * panel.waiting else "degraded"
