"""The columns of Segments: content, sort order, and which fit a width."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from voicetop.engine.snapshot import Figure, SegmentRow, SegmentsPanel, WorseFigure
from voicetop.formatting import numbers
from voicetop.formatting.numbers import known
from voicetop.ui.lines import Line, cells
from voicetop.ui.renderables.written_figure import plus_minus, write_figure

GAP = 2
MARK = 4
WORST = "worst"


class SegmentColumn(NamedTuple):
    """A column: `rank` says how long it stays (0 for ever), `wide` what it takes where its interval is shown, too.

    `order` gives what it is sorted by, the worst first.
    """

    id: str
    title: str
    width: int
    wide: int
    rank: int
    write: Callable[[SegmentRow, bool], Line]
    order: Callable[[SegmentRow], float]
    right: bool = True


def _figure(
    name: str,
    pick: Callable[[SegmentRow], Figure],
    write: Callable[[float], str],
    *,
    low_is_bad: bool = False,
) -> Callable[[SegmentRow, bool], Line]:
    """Value, glyph and ratio to normal (points if low is bad); interval and n if there is room."""

    def written(row: SegmentRow, wide: bool) -> Line:
        figure = pick(row)
        if not figure.n:
            return ((numbers.DASH, "faint"),)
        if figure.few:
            return ((f"too few (n={figure.n:,})", "muted"),)
        reading = write_figure(figure, write, low_is_bad=low_is_bad)
        compared = _points(figure) if low_is_bad and name == "success" else reading.ratio
        glyph = reading.glyph or "·"
        tone = reading.tone if glyph != "·" else "faint"
        text = f"{glyph} {compared}".rstrip().ljust(7)
        more = f" {_confidence(figure)}".rjust(9) if wide else ""
        return (
            (reading.value, "degraded" if figure.off else "text"),
            (f" {text}", tone),
            (more, "faint"),
        )

    return written


def _confidence(figure: Figure) -> str:
    """The half-width of a rate's interval, or the n of a mean or percentile."""
    return plus_minus(figure) or f"n {numbers.short_count(figure.n)}"


def _points(figure: Figure) -> str:
    if not figure.normal.known:
        return ""
    return f"{(figure.value - figure.normal.value) * 100:+.0f}".replace("-", "−")


def _value(row: SegmentRow, _: bool) -> Line:
    return ((row.value, "strong" if row.worse else "text"),)


def _calls(row: SegmentRow, _: bool) -> Line:
    return ((f"{row.calls:,}", "text"),)


def _share(row: SegmentRow, _: bool) -> Line:
    return ((numbers.whole_percent(row.share), "muted"),)


def _stuck(row: SegmentRow, _: bool) -> Line:
    return ((f"■ {row.stuck:,}", "down"),) if row.stuck else ((numbers.DASH, "faint"),)


def _explains(row: SegmentRow, _: bool) -> Line:
    if not row.explains >= 0.005:
        return ((numbers.DASH, "faint"),)
    return ((numbers.whole_percent(row.explains), "strong" if row.explains >= 0.5 else "text"),)


def _why(row: SegmentRow, wide: bool) -> Line:
    if not row.worse:
        return ((numbers.DASH, "faint"),)
    if wide:
        return ((" · ".join(map(reason, row.worse)), "degraded"),)
    more = f" +{len(row.worse) - 1}" if len(row.worse) > 1 else ""
    return ((_short_reason(row.worse[0], WHY.width - len(more)) + more, "degraded"),)


NAMES = {"latency": "slow", "abandonment": "abandoned", "escalation": "escalated"}


def reason(figure: WorseFigure) -> str:
    """A figure that marks a row, in short: "errors 6.1 %, rest 1.4 %", "latency of billing × es"."""
    if len(figure.where) > 1:
        return f"{figure.name} of {' × '.join(value for _, value in figure.where)}"
    name, value = NAMES.get(figure.name, figure.name), _short(figure.value, figure.unit)
    if figure.name == "stuck":
        return f"{value} stuck" if figure.where else f"{value} stuck, rest {_short(figure.rest, figure.unit)}"
    if figure.unit == "ms":
        name = "P95"
    other, than = ("normal", figure.normal) if figure.where else ("rest", figure.rest)
    return f"{name} {value}, {other} {_short(than, figure.unit)}" if known(than) else f"{name} {value}"


def _short_reason(figure: WorseFigure, width: int) -> str:
    """The reason in so many cells, if it can be said so: without "latency of", or without the rest."""
    whole = reason(figure)
    parts = (whole, whole.partition(" of ")[2] or whole.partition(", ")[0])
    return next((part for part in parts if cells(part) <= width), parts[1])


def _short(value: float, unit: str) -> str:
    """A value without the decimals that nobody compares: 14 %, 1.4 %."""
    return numbers.whole_percent(value) if unit == "rate" and value >= 0.095 else numbers.written(value, unit)


def _rest(row: SegmentRow, _: bool) -> Line:
    return (("≥ " * row.rest_at_least + numbers.milliseconds(row.rest_p95), "muted"),)


def _excess(
    pick: Callable[[SegmentRow], Figure], *, low_is_bad: bool = False
) -> Callable[[SegmentRow], float]:
    """The sort key of a figure: worst values first, unknown ones last."""

    def order(row: SegmentRow) -> float:
        figure = pick(row)
        if not figure.known or figure.few:
            return float("inf")
        return figure.value if low_is_bad else -figure.value

    return order


def _p95(row: SegmentRow) -> Figure:
    return row.p95


def _errors(row: SegmentRow) -> Figure:
    return row.errors


def _success(row: SegmentRow) -> Figure:
    return row.success


def _abandonment(row: SegmentRow) -> Figure:
    return row.abandonment


def _cost(row: SegmentRow) -> Figure:
    return row.cost


def _sentiment(row: SegmentRow) -> Figure:
    return row.sentiment


JUDGED: tuple[tuple[str, Callable[[SegmentRow], Figure]], ...] = (
    ("latency", _p95),
    ("errors", _errors),
    ("success", _success),
    ("abandonment", _abandonment),
    ("cost", _cost),
    ("sentiment", _sentiment),
)


def off_normal(row: SegmentRow) -> tuple[str, ...]:
    """The figures in which a value is significantly worse than its own normal."""
    return tuple(name for name, pick in JUDGED if pick(row).off)


VALUE = SegmentColumn("value", "VALUE", 12, 30, 0, _value, lambda _: 0.0, right=False)
WHY = SegmentColumn("why", "WHY", 23, 60, 12, _why, lambda row: -len(row.worse), right=False)
EXPLAINS = SegmentColumn(
    "explains", "EXPLAINS", 8, 8, 4, _explains, lambda row: -(row.explains if row.explains > 0 else 0.0)
)
COLUMNS = (
    VALUE,
    SegmentColumn("calls", "CALLS", 6, 6, 1, _calls, lambda row: -row.calls),
    SegmentColumn("share", "SHARE", 5, 5, 9, _share, lambda row: -row.share),
    SegmentColumn("p95", "P95 E2E", 18, 27, 2, _figure("latency", _p95, numbers.milliseconds), _excess(_p95)),
    SegmentColumn("errors", "ERRORS", 15, 24, 3, _figure("errors", _errors, numbers.percent), _excess(_errors)),
    SegmentColumn(
        "success", "SUCCESS", 15, 24, 5, _figure("success", _success, numbers.percent, low_is_bad=True),
        _excess(_success, low_is_bad=True),
    ),
    SegmentColumn(
        "abandonment", "ABANDON", 15, 24, 6, _figure("abandonment", _abandonment, numbers.percent),
        _excess(_abandonment),
    ),
    SegmentColumn("cost", "COST", 14, 23, 8, _figure("cost", _cost, numbers.dollars), _excess(_cost)),
    SegmentColumn(
        "sentiment", "SENTIMENT", 12, 21, 10, _figure("sentiment", _sentiment, numbers.plain, low_is_bad=True),
        _excess(_sentiment, low_is_bad=True),
    ),
    SegmentColumn("stuck", "STUCK", 5, 5, 7, _stuck, lambda row: -row.stuck),
    EXPLAINS,
    SegmentColumn("rest", "REST P95", 10, 10, 11, _rest, lambda row: -row.rest_p95),
    WHY,
)  # fmt: skip


class FittedSegmentColumns(NamedTuple):
    """A column with its width, and whether its interval fits."""

    column: SegmentColumn
    width: int
    wide: bool


@lru_cache(maxsize=32)
def fit_columns(width: int, *, marked: bool = False) -> tuple[FittedSegmentColumns, ...]:
    """The columns that fit, by importance; spare room is used for reasons and intervals, then for names.

    If rows are `marked`, why they are comes right after the response time; else there is nothing to say.
    """
    room = width - MARK - 1 + GAP
    ranks = {column: column.rank for column in COLUMNS if marked or column is not WHY}
    if marked:
        ranks |= {WHY: 2, EXPLAINS: 2}
    fitting: list[SegmentColumn] = []
    for column in sorted(ranks, key=lambda column: (ranks[column], column is EXPLAINS)):
        if column.width + GAP > room:
            break
        fitting.append(column)
        room -= column.width + GAP
    got = {column: column.width for column in fitting}
    for column in sorted(fitting, key=lambda column: (column is VALUE, ranks[column])):
        more = column.wide - column.width
        if column in (VALUE, WHY) or more <= room:
            got[column] += min(more, room)
            room -= min(more, room)
    return tuple(
        FittedSegmentColumns(column, got[column], got[column] > column.width)
        for column in COLUMNS
        if column in got
    )


def ordered(panel: SegmentsPanel, sort: str, *, reverse: bool) -> list[SegmentRow]:
    """The rows sorted by `sort`; the engine's order is worst first."""
    rows = list(panel.rows)
    if sort == "value":
        rows.sort(key=lambda row: row.value)
    elif sort != WORST:
        column = next(column for column in COLUMNS if column.id == sort)
        rows.sort(key=lambda row: _last_where_unknown(column.order(row)))
    return rows[::-1] if reverse else rows


def _last_where_unknown(value: float) -> float:
    return value if known(value) else float("inf")


def sorts(width: int, *, marked: bool = False) -> list[str]:
    """The sort keys from left to right; the engine's order first."""
    return [WORST, *(fitted.column.id for fitted in fit_columns(width, marked=marked))]
