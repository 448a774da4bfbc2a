"""A panel with one chart: its figures, its lines over time, and the values at the cursor."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from typing import NamedTuple

from voicetop.engine.snapshot import NAN, MarkerNote, Series, Snapshot
from voicetop.formatting import labels, numbers, times
from voicetop.ui.lines import BLANK, Line, Row, fit, rule
from voicetop.ui.renderables.chart import GUTTER, chart
from voicetop.ui.style.display_options import DisplayOptions

LINE_TONES = ("chart", "muted", "faint")
EMPTY = {
    "latency": "no turns yet; needs turn events",
    "errors": "no calls yet; needs call.start and error events",
    "success": "no outcomes yet; needs call.outcome events",
    "abandonment": "no ended calls yet; needs call.end events",
    "escalation": "no ended calls yet; counts call.end with reason transferred",
    "cost": "no cost yet; needs usage events",
    "calls": "no calls yet; needs call.start events",
    "sentiment": "no sentiment yet; needs call.outcome events",
}
"""What an empty panel waits for."""


class Plot(NamedTuple):
    """One chart: its lines (the first is the one that is judged), how to write its figures, and where to worry.

    `unit` is what the n of a point counts.
    """

    id: str
    title: str
    lines: tuple[tuple[str, Series], ...]
    write: Callable[[float], str]
    axis: Callable[[float], str]
    warn: float = NAN
    normal: float = NAN
    low_is_bad: bool = False
    unit: str = "call"
    note: str = ""

    @property
    def main(self) -> Series | None:
        return self.lines[0][1] if self.lines else None

    @property
    def empty(self) -> bool:
        return all(isnan(value) for _, series in self.lines for value in series.values)


def overview_plots(snap: Snapshot) -> tuple[Plot, ...]:
    """The charts of the Overview, in Tab order."""
    window = "24 h" if snap.view.span == "24h" else "30 min"
    p95 = snap.latency.e2e.p95
    success, left, cost = snap.outcome.success, snap.abandonment.rate, snap.cost.per_call
    plots_shown = (
        Plot("latency", labels.latency("e2e"), _lines("P95", snap.latency.chart), numbers.milliseconds,
             numbers.axis_ms, p95.warn, p95.normal.value, unit="turn"),
        Plot("errors", "errors, % of calls", _lines("rate", snap.errors.chart), numbers.percent,
             numbers.axis_percent, snap.errors.chart_warn),
        Plot("success", labels.FIGURES["success"], _lines("success", snap.outcome.chart), numbers.percent,
             numbers.axis_percent, success.warn, success.normal.value, low_is_bad=True),
        Plot("abandonment", labels.FIGURES["abandonment"], _lines("left", snap.abandonment.chart), numbers.percent,
             numbers.axis_percent, left.warn, left.normal.value),
        Plot("cost", labels.FIGURES["cost"], _lines("cost", snap.cost.chart), numbers.dollars, numbers.axis_dollars,
             cost.warn, cost.normal.value),
        Plot("calls", "live calls, most at once", _lines("calls", snap.capacity.chart), numbers.count,
             numbers.axis_plain, float(snap.capacity.limit or NAN)),
    )  # fmt: skip
    return tuple(plot._replace(note=window) for plot in plots_shown)


def _lines(name: str, series: Series | None) -> tuple[tuple[str, Series], ...]:
    return ((name, series),) if series is not None else ()


def plot_panel(
    plot: Plot,
    options: DisplayOptions,
    width: int,
    height: int,
    *,
    markers: tuple[MarkerNote, ...] = (),
    at: float = NAN,
) -> list[Line]:
    """Title, figures and chart, in exactly `height` lines."""
    head = rule(plot.title, width, part_at(plot.main, at) if plot.main else "", plot.note)
    if plot.empty or plot.main is None:
        return [head, Row(2).add(EMPTY.get(plot.id, "no data yet"), "faint").line(), *[BLANK] * (height - 2)][
            :height
        ]
    lines = [head, figures_line(plot, options, width, at)]
    room = height - len(lines) - 1
    if room >= 2:
        lines += chart(
            plot.main,
            width - 1,
            room,
            options,
            plot.axis,
            name=plot.lines[0][0] if len(plot.lines[0][0]) < GUTTER - 1 else "",
            warn=plot.warn,
            markers=markers,
            others=tuple(
                (series, LINE_TONES[min(i, len(LINE_TONES) - 1)])
                for i, (_, series) in enumerate(plot.lines[1:], 1)
            ),
            at=at,
            low_is_bad=plot.low_is_bad,
        )
    return [*lines, *[BLANK] * (height - len(lines))][:height]


def figures_line(plot: Plot, options: DisplayOptions, width: int, at: float = NAN) -> Line:
    """The figures of each line, now or at the cursor: P95 3,910 ms  P50 742 ms  ▲ warn 2,445 ms  normal 1,630.

    All are of one time: without a cursor, that of the newest known point of the line that is judged.
    """
    row = Row(2)
    newest = moved(plot.main, at, 0) if plot.main is not None else at
    if not isnan(at) and plot.main is not None:
        row.add(f"{moment(plot.main, options, at)}  ", "accent")
    for index, (name, series) in enumerate(plot.lines):
        value, least = value_at(series, newest), at_least(series, newest)
        over = index == 0 and (value < plot.warn if plot.low_is_bad else value > plot.warn)
        label = f"{name} " if len(plot.lines) > 1 else ""
        row.add(label, "muted" if index == 0 else LINE_TONES[min(index, 2)])
        sign = ("▼ " if plot.low_is_bad else "▲ ") if over else ""
        row.add(
            f"{sign}{least}{plot.write(value)}  ", "degraded" if over else "strong" if index == 0 else "text"
        )
    for text in _notes(plot, at):
        if row.width + len(text) + 2 <= width:
            row.add(f"{text}  ", "muted")
    return fit(row.line(), width)


def _notes(plot: Plot, at: float) -> list[str]:
    notes = [_basis(plot, at)] if _basis(plot, at) else []
    notes += [f"normal {plot.write(plot.normal)}"] if not isnan(plot.normal) else []
    return notes + ([f"warn {plot.write(plot.warn)}"] if not isnan(plot.warn) else [])


def _basis(plot: Plot, at: float) -> str:
    """The n of a point."""
    n = _n_at(plot.main, at) if plot.main is not None else 0
    return f"n {numbers.counted(n, plot.unit)}" if n else ""


def value_at(series: Series, at: float = NAN) -> float:
    """The value at a time; without one, the last known value."""
    index = index_at(series, at)
    return series.values[index] if 0 <= index < len(series.values) else NAN


def at_least(series: Series, at: float = NAN) -> str:
    """A sign in front of that value if it is a lower bound, since callers were waiting."""
    index = index_at(series, at)
    return "≥ " if 0 <= index < len(series.at_least) and series.at_least[index] else ""


def _n_at(series: Series, at: float) -> int:
    index = index_at(series, at)
    return series.n[index] if 0 <= index < len(series.n) else 0


def part_at(series: Series, at: float = NAN) -> str:
    """How much of the time of that value is over, if not all is: "2 of 15 min"."""
    start = series.start + index_at(series, at) * series.step
    return times.of_window(series.until - start, series.step)


def index_at(series: Series, at: float = NAN) -> int:
    """The place of a time among the values; without one, that of the last known value (-1: none is)."""
    if isnan(at):
        return next((i for i in range(len(series.values) - 1, -1, -1) if not isnan(series.values[i])), -1)
    return round((at - series.start) / series.step) if series.step else 0


def moved(series: Series, at: float, steps: int) -> float:
    """The time of the point `steps` from `at`; without `at`, of the newest known point."""
    index = index_at(series, at)
    index = (len(series.values) - 1 if index < 0 else index) + (min(steps, 0) if isnan(at) else steps)
    return series.start + series.step * max(0, min(index, len(series.values) - 1))


def moment(series: Series, options: DisplayOptions, at: float) -> str:
    """A point's time, with seconds if points are less than a minute apart."""
    return options.clock(at, seconds=series.step < 60)


def marker_near(markers: tuple[MarkerNote, ...], series: Series, at: float, options: DisplayOptions) -> str:
    """The marker at the cursor, in words."""
    near = [m for m in markers if abs(m.at - at) <= series.step / 2]
    return f"▼ {near[0].kind} {near[0].label} {options.clock(near[0].at)}" if near else ""


def reading(plot: Plot, markers: tuple[MarkerNote, ...], options: DisplayOptions, at: float) -> str:
    """The values at the cursor, in one line."""
    if plot.main is None:
        return "no data yet"
    values = [
        f"{name} {at_least(series, at)}{plot.write(value_at(series, at))}" for name, series in plot.lines
    ]
    parts = [*values, _basis(plot, at), marker_near(markers, plot.main, at, options)]
    return f"{moment(plot.main, options, at)}  " + " · ".join(part for part in parts if part)
