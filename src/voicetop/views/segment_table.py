"""Every value of one dimension compared with its own normal and with the rest, worst first."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from voicetop.engine import normals, thresholds
from voicetop.engine.attribution import segments
from voicetop.engine.attribution.rows import Counted, counted
from voicetop.engine.calls import Call
from voicetop.engine.engine import Engine
from voicetop.engine.normals import Normals, handling_s, too_young, troubled_slots
from voicetop.engine.snapshot import NAN, Normal, SegmentRow, SegmentsPanel, Trouble, View, WorseFigure
from voicetop.engine.waiting import Waits
from voicetop.engine.windows.buckets import BUCKETS, censored_quantile
from voicetop.engine.windows.cells import OTHER
from voicetop.engine.windows.histograms import METRIC, Histogram
from voicetop.formatting.numbers import known
from voicetop.views.segment_marks import Marks, Tallies, blamed, explained

UNSET = "(unset)"
"""The value of calls without one in this dimension."""
KINDS = (
    "error", "ended", "succeeded", "known", "abandoned", "decided", "cost_micro", "priced",
    "sentiment_centi", "sentiments", "handled_ms",
)  # fmt: skip


class Group(Struct):
    """The sums of one value's cells.

    `now` and `waits` count e2e and waiting or abandoned waits by bucket; `sums` are of the window, `business` of the
    window for outcomes. `slow` and `failed` are its slow turns and failed calls against what is expected.
    """

    value: str
    now: Histogram
    waits: Histogram
    normals: Normals
    sums: dict[str, int]
    business: dict[str, int]
    live: int = 0
    stuck: int = 0
    slow: Counted = Counted()
    failed: Counted = Counted()

    @property
    def active(self) -> int:
        return self.live + self.sums["ended"]

    @property
    def tallies(self) -> Tallies:
        return Tallies(self.slow, self.failed, self.business, self.normals, self.live, self.stuck)

    def error_normal(self, span: str) -> Normal:
        return self.normals.error_rate("error", span, handling_s(self.business))


def panel(
    engine: Engine,
    view: View,
    waits: Waits,
    cells: NDArray[np.intp] | None,
    usual: Normals,
    *,
    stuck_after: float,
    troubles: Sequence[Trouble] = (),
) -> SegmentsPanel:
    """The rows of the view's dimension, within the cells of the scope (None: all).

    `troubles` are those of the verdict that the figures of this window show: the values it names are marked, too.
    """
    groups = _groups(engine, view, waits, cells, usual, stuck_after)
    shares = explained([group.tallies for group in groups], troubles)
    by_value = dict(zip((group.value for group in groups), shares, strict=True))
    rows = [
        replace(
            row,
            explains=by_value[row.value],
            worse=_with(row.worse, blamed(view.dimension, row.value, view.where, troubles)),
        )
        for row in rows_of([group for group in groups if group.active], view.span)
    ]
    rows.sort(key=_worst_first)
    return SegmentsPanel(view.dimension, tuple(rows), engine.ledger.cells.folded)


def _with(own: tuple[WorseFigure, ...], blamed: tuple[WorseFigure, ...]) -> tuple[WorseFigure, ...]:
    """The row's own figures, and those of the verdict that aren't among them."""
    names = {figure.name for figure in own}
    return (*own, *(figure for figure in blamed if figure.name not in names))


def _worst_first(row: SegmentRow) -> tuple[float | str, ...]:
    """Marked rows first; then by the share explained, stuck calls, and calls."""
    explains = row.explains if known(row.explains) else 0.0
    return (not row.worse, -round(explains, 2), -row.stuck, -row.calls, row.value)


def _groups(
    engine: Engine,
    view: View,
    waits: Waits,
    cells: NDArray[np.intp] | None,
    usual: Normals,
    stuck_after: float,
) -> list[Group]:
    ledger, dimension, span = engine.ledger, view.dimension, view.span
    used = len(ledger.cells)
    chosen = range(used) if cells is None else cells.tolist()
    values = {cell: dict(ledger.cells.keys[cell] or ()).get(dimension, UNSET) for cell in chosen}
    members: dict[str, list[int]] = {}
    for cell, value in values.items():
        members.setdefault(OTHER if ledger.cells.keys[cell] is None else value, []).append(cell)
    waiting = _waiting(engine, waits, values)
    tables = _Tables(engine, waits, span, usual.slow_from)
    return tables.groups(members, waiting, stuck_after)


class _Tables:
    """The windows' counts by cell, summed for groups of cells."""

    def __init__(self, engine: Engine, waits: Waits, span: str, slow_from: int) -> None:
        ledger = self._ledger = engine.ledger
        self._waits, self._slow_from, used = waits, slow_from, len(ledger.cells)
        windows, counts, e2e = ledger.windows, ledger.counts, METRIC["e2e"]
        troubled = troubled_slots(ledger, frozenset(engine.judge.troubled))
        self._young = too_young(ledger)
        short = windows.by_cell("5m", e2e, used)
        self._now = short if span == "5m" else windows.by_cell(span, e2e, used)
        excluded = windows.by_cell_over_time(troubled, e2e, used)
        self._past = windows.by_cell("24h", e2e, used) - short - excluded
        self._abandoned_waits = windows.by_cell(span, METRIC["waited"], used)
        business = "24h" if span == "24h" else "30m"
        self._sums, self._business, day, recent = (
            {kind: counts.by_cell(window, kind)[:used] for kind in KINDS}
            for window in (span, business, "24h", "5m")
        )
        left_out = {kind: sums[:used] for kind, sums in counts.by_cell_over_time(troubled, KINDS).items()}
        self._past_sums = {kind: day[kind] - recent[kind] - left_out[kind] for kind in KINDS}
        self._slow = segments.slow_turns(ledger, slow_from, span).without(
            excluded[:, slow_from:].sum(axis=1).astype(float), excluded.sum(axis=1).astype(float)
        )
        self._failed = segments.failed_calls(ledger, span).without(
            left_out["error"].astype(float), left_out["ended"].astype(float)
        )

    def groups(
        self, members: dict[str, list[int]], waiting: dict[str, list[Call]], stuck_after: float
    ) -> list[Group]:
        """The group of each value: of its cells, and its calls with a waiting caller."""
        slow = self._slow.also(self._slow_waits(waiting))
        both = (counted(trials, list(members.values())) for trials in (slow, self._failed))
        return [
            self._group(value, own, waiting.get(value, []), stuck_after, *trials)
            for (value, own), *trials in zip(members.items(), *both, strict=True)
        ]

    def _slow_waits(self, waiting: dict[str, list[Call]]) -> NDArray[np.float64]:
        """Waits by cell, over or not, that are slow already."""
        waits: NDArray[np.float64] = self._abandoned_waits[:, self._slow_from :].sum(axis=1).astype(float)
        for call in itertools.chain.from_iterable(waiting.values()):
            waits[call.cell] += self._waits.histogram([call])[self._slow_from :].sum()
        return waits

    def _group(
        self,
        value: str,
        own: list[int],
        waiting: list[Call],
        stuck_after: float,
        slow: Counted,
        failed: Counted,
    ) -> Group:
        return Group(
            value=value,
            now=self._now[own].sum(axis=0),
            waits=self._waits.histogram(waiting) + self._abandoned_waits[own].sum(axis=0),
            normals=self._normals(own),
            sums=_summed(self._sums, own),
            business=_summed(self._business, own),
            slow=slow,
            failed=failed,
            live=sum(self._ledger.cells.live[cell] for cell in own),
            stuck=sum(self._waits.seconds(call) > stuck_after for call in waiting),
        )

    def _normals(self, own: list[int]) -> Normals:
        """Of some cells, out of the same past as `Normals.of`."""
        if self._young:
            return Normals({}, {})
        past = {kind: max(0, amount) for kind, amount in _summed(self._past_sums, own).items()}
        return Normals({"e2e": self._past[own].sum(axis=0).clip(0)}, past)


def _summed(table: dict[str, NDArray[np.int64]], cells: list[int]) -> dict[str, int]:
    return {kind: int(amounts[cells].sum()) for kind, amounts in table.items()}


def _waiting(engine: Engine, waits: Waits, values: dict[int, str]) -> dict[str, list[Call]]:
    """The calls with a waiting caller, by value."""
    by_value: dict[str, list[Call]] = {}
    for call in waits.waiting_calls(engine.roster.live.values(), None):
        if call.cell in values:
            by_value.setdefault(values[call.cell], []).append(call)
    return by_value


def rows_of(groups: list[Group], span: str) -> list[SegmentRow]:
    """The rows of these values, in their order, with their marks.

    Calls without a value are no segment: in an outage many of them are stuck before a value is known.
    """
    all_calls = max(1, sum(group.active for group in groups))
    marks = Marks([group.tallies for group in groups])
    rows = [_row_of(group, groups, all_calls, span) for group in groups]
    return [
        row if row.value == UNSET else replace(row, worse=marks.of(place, row))
        for place, row in enumerate(rows)
    ]


def _row_of(group: Group, groups: list[Group], all_calls: int, span: str) -> SegmentRow:
    others = [other for other in groups if other is not group]
    nothing = np.zeros(BUCKETS, np.int64)
    rest_now = np.sum([nothing, *(other.now for other in others)], axis=0)
    rest_waits = np.sum([nothing, *(other.waits for other in others)], axis=0)
    rest_p95, rest_at_least = censored_quantile(rest_now, rest_waits, 0.95)
    sums, usual = group.business, group.normals
    past = usual.histograms.get("e2e")
    return SegmentRow(
        value=group.value,
        calls=group.active,
        share=group.active / all_calls,
        p95=normals.latencies("e2e", group.now, group.waits, past, thresholds.SEGMENT_LATENCY).p95,
        errors=thresholds.ERRORS.judge(
            normals.rate(group.sums["error"], group.active, group.error_normal(span))
        ),
        success=normals.outcome("success", sums, usual),
        abandonment=normals.outcome("abandonment", sums, usual),
        cost=normals.outcome("cost", sums, usual),
        sentiment=normals.outcome("sentiment", sums, usual),
        stuck=group.stuck,
        rest_p95=rest_p95,
        rest_errors=_rest(others, "error"),
        rest_at_least=rest_at_least,
    )


def _rest(others: list[Group], kind: str) -> float:
    active = sum(other.active for other in others)
    return sum(other.sums[kind] for other in others) / active if active else NAN
