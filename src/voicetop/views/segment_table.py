"""Every value of one dimension compared with its own normal and with the rest, worst first."""

from __future__ import annotations

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from voicetop.engine import normals, thresholds
from voicetop.engine.attribution import segments
from voicetop.engine.calls import Call
from voicetop.engine.engine import Engine
from voicetop.engine.normals import Normals, handling_s, too_young, troubled_slots
from voicetop.engine.snapshot import NAN, Normal, SegmentRow, SegmentsPanel, View
from voicetop.engine.thresholds import more_than_chance
from voicetop.engine.waiting import Waits
from voicetop.engine.windows.buckets import BUCKETS, censored_quantile
from voicetop.engine.windows.cells import OTHER
from voicetop.engine.windows.histograms import METRIC, Histogram
from voicetop.formatting.numbers import known

UNSET = "(unset)"
"""The value of calls without one in this dimension."""
KINDS = (
    "error", "ended", "succeeded", "known", "abandoned", "decided", "cost_micro", "priced",
    "sentiment_centi", "sentiments", "handled_ms",
)  # fmt: skip


class Group(Struct):
    """The sums of one value's cells.

    `now` and `waits` count e2e and waiting or abandoned waits by bucket; `sums` are of the window, `business` of the
    window for outcomes.
    """

    value: str
    now: Histogram
    waits: Histogram
    normals: Normals
    sums: dict[str, int]
    business: dict[str, int]
    live: int = 0
    stuck: int = 0
    slow: float = 0.0
    slow_expected: float = 0.0

    @property
    def active(self) -> int:
        return self.live + self.sums["ended"]

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
) -> SegmentsPanel:
    """The rows of the view's dimension, within the cells of the scope (None: all)."""
    dimension, span = view.dimension, view.span
    groups = _groups(engine, view, waits, cells, usual, stuck_after)
    all_calls = max(1, sum(group.active for group in groups))
    shares = _shares(groups, span)
    rows = [
        row_of(group, groups, all_calls, share, span)
        for group, share in zip(groups, shares, strict=True)
        if group.active or group.live
    ]
    rows.sort(key=_worst_first)
    return SegmentsPanel(dimension, tuple(rows), engine.ledger.cells.folded)


def _shares(groups: list[Group], span: str) -> list[float]:
    """Each group's share of the excess slow turns and failed calls over those expected from its past.

    A kind counts only if it is significant in some group; NaN if neither is.
    """
    failed = [group.error_normal(span).value * group.active for group in groups]
    kinds = (
        [(group.slow, group.slow_expected) for group in groups],
        [
            (float(group.sums["error"]), expected if known(expected) else float(group.sums["error"]))
            for group, expected in zip(groups, failed, strict=True)
        ],
    )
    excess = [0.0] * len(groups)
    for kind in kinds:
        if any(more_than_chance(observed, of) for observed, of in kind):
            excess = [
                total + max(0.0, observed - of) for total, (observed, of) in zip(excess, kind, strict=True)
            ]
    total_excess = sum(excess)
    return [part / total_excess if total_excess else NAN for part in excess]


def _worst_first(row: SegmentRow) -> tuple[float | str, ...]:
    """By the number of worse figures; then by tenths of the share explained, stuck calls, and calls."""
    return (-len(row.worse), -round(_or_zero(row.explains), 1), -row.stuck, -row.calls, row.value)


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
    return [tables.group(value, own, waiting.get(value, []), stuck_after) for value, own in members.items()]


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
        self._past = windows.by_cell("24h", e2e, used) - short
        self._past -= windows.by_cell_over_time(troubled, e2e, used)
        self._abandoned_waits = windows.by_cell(span, METRIC["waited"], used)
        past, now = self._past, self._now.sum(axis=1).astype(float)
        slow, of = (part.sum(axis=1).clip(0).astype(float) for part in (past[:, slow_from:], past))
        self._expected = segments.expected(now, slow, of)
        business = "24h" if span == "24h" else "30m"
        self._sums, self._business, day, recent = (
            {kind: counts.by_cell(window, kind)[:used] for kind in KINDS}
            for window in (span, business, "24h", "5m")
        )
        left_out = counts.by_cell_over_time(troubled, KINDS)
        self._past_sums = {kind: day[kind] - recent[kind] - left_out[kind][:used] for kind in KINDS}

    def group(self, value: str, own: list[int], waiting: list[Call], stuck_after: float) -> Group:
        """The group of `value`: its cells, and its calls with a waiting caller."""
        now, slow_from = self._now[own].sum(axis=0), self._slow_from
        waits = self._waits.histogram(waiting) + self._abandoned_waits[own].sum(axis=0)
        return Group(
            value=value,
            now=now,
            waits=waits,
            normals=self._normals(own),
            sums=_summed(self._sums, own),
            business=_summed(self._business, own),
            live=sum(self._ledger.cells.live[cell] for cell in own),
            stuck=sum(self._waits.seconds(call) > stuck_after for call in waiting),
            slow=float(now[slow_from:].sum() + waits[slow_from:].sum()),
            slow_expected=float(self._expected[own].sum()),
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


def row_of(group: Group, groups: list[Group], all_calls: int, explains: float, span: str) -> SegmentRow:
    others = [other for other in groups if other is not group]
    nothing = np.zeros(BUCKETS, np.int64)
    rest_now = np.sum([nothing, *(other.now for other in others)], axis=0)
    rest_waits = np.sum([nothing, *(other.waits for other in others)], axis=0)
    sums, usual = group.business, group.normals
    past = usual.histograms.get("e2e")
    row = SegmentRow(
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
        explains=explains,
        rest_p95=censored_quantile(rest_now, rest_waits, 0.95)[0],
        rest_errors=_rest(others, "error"),
    )
    return msgspec.structs.replace(row, worse=_worse(row, group, others))


def _rest(others: list[Group], kind: str) -> float:
    active = sum(other.active for other in others)
    return sum(other.sums[kind] for other in others) / active if active else NAN


def _worse(row: SegmentRow, group: Group, others: list[Group]) -> tuple[str, ...]:
    """The figures in which this value is significantly worse than its own past and than the rest."""
    stuck = thresholds.more_stuck(group.stuck, sum(other.stuck for other in others), row.share)
    slow = row.p95.off and thresholds.slower_than_rest(row.p95, row.rest_p95)
    failing = row.errors.off and not row.errors.low < row.rest_errors
    worse = {"stuck": stuck, "latency": slow, "errors": failing}
    worse |= {"success": row.success.off, "abandonment": row.abandonment.off, "cost": row.cost.off}
    return tuple(name for name, is_worse in worse.items() if is_worse)


def _or_zero(value: float) -> float:
    return value if known(value) else 0.0
