"""Every value of one dimension against its own normal and against the rest, worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from voicetop.engine import attribution, normals
from voicetop.engine.calls import Call
from voicetop.engine.normals import Usual
from voicetop.engine.snapshot import NAN, Figure, Normal, SegmentRow, SegmentsPanel, View
from voicetop.engine.verdict import handling_s
from voicetop.engine.waiting import as_histogram, waiting_calls
from voicetop.engine.windows.buckets import BUCKETS, QUANTILES, censored_quantile
from voicetop.engine.windows.cells import OTHER
from voicetop.engine.windows.histograms import METRIC, Histogram
from voicetop.engine.windows.slots import SPANS

if TYPE_CHECKING:
    from voicetop.engine.engine import Engine

UNTOLD = "(not told)"
"""Calls that have no value in the dimension."""
Z_WORSE = 2.6
"""Both its own past and the rest must be left behind by this many standard errors before a row says "worse"."""
LEAST_EXCESS, Z_EXCESS = 5.0, 3.0
"""So many more than expected, and by so many standard errors: turns of one call are alike, and values are many."""
KINDS = (
    "error", "ended", "succeeded", "known", "abandoned", "decided", "cost_micro", "priced",
    "sentiment_centi", "sentiments", "handled_ms",
)  # fmt: skip


class _Group(Struct):
    """One value's cells: e2e counts now and before, waits that go on or were given up, sums now and before, live and
    stuck calls.
    """

    value: str
    now: Histogram
    waits: Histogram
    before: Histogram
    sums: dict[str, int]
    past: dict[str, int]
    business: dict[str, int]
    live: int
    stuck: int
    slow: float
    slow_expected: float

    @property
    def active(self) -> int:
        return self.live + self.sums["ended"]


def panel(
    engine: Engine, view: View, cells: NDArray[np.intp] | None, usual: Usual, *, stuck_after: float
) -> SegmentsPanel:
    """The rows of the view's dimension, within the cells that the screen is narrowed to (None: all)."""
    dimension, span = view.dimension, view.span
    groups = _groups(engine, view, cells, usual, stuck_after)
    everybody = max(1, sum(group.active for group in groups))
    shares = _shares(groups, span)
    rows = [
        _row(group, groups, everybody, share, span)
        for group, share in zip(groups, shares, strict=True)
        if group.active or group.live
    ]
    rows.sort(key=_worst_first)
    return SegmentsPanel(dimension, tuple(rows), engine.ledger.cells.folded)


def _shares(groups: list[_Group], span: str) -> list[float]:
    """Each group's share of the slow turns and the failed calls beyond what its own past lets expect.

    A kind counts where one group has more of it than chance brings; NaN where neither does.
    """
    failed = [_error_normal(group, span).value * group.active for group in groups]
    kinds = (
        [(group.slow, group.slow_expected) for group in groups],
        [
            (float(group.sums["error"]), expected if expected == expected else float(group.sums["error"]))
            for group, expected in zip(groups, failed, strict=True)
        ],
    )
    excess = [0.0] * len(groups)
    for kind in kinds:
        if any(seen - of > max(LEAST_EXCESS, Z_EXCESS * of**0.5) for seen, of in kind):
            excess = [total + max(0.0, seen - of) for total, (seen, of) in zip(excess, kind, strict=True)]
    whole = sum(excess)
    return [part / whole if whole else NAN for part in excess]


def _worst_first(row: SegmentRow) -> tuple[float | str, ...]:
    """What is worse in most figures; then by tenths of what it explains, by who is stuck, and by its calls."""
    return (-len(row.worse), -round(_or_zero(row.explains), 1), -row.stuck, -row.calls, row.value)


def _groups(
    engine: Engine, view: View, cells: NDArray[np.intp] | None, usual: Usual, stuck_after: float
) -> list[_Group]:
    ledger, dimension, span = engine.ledger, view.dimension, view.span
    used = len(ledger.cells)
    chosen = range(used) if cells is None else cells.tolist()
    values = {cell: dict(ledger.cells.keys[cell] or ()).get(dimension, UNTOLD) for cell in chosen}
    members: dict[str, list[int]] = {}
    for cell, value in values.items():
        members.setdefault(OTHER if ledger.cells.keys[cell] is None else value, []).append(cell)
    waiting = _waiting(engine, values)
    slow_from = _slow_from(usual)
    short = ledger.windows.by_cell("5m", METRIC["e2e"], used)
    now = short if span == "5m" else ledger.windows.by_cell(span, METRIC["e2e"], used)
    day = ledger.windows.by_cell("24h", METRIC["e2e"], used)
    slow_now, slow_day = (
        now[:, slow_from:].sum(axis=1),
        day[:, slow_from:].sum(axis=1) - short[:, slow_from:].sum(axis=1),
    )
    turns_day = day.sum(axis=1) - short.sum(axis=1)
    given_up = ledger.windows.by_cell(span, METRIC["waited"], used)
    expect = attribution.expected(
        now.sum(axis=1).astype(float), slow_day.clip(0).astype(float), turns_day.clip(0).astype(float)
    )
    tables = {
        kind: [ledger.counts.by_cell(s, kind)[:used] for s in (span, "30m", "24h", "5m")] for kind in KINDS
    }
    waits = {
        value: as_histogram(waiting.get(value, []), engine.at) + given_up[own].sum(axis=0)
        for value, own in members.items()
    }
    return [
        _Group(
            value=value,
            now=now[own].sum(axis=0),
            waits=waits[value],
            before=(day[own].sum(axis=0) - short[own].sum(axis=0)).clip(0),
            sums={kind: int(table[0][own].sum()) for kind, table in tables.items()},
            past={
                kind: max(0, int(table[2][own].sum() - table[3][own].sum())) for kind, table in tables.items()
            },
            business={
                kind: int(table[0 if span == "24h" else 1][own].sum()) for kind, table in tables.items()
            },
            live=sum(ledger.cells.live[cell] for cell in own),
            stuck=sum(engine.at - call.wait_since > stuck_after for call in waiting.get(value, [])),
            slow=float(slow_now[own].sum() + waits[value][slow_from:].sum()) if slow_from < BUCKETS else 0.0,
            slow_expected=float(expect[own].sum()) if slow_from < BUCKETS else 0.0,
        )
        for value, own in members.items()
    ]


def _waiting(engine: Engine, values: dict[int, str]) -> dict[str, list[Call]]:
    """The calls whose caller waits, by their value."""
    found: dict[str, list[Call]] = {}
    for call in waiting_calls(engine.roster.live.values(), None):
        if call.cell in values:
            found.setdefault(values[call.cell], []).append(call)
    return found


def _slow_from(usual: Usual) -> int:
    """The bucket beyond which 5 % of everybody's normal turns lie."""
    past = usual.histograms.get("e2e")
    if past is None or int(past.sum()) < normals.LEARNED_TURNS:
        return BUCKETS
    done = past.cumsum()
    return int((done < QUANTILES[1] * done[-1]).sum()) + 1


def _row(group: _Group, groups: list[_Group], everybody: int, explains: float, span: str) -> SegmentRow:
    others = [other for other in groups if other is not group]
    nothing = np.zeros(BUCKETS, np.int64)
    rest_now = np.sum([nothing, *(other.now for other in others)], axis=0)
    rest_waits = np.sum([nothing, *(other.waits for other in others)], axis=0)
    p95 = normals.latencies("e2e", group.now, group.waits, group.before).p95
    errors = normals.rate(group.sums["error"], group.active, _error_normal(group, span))
    business, past = group.business, group.past
    row = SegmentRow(
        value=group.value,
        calls=group.active,
        share=group.active / everybody,
        p95=p95,
        errors=errors,
        success=normals.rate(business["succeeded"], business["known"], _share(past, "succeeded", "known")),
        abandonment=normals.rate(
            business["abandoned"], business["decided"], _share(past, "abandoned", "decided")
        ),
        cost=normals.mean(
            business["cost_micro"] / 1e6, business["priced"], _mean(past, "cost_micro", "priced", 1e6)
        ),
        sentiment=normals.mean(
            business["sentiment_centi"] / 100,
            business["sentiments"],
            _mean(past, "sentiment_centi", "sentiments", 100),
        ),
        stuck=group.stuck,
        explains=explains,
        rest_p95=censored_quantile(rest_now, rest_waits, 0.95)[0],
        rest_errors=_rest(others, "error"),
    )
    return msgspec.structs.replace(row, worse=_worse(row, group, others))


def _error_normal(group: _Group, span: str) -> Normal:
    """As `figures.Usual.error_rate`, with the handling time of these calls."""
    usual, handling = _share(group.past, "error", "ended"), handling_s(group.business)
    share = SPANS[span] / (SPANS[span] + handling) if handling == handling else 1.0
    return Normal(usual.value * share, n=usual.n)


def _share(sums: dict[str, int], hits: str, of: str) -> Normal:
    n = sums[of]
    return Normal(min(1.0, sums[hits] / n), n=n) if n >= 3 * normals.FEW_CALLS else Normal(n=n)


def _mean(sums: dict[str, int], total: str, of: str, unit: float) -> Normal:
    n = sums[of]
    return Normal(sums[total] / n / unit, n=n) if n >= 3 * normals.FEW_CALLS else Normal(n=n)


def _rest(others: list[_Group], kind: str) -> float:
    active = sum(other.active for other in others)
    return sum(other.sums[kind] for other in others) / active if active else NAN


def _worse(row: SegmentRow, group: _Group, others: list[_Group]) -> tuple[str, ...]:
    """In which figures this value is worse than its own past and than the rest, beyond doubt."""
    found: list[str] = []
    if group.stuck >= 2 and group.stuck > 2 * sum(other.stuck for other in others) * row.share:
        found.append("stuck")
    slow = _high(row.p95) and row.p95.value >= normals.WARN_RATIO * row.p95.normal.value > 0
    if slow and not row.p95.value < 1.2 * row.rest_p95:
        found.append("latency")
    failing = row.errors.normal.known and row.errors.low > 1.5 * row.errors.normal.value + 0.005
    if failing and not row.errors.low < row.rest_errors:
        found.append("errors")
    if row.success.normal.known and row.success.high < row.success.normal.value - 0.02:
        found.append("success")
    if row.abandonment.normal.known and row.abandonment.low > 1.3 * row.abandonment.normal.value + 0.01:
        found.append("abandonment")
    if (
        row.cost.normal.known
        and not row.cost.few
        and row.cost.value > normals.WARN_RATIO * row.cost.normal.value
    ):
        found.append("cost")
    return tuple(found)


def _high(figure: Figure) -> bool:
    return figure.known and not figure.few and figure.normal.known


def _or_zero(value: float) -> float:
    return value if value == value else 0.0
