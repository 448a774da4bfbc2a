"""Runaway calls: single calls far above any normal cost, such as a loop of tool calls.

The threshold extrapolates the tail of the hourly maxima in healthy hours to one exceedance in `DAYS`; it is never below
five times the typical call.
"""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct

from voicetop.alerts.changes.baseline import Baseline
from voicetop.alerts.signals import Signal

HOURS, DAYS = 24, 200.0
TIMES = 5.0
LASTS_S = 300.0
TAIL = 0.1


class Runaway(Struct, kw_only=True):
    """The last runaway call: when it ended, its cost (micro-dollars), and the threshold then."""

    at: float = 0.0
    micro: int = 0
    line: float = math.inf


def threshold_of(baseline: Baseline) -> float:
    """Micro-dollars above which a call is a runaway; infinite with too little data."""
    calls = sum(float(amounts.sum()) for kind, amounts in baseline.sums.items() if kind == "cost")
    if len(baseline.dearest) < HOURS or calls <= 0:
        return math.inf
    typical = math.exp(float(baseline.sums["x:cost"].sum()) / calls / 100)
    highest = np.log(np.array(baseline.dearest, float))
    start = float(np.quantile(highest, 1 - TAIL))
    above = highest[highest > start] - start
    slope = max(0.05, float(above.mean()) if len(above) else 0.0)
    return max(TIMES * typical, math.exp(start + slope * math.log(TAIL * 24 * DAYS)))


def signals(last: Runaway, dearest: tuple[int, int], baseline: Baseline, at: float) -> list[Signal]:
    """`dearest` is (cell, micro-dollars) of the most expensive call since the last mark."""
    if dearest[1] > 0:
        threshold = threshold_of(baseline)
        if dearest[1] > threshold:
            last.at, last.micro, last.line = at, dearest[1], threshold
    if not last.at or at - last.at > LASTS_S:
        return []
    cost, threshold = last.micro / 1e6, last.line / 1e6
    return [
        Signal(
            rule="cost.runaway", family="cost", tier="warning", text=f"one call cost ${cost:.2f}", onset=last.at,
            value=cost, line=threshold, unit="usd", n=1, calls=1, metric="cost of one call",
            because=f"above ${threshold:.2f}, which a call of this fleet exceeds once in {DAYS:.0f} days",
        )
    ]  # fmt: skip
