"""Single calls that cost what no call costs: a loop of tool calls, a conversation that nobody ends.

The line follows from the most expensive call of each healthy hour: their median and how they spread beyond it, once in
so many days; never below five times the typical call.
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
    """The last one: when it ended, what it cost (micro-dollars), and the line then."""

    at: float = 0.0
    micro: int = 0
    line: float = math.inf


def line_of(baseline: Baseline) -> float:
    """Micro-dollars from which on a call is a runaway; infinite while too little is known."""
    calls = sum(float(amounts.sum()) for kind, amounts in baseline.sums.items() if kind == "cost")
    if len(baseline.dearest) < HOURS or calls <= 0:
        return math.inf
    typical = math.exp(float(baseline.sums["x:cost"].sum()) / calls / 100)
    highest = np.log(np.array(baseline.dearest, float))
    start = float(np.quantile(highest, 1 - TAIL))
    above = highest[highest > start] - start
    slope = max(0.05, float(above.mean()) if len(above) else 0.0)
    return max(TIMES * typical, math.exp(start + slope * math.log(TAIL * 24 * DAYS)))


def signals(held: Runaway, dearest: tuple[int, int], baseline: Baseline, at: float) -> list[Signal]:
    """`dearest` is (cell, micro-dollars) of the most expensive call since the last mark."""
    if dearest[1] > 0:
        line = line_of(baseline)
        if dearest[1] > line:
            held.at, held.micro, held.line = at, dearest[1], line
    if not held.at or at - held.at > LASTS_S:
        return []
    cost, line = held.micro / 1e6, held.line / 1e6
    return [
        Signal(
            rule="cost.runaway", family="cost", tier="warning", text=f"one call cost ${cost:.2f}", onset=held.at,
            value=cost, line=line, unit="usd", n=1, calls=1, metric="cost of one call",
            because=f"above ${line:.2f}, which a call of this fleet exceeds once in {DAYS:.0f} days",
        )
    ]  # fmt: skip
