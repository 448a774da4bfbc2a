"""The Overview: is everything working right now? Laid out for 80×24, and for anything larger."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from voicetop.engine.snapshot import Figure, Series, Snapshot
from voicetop.formatting import labels, numbers
from voicetop.ui.lines import BLANK, Line, Row, beside, block, cells, clip, fit, rule, width_of
from voicetop.ui.renderables import outcomes
from voicetop.ui.renderables.calls import attention_first, attention_panel
from voicetop.ui.renderables.capacity import capacity_line, unknown_lines, waiting_line
from voicetop.ui.renderables.chart import spark
from voicetop.ui.renderables.health import (
    compared,
    errors_panel,
    latency_numbers,
    latency_panel,
    outcome_span,
    part_of_window,
    share_of_calls,
    shown_window,
    split_line,
    troubled,
    why_unknown,
)
from voicetop.ui.renderables.written_figure import write_figure
from voicetop.ui.style.display_options import DisplayOptions

GAP = 3
FULL_WIDTH, FULL_HEIGHT = 100, 27
"""From this body size, charts and panels fit side by side."""


def overview(
    snap: Snapshot, options: DisplayOptions, width: int, height: int, cursor: str = "", *, focus: str = ""
) -> list[Line]:
    """The body, below the verdict and above the footer, in exactly `height` lines; `focus` is a panel's name."""
    full = width >= FULL_WIDTH and height >= FULL_HEIGHT
    lines = (_full if full else _compact)(snap, options, (width, height), cursor, focus)
    return block(lines, height, width)


def focused(lines: list[Line], on: bool) -> list[Line]:
    """A panel or summary line, with a mark at its left edge if it has the focus."""
    if not on:
        return lines
    (text, tone), *rest = lines[0]
    title = tuple((part, "accent" if its == "title" else its) for part, its in rest)
    return [((f"▸{text[1:]}", "accent" if tone in ("rule", "text") else tone), *title), *lines[1:]]


class Heights(NamedTuple):
    """The heights of large panels, gaps between blocks, and the call list."""

    large: int
    air: int
    calls: int


def deal(height: int) -> Heights:
    """Distributes spare lines: half to the charts, half to the calls.

    >>> deal(32)
    Heights(large=13, air=0, calls=12)
    """
    air = 1 if height >= 40 else 0
    spare = height - 2 - 5 - 3 * air
    large = min(34, max(10, spare // 2))
    return Heights(large, air, spare - large)


def _full(
    snap: Snapshot, options: DisplayOptions, size: tuple[int, int], cursor: str, focus: str
) -> list[Line]:
    width, height = size
    unknown = unknown_lines(snap.waiting, options, width)
    heights = deal(height - len(unknown))
    air = [BLANK] * heights.air
    left = (width - GAP) * 53 // 100
    right = width - GAP - left
    large = beside(
        [
            focused(latency_panel(snap, options, left, heights.large), focus == "latency"),
            focused(errors_panel(snap, options, right, heights.large), focus == "errors"),
        ],
        (left, right),
        GAP,
    )
    return [
        *focused([capacity_line(snap.capacity, options, width)], focus == "calls"),
        waiting_line(snap, width),
        *unknown,
        *air,
        *large,
        *air,
        *_small_panels(snap, options, width, focus),
        *air,
        *attention_panel(snap, options, width, heights.calls, cursor),
    ]


def _small_panels(snap: Snapshot, options: DisplayOptions, width: int, focus: str) -> list[Line]:
    """Four side by side, or five if they fit."""
    many = 5 if width >= 160 else 4
    each = (width - GAP * (many - 1)) // many
    widths = [each] * (many - 1) + [width - (each + GAP) * (many - 1)]
    panels = [
        focused(outcomes.success_panel(snap, options, widths[0]), focus == "success"),
        focused(outcomes.abandonment_panel(snap, options, widths[1]), focus == "abandonment"),
        focused(outcomes.cost_panel(snap, options, widths[2]), focus == "cost"),
        outcomes.sentiment_panel(snap, widths[3]),
    ]
    if many == 5:
        panels.append(outcomes.feed_panel(snap, widths[4]))
    return beside(panels, widths, GAP)


def _compact(
    snap: Snapshot, options: DisplayOptions, size: tuple[int, int], cursor: str, focus: str
) -> list[Line]:
    """A line for each figure, with its shape, then the calls."""
    width, height = size
    figures = [
        *_capacity_and_latency(snap, options, width, focus),
        Ranked(8, rule("calls", width, _worst_error(snap))),
        *(
            Ranked(RANKS[row.kind], line)
            for row, bad in _rows(snap)
            for line in focused([_summary(row, bad, options, width)], focus == row.kind)
        ),
    ]
    stuck = sum(row.eyes == "stuck" for row in attention_first(snap, STUCK_SHOWN))
    lines = _most_important(figures, max(0, height - stuck - 2) if stuck else len(figures))
    return [*lines, *attention_panel(snap, options, width, max(3, height - len(lines)), cursor)]


class Ranked(NamedTuple):
    """A line of the compact layout. Lines of a high rank go first where the calls that are stuck need the room."""

    rank: int
    line: Line


RANKS = {"errors": 3, "success": 6, "abandonment": 7, "cost": 11, "sentiment": 12}
STUCK_SHOWN = 6
"""So many stuck calls are shown before any figure."""


def _most_important(figures: list[Ranked], room: int) -> list[Line]:
    ranks = sorted(figure.rank for figure in figures)[:room]
    return [figure.line for figure in figures if figure.rank in ranks]


def _capacity_and_latency(snap: Snapshot, options: DisplayOptions, width: int, focus: str) -> list[Ranked]:
    latency = snap.latency
    capacity = focused([capacity_line(snap.capacity, options, width)], focus == "calls")
    notes = (shown_window(snap), f"n {numbers.counted(latency.e2e.p50.n, 'turn')}")
    title = focused([rule("response time", width, *notes)], focus == "latency")
    percentiles = _with_shape(latency_numbers(latency, width), latency.chart, options, width)
    return [
        *(Ranked(0, line) for line in capacity),
        *(Ranked(1, line) for line in unknown_lines(snap.waiting, options, width)),
        *(Ranked(4, line) for line in title),
        *(Ranked(rank, line) for rank, line in zip((10, 2, 9), percentiles, strict=True)),
        Ranked(5, split_line(latency, width)),
    ]


def _with_shape(lines: list[Line], series: Series | None, options: DisplayOptions, width: int) -> list[Line]:
    """The shape of P95, at the right of P50 if there is room."""
    room = width - 48
    if series is None or room < 12:
        return lines
    shape = spark(series, room, options, numbers.milliseconds)
    row = Row().put(fit(lines[0], width - width_of(shape) - 6)).add("P95 ", "muted")
    return [row.put(shape).line(), *lines[1:]]


class Summary(NamedTuple):
    """A figure in one line. `unknown` says why it has no value; `part` how little of its window there is data for."""

    name: str
    kind: str
    figure: Figure
    write: Callable[[float], str]
    low_is_bad: bool
    chart: Series | None
    unknown: str
    part: str


def _rows(snap: Snapshot) -> list[tuple[Summary, bool]]:
    errors, success, abandonment, cost = snap.errors, snap.outcome, snap.abandonment, snap.cost
    rows = [
        ("errors", "errors", errors.rate, numbers.percent, False, errors.chart, "call.start"),
        ("success", "success", success.success, numbers.percent, True, success.chart, "call.outcome"),
        (
            "abandonment",
            "abandonment",
            abandonment.rate,
            numbers.percent,
            False,
            abandonment.chart,
            "call.end",
        ),
        ("cost per call", "cost", cost.per_call, numbers.dollars, False, cost.chart, "usage"),
        ("sentiment", "sentiment", snap.mood.sentiment, numbers.plain, True, None, "call.outcome"),
    ]
    return [_row(snap, *row) for row in rows]


def _row(
    snap: Snapshot,
    name: str,
    kind: str,
    figure: Figure,
    write: Callable[[float], str],
    low_is_bad: bool,
    chart: Series | None,
    event: str,
) -> tuple[Summary, bool]:
    """One figure, and whether the verdict speaks of it; errors alone are of the view's window."""
    span = snap.view.span if kind == "errors" else outcome_span(snap)
    unknown, part = why_unknown(snap, figure, event, span), part_of_window(snap, span)
    return Summary(name, kind, figure, write, low_is_bad, chart, unknown, part), troubled(snap, kind)


def _summary(summary: Summary, bad: bool, options: DisplayOptions, width: int) -> Line:
    """One figure: abandonment  6.2 %  ▲ 1.6×  normal 4.0 %  n 402  ▂▃▅▇."""
    row = Row(2).left(14, summary.name, "title")
    if not summary.figure.n:
        return fit(row.add(summary.unknown, "faint").line(), width)
    reading = write_figure(summary.figure, summary.write, low_is_bad=summary.low_is_bad, troubled=bad)
    tone = reading.tone if reading.tone in ("degraded", "muted") else "strong"
    row.right(24, reading.value, tone).add("  ")
    compared(row, reading).to(34)
    row.add(f"normal {reading.normal}" if reading.normal else "", "muted")
    _add_whole(row, 49, "" if summary.figure.few else f"n {summary.figure.n:,}", "faint", width)
    _add_whole(row, 58, summary.part, "muted", width)
    row.add("  " if row.width > 58 else "").to(58)
    if summary.chart is not None and width - row.width >= 12:
        known = spark(summary.chart, width - row.width, options, _silent)
        row.put(known[:1])
    return fit(row.line(), width)


def _add_whole(row: Row, start: int, text: str, tone: str, width: int) -> None:
    """Add a text from this column on, or nothing if it doesn't fit."""
    if text and max(start, row.width) + cells(text) <= width:
        row.to(start).add(text, tone)


def _silent(_: float) -> str:
    return ""


def _worst_error(snap: Snapshot) -> str:
    if not snap.errors.kinds:
        return ""
    worst = snap.errors.kinds[0]
    name = labels.fault(worst.component, worst.category)
    return clip(f"worst error {name} {share_of_calls(worst.rate)}", 46)
