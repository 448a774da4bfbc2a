"""A braille chart with axes, warning threshold and markers."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import groupby
from math import isnan

from voicetop.charts import blocks, dots
from voicetop.charts.scale import NAN, Scale, ceiling, columns, ticks, time_ticks
from voicetop.engine.snapshot import MarkerNote, Series
from voicetop.ui.lines import Line, Row, Span, cells, clip
from voicetop.ui.style.display_options import DisplayOptions

GUTTER = 8
WARN = "┄ warn "


@lru_cache(maxsize=64)
def chart(
    series: Series,
    width: int,
    height: int,
    options: DisplayOptions,
    write: Callable[[float], str],
    *,
    name: str = "",
    warn: float = NAN,
    markers: tuple[MarkerNote, ...] = (),
    others: tuple[tuple[Series, str], ...] = (),
    at: float = NAN,
    low_is_bad: bool = False,
) -> tuple[Line, ...]:
    """`height` rows of plot and one of times, with the name of what is drawn in its corner.

    `others` are drawn beneath it in tones of their own; `at` is the moment that is being read. Kept, since a series
    changes far less often than a frame is painted.
    """
    plot = max(4, width - GUTTER)
    shown = warn if not isnan(warn) and warn <= _peak(series) * 2 else NAN
    high = ceiling(sum((other.values for other, _ in others), series.values), shown)
    level = -1 if isnan(shown) else _row(shown, high, height)
    bad = range(0) if level < 0 else range(level + 1, height) if low_is_bad else range(level)
    grid = _grid((*others, (series, "chart")), (plot, height), high, options, bad)
    if level >= 0:
        _draw_threshold(grid[level])
    if not isnan(at):
        _draw_cursor(grid, place_of(series, at, plot))
    labels = {_row(value, high, height): write(value) for value in ticks(high, height)}
    lines = [axis_row(labels.get(y), runs(cells_)) for y, cells_ in enumerate(grid)]
    return (*lines, axis_foot(name, series, plot, options, markers))


def axis_row(label: str | None, plot: Line) -> Line:
    """A row of a plot with its label at the left."""
    row = Row().right(GUTTER - 2, clip(label or "", GUTTER - 2), "faint").to(GUTTER - 1)
    return row.add("│" if label is None else "┤", "rule").put(plot).line()


def axis_foot(
    name: str, series: Series, plot: int, options: DisplayOptions, markers: tuple[MarkerNote, ...]
) -> Line:
    """The line of times below a plot."""
    return (
        Row()
        .right(GUTTER - 2, clip(name, GUTTER - 2), "faint")
        .to(GUTTER - 1)
        .put(_times(series, plot, options, markers))
        .line()
    )


def place_of(series: Series, at: float, plot: int) -> int:
    """The column of a plot for a time."""
    return Scale(series.start, series.start + series.step * max(1, len(series.values) - 1), plot).place(at)


def runs(row: list[Span]) -> Line:
    """Join adjacent cells of one tone."""
    return tuple(
        ("".join(char for char, _ in run), tone) for tone, run in groupby(row, key=lambda cell: cell[1])
    )


def _peak(series: Series) -> float:
    return max((value for value in series.values if not isnan(value)), default=0.0)


def _row(value: float, high: float, height: int) -> int:
    return height - 1 - (Scale(0.0, high, height * 4).place(value) >> 2)


def _plot(series: Series, width: int, height: int, high: float, options: DisplayOptions) -> list[str]:
    first = int(series.start // series.step) if series.step else 0
    if options.ascii:
        return dots.line_ascii(columns(series.values, width, first), width, height, high)
    return dots.line(columns(series.values, width * 2, first), width, height, high)


def _grid(
    layers: tuple[tuple[Series, str], ...],
    size: tuple[int, int],
    high: float,
    options: DisplayOptions,
    bad: range,
) -> list[list[Span]]:
    """The overlaid lines, the last on top; rows beyond the warning threshold get its tone."""
    width, height = size
    grid: list[list[Span]] = [[(" ", "degraded" if y in bad else "chart")] * width for y in range(height)]
    for series, tone in layers:
        for y, text in enumerate(_plot(series, width, height, high, options)):
            over = "degraded" if tone == "chart" and y in bad else tone
            for x, char in enumerate(text):
                if char != " ":
                    grid[y][x] = (_joined(grid[y][x][0], char), over)
    return grid


def _joined(below: str, above: str) -> str:
    """The dots of both (braille patterns are bits)."""
    return above if below == " " or above < "⠀" else chr(ord(below) | ord(above))


def _draw_threshold(row: list[Span]) -> None:
    """The warning threshold where nothing covers it, labelled at the left."""
    if all(char == " " for char, _ in row[: len(WARN) + 1]):
        row[: len(WARN)] = [(char, "threshold") for char in WARN]
    row[:] = [
        ("┄", "threshold") if char == " " and tone != "threshold" else (char, tone) for char, tone in row
    ]


def _draw_cursor(grid: list[list[Span]], x: int) -> None:
    for row in grid:
        char, tone = row[x]
        row[x] = ("│" if char in " ┄" or tone == "threshold" else char, "accent")


def _times(series: Series, width: int, options: DisplayOptions, markers: tuple[MarkerNote, ...]) -> Line:
    """The time axis: round times, and labelled markers."""
    end = series.start + series.step * max(1, len(series.values) - 1)
    axis: list[Span] = [("─", "rule")] * width
    scale = Scale(series.start, end, width)
    for marker in markers:
        if series.start <= marker.at <= end:
            _write(axis, scale.place(marker.at), f"▼{clip(marker.label or marker.kind, 10)}", "marker", 0)
    for at in time_ticks(series.start, end, max(1, width // 13)):
        label = options.clock(at, seconds=False)
        _write(axis, scale.place(at), label, "faint", len(label) // 2)
    return (("└", "rule"), *runs(axis))


def _write(axis: list[Span], at: int, text: str, tone: str, before: int) -> None:
    """Put a label on the axis if there is room."""
    if cells(text) != len(text):
        text = text[0] + "".join(char for char in text[1:] if cells(char) == 1)
    start = max(0, min(at - before, len(axis) - len(text)))
    place = axis[start : start + len(text)]
    if len(text) <= len(axis) and all(cell == ("─", "rule") for cell in place):
        axis[start : start + len(text)] = [(char, tone) for char in text]


@lru_cache(maxsize=128)
def spark(
    series: Series | None,
    width: int,
    options: DisplayOptions,
    write: Callable[[float], str],
    *,
    zero: bool = False,
    most: int = 60,
) -> Line:
    """A sparkline with its range: ▂▃▅▇ 3.1–5.0 %. `zero` starts its scale at 0."""
    known = [value for value in series.values if not isnan(value)] if series else []
    if not series or not known:
        return (("no history yet", "faint"),)
    low, high = (0.0 if zero else min(known)), max(known)
    label = f" {_range(_least(series, low) + write(low), _least(series, high) + write(high))}".rstrip()
    columns_ = min(max(4, width - cells(label)), most)
    middle, reach = (low + high) / 2, max(high - low, abs(high) * 0.1, 1e-9)
    base = 0.0 if zero else middle - reach / 2
    first = int(series.start // series.step) if series.step else 0
    values = [value - base for value in columns(series.values, columns_, first)]
    return ((blocks.spark(values, reach, ascii_only=options.ascii), "chart"), (label, "faint"))


def _least(series: Series, value: float) -> str:
    """A sign in front of a value of the series that is a lower bound."""
    marked = zip(series.values, series.at_least, strict=False)
    return "≥ " if any(of == value and at_least for of, at_least in marked) else ""


def _range(low: str, high: str) -> str:
    """A range with the unit only once: "3.0 %" and "5.0 %" are "3.0–5.0 %"; one value if both are the same."""
    if low == high:
        return low
    number, _, unit = low.rpartition(" ")
    return f"{number}–{high}" if number and high.endswith(f" {unit}") else f"{low}–{high}".strip("–")
