"""24 hours in quarter-hours: lines, heat map, intent mix and funnel.

A quarter with too few samples for a figure is a gap in its line, not a spike. Quarters that ended half an hour ago
hardly change any more, and are cached.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from math import inf
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.normals import FEW, FEW_CALLS
from voicetop.engine.snapshot import NAN, HeatMap, MixRow, Series, StepShare, TrendsPanel
from voicetop.engine.windows.buckets import censored_quantile
from voicetop.engine.windows.histograms import METRIC, Histogram
from voicetop.engine.windows.slots import QUARTER

if TYPE_CHECKING:
    from voicetop.engine.calls import Call
    from voicetop.engine.engine import Engine

QUARTERS = 96
LATE_S = 1800
"""How late outcomes and costs may arrive and still count in their quarter."""
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


class Trends:
    """Makes the panel for one engine. Caches past quarters by cells."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cache: dict[tuple[frozenset[int] | None, int], tuple[float, Histogram, dict[str, int]]] = {}

    def panel(
        self, cells: NDArray[np.intp] | None, mix: tuple[MixRow, ...], funnel: tuple[StepShare, ...]
    ) -> TrendsPanel:
        """The panel for some cells (None: all)."""
        quarters = self.quarters(cells)
        start = quarters[0][0]
        counts = [(e2e, sums) for _, e2e, sums in quarters]
        return TrendsPanel(_lines(counts, start), _heat([e2e for e2e, _ in counts], start), mix, funnel)

    def quarters(self, cells: NDArray[np.intp] | None) -> list[tuple[float, Histogram, dict[str, int]]]:
        """(start, e2e counts, sums) of each quarter of the last 24 hours, the oldest first."""
        chosen = None if cells is None else frozenset(cells.tolist())
        last = int(self._engine.at // QUARTER)
        return [
            (float(n * QUARTER), *self._quarter(n, cells, chosen))
            for n in range(last - QUARTERS + 1, last + 1)
        ]

    def _quarter(
        self, number: int, cells: NDArray[np.intp] | None, chosen: frozenset[int] | None
    ) -> tuple[Histogram, dict[str, int]]:
        at = self._engine.at
        cached = self._cache.get((chosen, number))
        if cached is not None and (at < cached[0] + 60 or (number + 1) * QUARTER < cached[0] - LATE_S):
            return cached[1], cached[2]
        table, sums = self._engine.ledger.over_time((QUARTER, number), cells, chosen)
        e2e = table[METRIC["e2e"]]
        if len(self._cache) > 20 * QUARTERS:
            self._cache.clear()
        self._cache[chosen, number] = (at, e2e, sums)
        return e2e, sums


def _lines(
    quarters: list[tuple[Histogram, dict[str, int]]], start: float
) -> tuple[tuple[str, str, Series], ...]:
    def series(values: list[float]) -> Series:
        return Series(start, float(QUARTER), tuple(values))

    sums = [part for _, part in quarters]
    made = [
        (f"P{round(100 * q)}", "ms", series([_quantile(e2e, q) for e2e, _ in quarters]))
        for q in (0.5, 0.95, 0.99)
    ]
    made.append(("calls", "calls", series([float(part.get("started", 0)) for part in sums])))
    for name, hits, of in (
        ("errors", "error", "ended"),
        ("success", "succeeded", "known"),
        ("abandonment", "abandoned", "decided"),
        ("escalation", "escalated", "talked"),
    ):
        made.append((name, "%", series([_share(part, hits, of) for part in sums])))
    made.append(("cost per call", "$", series([_ratio(part, "cost_micro", "priced") / 1e6 for part in sums])))
    made.append(
        ("sentiment", "of 5", series([_ratio(part, "sentiment_centi", "sentiments") / 100 for part in sums]))
    )
    return tuple(made)


def _share(sums: dict[str, int], hits: str, of: str) -> float:
    return min(_ratio(sums, hits, of), 1.0)  # in this order what is not known stays so


def _ratio(sums: dict[str, int], total: str, of: str) -> float:
    n = sums.get(of, 0)
    return sums.get(total, 0) / n if n >= FEW_CALLS else NAN


def _quantile(e2e: Histogram, q: float) -> float:
    return censored_quantile(e2e, None, q)[0] if int(e2e.sum()) >= FEW[q] else NAN


def _heat(columns: list[Histogram], start: float) -> HeatMap | None:
    total = np.sum(columns, axis=0)
    used = np.flatnonzero(total)
    if not len(used):
        return None
    low, high = int(used[0]) // BAND, int(used[-1]) // BAND + 1
    table = np.array(columns).reshape(len(columns), -1, BAND).sum(axis=2)[:, low:high]
    edges = [float(2 ** (band * BAND / 64)) for band in range(low, high + 1)]
    return HeatMap(start, float(QUARTER), tuple(edges), tuple(tuple(column) for column in table.tolist()))


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
