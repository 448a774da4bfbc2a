"""24 hours in quarter-hours: lines, heat map, intent mix and funnel.

A quarter with too few samples for a figure is a gap in its line, not a spike.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from voicetop.engine import normals
from voicetop.engine.snapshot import Figure, HeatMap, MixRow, Series, StepShare, TrendsPanel
from voicetop.engine.windows.buckets import QUANTILES
from voicetop.engine.windows.slots import QUARTER
from voicetop.views.charts import error_rates
from voicetop.views.over_time import Bucket, OverTime, series

if TYPE_CHECKING:
    from voicetop.engine.calls import Call
    from voicetop.engine.engine import Engine
    from voicetop.views.scope import Scope

QUARTERS = 96
BAND = 16
"""Buckets of one row of the heat map: a quarter of an octave, 19 %."""
STEP = "step:"
ORDER_SAMPLE = 400
"""The order of steps is taken from this many of the latest calls, since a flow may change."""
MIN_NEW_CALLS = 5
"""Calls of an unseen intent before it is marked as new."""


def in_order(funnel: tuple[StepShare, ...], calls: Iterable[Call]) -> tuple[StepShare, ...]:
    """The steps in their average order within calls: the first one seen may be late in a call already under way.

    Two calls with [greeting, verify, close] and one with [close] give greeting 0, verify 1, close 1.3.
    """
    positions: dict[str, list[int]] = {}
    for call in islice(calls, ORDER_SAMPLE):
        for position, kind in enumerate(kind for kind in call.marks if kind.startswith(STEP)):
            positions.setdefault(kind.removeprefix(STEP), []).append(position)
    average = {step: sum(seen_at) / len(seen_at) for step, seen_at in positions.items()}
    return tuple(sorted(funnel, key=lambda share: average.get(share.step, inf)))


def panel(
    over_time: OverTime, scope: Scope, mix: tuple[MixRow, ...], funnel: tuple[StepShare, ...]
) -> TrendsPanel:
    """The panel for the cells of a scope."""
    quarters = over_time.buckets(scope, QUARTER, QUARTERS)
    return TrendsPanel(_lines(quarters, scope.live_now), _heat(quarters), mix, funnel)


def _lines(quarters: list[Bucket], live: int) -> tuple[tuple[str, str, Series], ...]:
    def of(figures: list[Figure]) -> Series:
        return series(quarters, figures, lambda figure: not figure.few)

    def outcome(kind: str) -> Series:
        return of([normals.unjudged_outcome(kind, quarter.sums) for quarter in quarters])

    started = [Figure(float(quarter.sums.get("started", 0))) for quarter in quarters]
    return (
        *(
            (f"P{round(100 * q)}", "ms", of([quarter.percentile(q) for quarter in quarters]))
            for q in QUANTILES
        ),
        ("calls", "calls", of(started)),
        ("errors", "%", of(error_rates(quarters, live))),
        *((kind, "%", outcome(kind)) for kind in ("success", "abandonment", "escalation")),
        ("cost per call", "$", outcome("cost")),
        ("sentiment", "of 5", outcome("sentiment")),
    )


def _heat(quarters: list[Bucket]) -> HeatMap | None:
    """Turns and waits by their response time so far."""
    columns = [quarter.e2e + quarter.waits for quarter in quarters]
    total = np.sum(columns, axis=0)
    used = np.flatnonzero(total)
    if not len(used):
        return None
    low, high = int(used[0]) // BAND, int(used[-1]) // BAND + 1
    table = np.array(columns).reshape(len(columns), -1, BAND).sum(axis=2)[:, low:high]
    edges = [float(2 ** (band * BAND / 64)) for band in range(low, high + 1)]
    counts = tuple(tuple(column) for column in table.tolist())
    return HeatMap(quarters[0].start, float(QUARTER), tuple(edges), counts, quarters[-1].end)


def intent_mix(engine: Engine, dimension: str = "intent") -> tuple[MixRow, ...]:
    """The calls that began in the last 30 minutes by intent, against the day before them; most calls first."""
    ledger = engine.ledger
    used = len(ledger.cells)
    recent, day = (ledger.counts.by_cell(span, "started")[:used] for span in ("30m", "24h"))
    now: dict[str, int] = {}
    before: dict[str, int] = {}
    for cell in range(used):
        value = dict(ledger.cells.keys[cell] or ()).get(dimension)
        if value is not None:
            now[value] = now.get(value, 0) + int(recent[cell])
            before[value] = before.get(value, 0) + int(day[cell] - recent[cell])
    of, of_before = max(1, sum(now.values())), max(1, sum(before.values()))
    rows = [
        MixRow(
            value,
            n,
            n / of,
            before[value] / of_before,
            n >= MIN_NEW_CALLS and not before[value] and of_before > 100,
        )
        for value, n in now.items()
        if n or before[value]
    ]
    return tuple(sorted(rows, key=lambda row: (-row.calls, row.value)))
