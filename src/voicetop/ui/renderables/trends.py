"""Trends: 24 hours in 15-minute steps, as many panels as fit."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from typing import NamedTuple

from voicetop.charts import blocks, heat
from voicetop.engine.snapshot import NAN, HeatMap, MixRow, Series, Snapshot, StepShare, TrendsPanel
from voicetop.formatting import labels, numbers
from voicetop.ui.lines import BLANK, Line, Row, Span, beside, block, fit, rule
from voicetop.ui.renderables.chart import GUTTER, axis_foot, axis_row, place_of, runs
from voicetop.ui.renderables.plots import (
    Plot,
    index_at,
    marker_near,
    part_at,
    plot_panel,
    reading,
)
from voicetop.ui.renderables.tabs import tabs
from voicetop.ui.style.display_options import DisplayOptions

GAP = 3
PANELS = (
    *("latency", "heat", "errors", "success", "abandonment", "escalation"),
    *("cost", "calls", "sentiment", "mix", "funnel"),
)
SHORT = {"heat": "heat map", "mix": "intents", "abandonment": "abandoned", "escalation": "escalated"}
SHADES, SHADES_ASCII = " ░▒▓█", " .:*#"
LEAST_HEIGHT = 10
MIX_LEAST = 0.02


class Grid(NamedTuple):
    """Columns and rows of panels."""

    across: int
    down: int

    @property
    def many(self) -> int:
        return self.across * self.down


def grid_of(width: int, height: int) -> Grid:
    """One panel on 80×24, all of them on 200×50.

    >>> grid_of(80, 19), grid_of(200, 45)
    (Grid(across=1, down=1), Grid(across=3, down=4))
    """
    across = 1 if width < 100 else 2 if width < 160 else 3 if width < 260 else 4
    down = max(1, min(height // LEAST_HEIGHT, -(-len(PANELS) // across)))
    return Grid(across, down)


def trends(
    snap: Snapshot,
    options: DisplayOptions,
    width: int,
    height: int,
    *,
    focus: int = 0,
    large: bool = False,
    at: float = NAN,
) -> list[Line]:
    """The tabs, then the page of panels with the focused one; `large` shows that one alone."""
    room = height - 1
    grid = Grid(1, 1) if large else grid_of(width, room)
    first = focus // grid.many * grid.many
    shown = PANELS[first : first + grid.many]
    names = {name: SHORT.get(name, name) for name in PANELS}
    note = f"{focus + 1} of {len(PANELS)}"
    bright = [names[name] for name in shown]
    lines = [tabs([*names.values()], names[PANELS[focus]], width, note, bright)]
    for index in range(0, len(shown) if room > 0 else 0, grid.across):
        row = shown[index : index + grid.across]
        left = grid.down - index // grid.across
        tall = (room - len(lines) + 1) // left
        each = (width - GAP * (grid.across - 1)) // grid.across
        made = [panel(name, snap, options, each, tall, at=at, focused=name == PANELS[focus]) for name in row]
        lines += beside(made, [each] * len(made), GAP)
    return block(lines, height, width)


def panel(
    name: str, snap: Snapshot, options: DisplayOptions, width: int, height: int, *, at: float, focused: bool
) -> list[Line]:
    """One panel by its name, in exactly `height` lines."""
    asked = snap.trends or TrendsPanel()
    plot = plots(snap).get(name)
    if plot is not None:
        lines = plot_panel(plot, options, width, height, markers=snap.markers, at=at)
    elif name == "heat":
        lines = heat_panel(asked.heat, snap, options, width, height, at=at)
    elif name == "mix":
        lines = mix_panel(asked.mix, options, width, height)
    else:
        lines = funnel_panel(asked.funnel, options, width, height)
    return [marked(lines[0]) if focused else lines[0], *lines[1:], *[BLANK] * (height - len(lines))][:height]


def marked(head: Line) -> Line:
    """The title rule of the focused panel."""
    return (("▸─", "accent"), *((text, "accent" if tone == "title" else tone) for text, tone in head[1:]))


def plots(snap: Snapshot) -> dict[str, Plot]:
    """The panels that are charts of lines."""
    lines = {name: (unit, series) for name, unit, series in (snap.trends or TrendsPanel()).lines}
    p95, cost = snap.latency.e2e.p95, snap.cost.per_call

    def one(
        key: str, title: str, line: str, write: Callable[[float], str], axis: Callable[[float], str]
    ) -> Plot:
        shown = ((line, lines[line][1]),) if line in lines else ()
        return Plot(key, title, shown, write, axis, note="24 h, by 15 min")

    latency = one("latency", "response time", "P95", numbers.milliseconds, numbers.axis_ms)
    more = tuple((name, lines[name][1]) for name in ("P50", "P99") if name in lines)
    made = (
        latency._replace(lines=latency.lines + more, warn=p95.warn, normal=p95.normal.value, unit="turn"),
        one("errors", "errors, % of calls", "errors", numbers.percent, numbers.axis_percent),
        one("success", labels.FIGURES["success"], "success", numbers.percent, numbers.axis_percent)._replace(
            warn=snap.outcome.success.warn, normal=snap.outcome.success.normal.value, low_is_bad=True
        ),
        one(
            "abandonment", labels.FIGURES["abandonment"], "abandonment", numbers.percent, numbers.axis_percent
        )._replace(warn=snap.abandonment.rate.warn, normal=snap.abandonment.rate.normal.value),
        one(
            "escalation", labels.FIGURES["escalation"], "escalation", numbers.percent, numbers.axis_percent
        )._replace(warn=snap.outcome.escalation.warn, normal=snap.outcome.escalation.normal.value),
        one("cost", labels.FIGURES["cost"], "cost per call", numbers.dollars, numbers.axis_dollars)._replace(
            warn=cost.warn, normal=cost.normal.value
        ),
        one("calls", "calls started per 15 min", "calls", numbers.count, numbers.axis_plain),
        one("sentiment", "sentiment, of 5", "sentiment", numbers.plain, numbers.axis_plain)._replace(
            warn=snap.mood.sentiment.warn, normal=snap.mood.sentiment.normal.value, low_is_bad=True
        ),
    )
    return {plot.id: plot for plot in made}


def series_of(name: str, snap: Snapshot) -> Series | None:
    """The series under a panel's cursor; None without a cursor."""
    if name == "heat":
        shown = snap.trends.heat if snap.trends else None
        return _columns(shown) if shown else None
    plot = plots(snap).get(name)
    return plot.main if plot is not None else None


def read(name: str, snap: Snapshot, options: DisplayOptions, at: float) -> str:
    """The values at a panel's cursor."""
    shown = snap.trends.heat if snap.trends else None
    if name == "heat" and shown is not None:
        change = marker_near(snap.markers, _columns(shown), at, options)
        return f"{options.clock(at, seconds=False)}  {heat_reading(shown, at)} {change}".rstrip()
    plot = plots(snap).get(name)
    return reading(plot, snap.markers, options, at) if plot is not None else "no time axis here"


# -- the heat map ---------------------------------------------------------------------------------------------------


def _columns(shown: HeatMap) -> Series:
    return Series(
        shown.start, shown.step, tuple(float(sum(column)) for column in shown.counts), until=shown.until
    )


def heat_panel(
    shown: HeatMap | None,
    snap: Snapshot,
    options: DisplayOptions,
    width: int,
    height: int,
    *,
    at: float = NAN,
) -> list[Line]:
    """Turns by time and latency, each quarter in its own shades: two bands are two humps that a percentile hides."""
    part = part_at(_columns(shown), at) if shown is not None else ""
    head = rule("response time by turns", width, "log scale", part, "24 h, by 15 min")
    if shown is None or height < 5:
        return [
            head,
            Row(2).add("no turns yet; needs turn events with a latency", "faint").line(),
        ]
    plot, rows = max(4, width - GUTTER - 1), height - 3
    table = heat.pooled(shown.counts, plot, rows)
    shades = SHADES_ASCII if options.ascii else SHADES
    grid: list[list[Span]] = [[] for _ in range(rows)]
    for column in table:
        most = max(column, default=0)
        for y in range(rows):
            level = heat.level(column[rows - 1 - y], most)
            grid[y].append((shades[level], f"heat{max(1, level)}"))
    _cursor(grid, shown, at, plot)
    labels = _edges(shown, rows)
    body = [axis_row(labels.get(y), runs(row)) for y, row in enumerate(grid)]
    foot = axis_foot("e2e", _columns(shown), plot, options, snap.markers)
    return [head, _scale(shades, shown, options, width, at), *body, foot]


def _cursor(grid: list[list[Span]], shown: HeatMap, at: float, plot: int) -> None:
    if not isnan(at):
        x = place_of(_columns(shown), at, plot)
        for row in grid:
            row[x] = ("│" if row[x][0] == " " else row[x][0], "accent")


def _edges(shown: HeatMap, rows: int) -> dict[int, str]:
    """Latency labels at every third row."""
    bands = len(shown.edges) - 1
    return {
        rows - 1 - y: numbers.axis_ms(float(f"{shown.edges[heat.span(y, bands, rows)[0]]:.2g}"))
        for y in range(0, rows, 3)
    }


def _scale(shades: str, shown: HeatMap, options: DisplayOptions, width: int, at: float) -> Line:
    """The legend of the shades, or the values at the cursor."""
    if not isnan(at):
        return fit(
            Row(2)
            .add(f"{options.clock(at, seconds=False)}  ", "accent")
            .add(heat_reading(shown, at), "text")
            .line(),
            width,
        )
    row = Row(2).add("few ", "muted")
    for level in range(1, heat.LEVELS + 1):
        row.add(shades[level] * 2, f"heat{level}")
    return fit(row.add(" most turns at that time", "muted").line(), width)


def heat_reading(shown: HeatMap, at: float) -> str:
    """How many turns, and where they lie: "n 431 turns · 31 % at 840–1,000 ms · 12 % at 2.8–3.4 s"."""
    index = index_at(_columns(shown), at)
    if not 0 <= index < len(shown.counts) or not sum(shown.counts[index]):
        return "no turns"
    column = shown.counts[index]
    total = sum(column)
    said = [f"n {numbers.counted(total, 'turn')}"]
    said += [
        f"{numbers.whole_percent(column[row] / total)} at {_band(shown, row)}" for row in humps(column)[:2]
    ]
    return " · ".join(said)


def humps(column: tuple[int, ...]) -> list[int]:
    """The rows that stand out from their neighbours, the fullest first.

    >>> humps((1, 9, 2, 0, 1, 5, 1))
    [1, 5]
    """
    near = [(0, 0, *column, 0, 0)[row : row + 5] for row in range(len(column))]
    tops = [row for row, around in enumerate(near) if column[row] and column[row] == max(around)]
    least = max(column, default=0) / 20
    return sorted((row for row in tops if column[row] >= least), key=lambda row: -column[row])


def _band(shown: HeatMap, row: int) -> str:
    low, high = shown.edges[row], shown.edges[row + 1]
    return f"{low:,.0f}–{high:,.0f} ms" if high < numbers.LONG_MS else f"{low / 1000:.1f}–{high / 1000:.1f} s"


# -- intents and funnel ---------------------------------------------------------------------------------------------


def mix_panel(mix: tuple[MixRow, ...], options: DisplayOptions, width: int, height: int) -> list[Line]:
    """Each intent's share of the calls of 30 minutes against its share of the day; new ones say so."""
    n = sum(row.calls for row in mix)
    head = rule("intents, 30 min vs. 24 h", width, f"n {n:,}")
    if not mix:
        return [head, Row(2).add("no intents yet; needs segments.intent in call.update", "faint").line()]
    names = min(20, max(10, width - 42))
    title = (
        Row(2)
        .left(names, "INTENT", "faint")
        .right(names + 9, "NOW", "faint")
        .right(names + 18, "USUAL", "faint")
    )
    most = max(max(row.share, row.usual) for row in mix) or 1.0
    ordered = sorted(mix, key=lambda row: (not row.new, -row.calls, row.value))
    lines = [head, title.line()]
    for row in ordered[: height - 3]:
        line = Row(2).left(names, row.value, "strong" if row.new else "text")
        line.right(names + 9, numbers.percent(row.share), "strong").right(
            names + 18, numbers.percent(row.usual), "muted"
        )
        line.add("  ").put(_shift(row)).to(names + 30)
        line.add(
            blocks.strokes(row.share / most, max(0, width - line.width - 2), ascii_only=options.ascii), "bar"
        )
        lines.append(fit(line.line(), width))
    rest = len(mix) - (height - 3)
    if rest > 0:
        lines.append(Row(2).add(f"and {rest} more", "faint").line())
    return lines


def _shift(row: MixRow) -> Line:
    """The change of its share, if large."""
    if row.new:
        return (("▲ new", "degraded"),)
    moved = row.share - row.usual
    if abs(moved) < MIX_LEAST or row.calls < 5:
        return (("●", "ok"),)
    more = moved > 0
    return (
        (
            f"{'▲' if more else '▼'} {moved * 100:+.0f} pt".replace("-", "−"),
            "degraded" if abs(moved) > 0.1 else "text",
        ),
    )


def funnel_panel(
    funnel: tuple[StepShare, ...], options: DisplayOptions, width: int, height: int
) -> list[Line]:
    """Who reached each step, and how many were lost from it to the next or hung up in it."""
    head = rule("funnel by step", width, "30 min")
    if not funnel:
        return [head, Row(2).add("no steps yet; needs call.step events", "faint").line()]
    names = min(18, max(10, width - 40))
    title = (
        Row(2)
        .left(names, "STEP", "faint")
        .right(names + 10, "REACHED", "faint")
        .right(names + 21, "HUNG UP", "faint")
    )
    lines = [head, title.line()]
    most = max(step.reached for step in funnel) or 1
    worst = max(step.share for step in funnel)
    for step in funnel[: height - 2]:
        line = (
            Row(2)
            .left(names, step.step or numbers.DASH, "text")
            .right(names + 10, f"{step.reached:,}", "strong")
        )
        dropped = step.abandoned / step.reached if step.reached else NAN
        most_left = step.abandoned > 0 and step.share == worst
        line.right(names + 21, numbers.percent(dropped), "strong" if most_left else "muted").add("  ")
        line.add(
            blocks.strokes(step.reached / most, max(0, width - line.width - 2), ascii_only=options.ascii),
            "bar",
        )
        lines.append(fit(line.line(), width))
    return lines
