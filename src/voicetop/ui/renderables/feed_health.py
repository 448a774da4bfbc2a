"""Feed health: a line per source, the worst first; below, what is wrong with one and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from voicetop.engine.snapshot import FeedHealthPanel, SourceHealth, SourceState
from voicetop.formatting import numbers, times
from voicetop.formatting.numbers import DASH, counted
from voicetop.ui.lines import BLANK, Line, Row, Span, cells, clip, fit, rule, selected
from voicetop.ui.renderables.wrapping import wrapped
from voicetop.ui.style.display_options import DisplayOptions

MARK, NAME, GAP = 3, 13, 1
MARKS: dict[SourceState, Span] = {
    "silent": ("?", "blind"),
    "attention": ("▲", "degraded"),
    "note": ("·", "muted"),
    "fine": ("●", "ok"),
    "left": ("○", "muted"),
}
STATES: dict[SourceState, str] = {
    "silent": "silent",
    "attention": "needs attention",
    "note": "fine, with notes",
    "fine": "all is well",
    "left": "has left: it said goodbye, with no live calls",
}
LEAST_WHY = 24
"""Cells for the first trouble of a source, beside its figures."""
SAMPLE_LINES = 3
UNNAMED = "(no source)"


class SourceColumn(NamedTuple):
    """A column, right-aligned; `write` gives its text and tone at a stamp time."""

    title: str
    width: int
    write: Callable[[SourceHealth, float, DisplayOptions], Span]


def _count(pick: Callable[[SourceHealth], int]) -> Callable[[SourceHealth, float, DisplayOptions], Span]:
    def write(source: SourceHealth, at: float, options: DisplayOptions) -> Span:  # noqa: ARG001 - as all columns
        number = pick(source)
        return (numbers.short_count(number, 1_000), "text") if number else ("0", "faint")

    return write


def _since(source: SourceHealth, at: float, options: DisplayOptions) -> Span:
    if not numbers.known(source.since):
        return (DASH, "faint")
    if at - source.since >= times.DAY:
        return (times.span(at - source.since), "muted")
    return (options.clock(source.since, seconds=False), "muted")


def _rate(source: SourceHealth, at: float, options: DisplayOptions) -> Span:  # noqa: ARG001
    rate = source.events_per_s
    return (f"{rate:.1f}" if rate < 10 else numbers.count(rate), "text" if rate else "faint")


def _seen(source: SourceHealth, at: float, options: DisplayOptions) -> Span:  # noqa: ARG001
    if not numbers.known(source.seen):
        return (DASH, "faint")
    return (times.span(max(0.0, at - source.seen)), "blind" if source.state == "silent" else "muted")


def _clock(source: SourceHealth, at: float, options: DisplayOptions) -> Span:  # noqa: ARG001
    if not source.skew_s:
        return ("ok" if source.calls_told >= 0 else DASH, "faint")
    return (("−" if source.skew_s > 0 else "+") + times.span(abs(source.skew_s)), "degraded")


def _calls(source: SourceHealth, at: float, options: DisplayOptions) -> Span:  # noqa: ARG001
    told = DASH if source.calls_told < 0 else numbers.short_count(source.calls_told, 1_000)
    return (f"{told}/{numbers.short_count(source.calls_held, 1_000)}", "text")


COLUMNS: tuple[SourceColumn, ...] = (
    SourceColumn("SINCE", 5, _since),
    SourceColumn("EV/S", 5, _rate),
    SourceColumn("SEEN", 6, _seen),
    SourceColumn("CLOCK", 6, _clock),
    SourceColumn("SAYS/HELD", 9, _calls),
    SourceColumn("BAD", 4, _count(lambda source: source.refused)),
    SourceColumn("FIXED", 5, _count(lambda source: source.repaired)),
    SourceColumn("IGN", 4, _count(lambda source: source.ignored)),
    SourceColumn("QUEUE", 5, _count(lambda source: source.queue)),
    SourceColumn("DROP", 4, _count(lambda source: source.dropped)),
)
"""In order of importance: on narrow screens the last ones go."""


def head(panel: FeedHealthPanel, width: int) -> Line:
    """How many sources there are, and how many need somebody."""
    parts = [
        f"{panel.silent:,} silent" if panel.silent else "",
        f"{panel.attention:,} {'needs' if panel.attention == 1 else 'need'} attention"
        if panel.attention
        else "",
        f"{panel.left:,} left" if panel.left else "",
    ]
    well = "" if panel.silent or panel.attention or not panel.of else "all is well"
    hidden = panel.of - len(panel.sources)
    more = f"{hidden:,} more not listed" if hidden else ""
    notes = [part for part in (counted(panel.of, "source"), *parts, well, more) if part]
    return rule("feed health", width, " · ".join(notes))


def fit_columns(width: int) -> tuple[tuple[SourceColumn, ...], int]:
    """The columns that fit, and the width of the name."""
    columns = COLUMNS
    while columns and MARK + NAME + sum(GAP + column.width for column in columns) > width - 1:
        columns = columns[:-1]
    spare = width - 1 - MARK - NAME - sum(GAP + column.width for column in columns)
    return columns, NAME + min(max(spare, 0), 24)


def heading(width: int) -> Line:
    columns, name = fit_columns(width)
    row = Row(MARK).left(name, "SOURCE", "faint")
    for column in columns:
        row.right(row.width + GAP + column.width, column.title, "faint")
    return fit(row.add("  WHY" if width - row.width >= LEAST_WHY else "", "faint").line(), width)


def source_line(
    source: SourceHealth, at: float, options: DisplayOptions, width: int, *, chosen: bool = False
) -> Line:
    """One source; where there is room, with the first thing that is wrong with it."""
    columns, name = fit_columns(width)
    row = Row().add("▸" if chosen else " ", "accent").left(MARK - 1, *MARKS[source.state])
    row.left(name, source.name or UNNAMED, "muted" if source.state == "left" else "text")
    for column in columns:
        text, tone = column.write(source, at, options)
        row.right(row.width + GAP + column.width, text, tone)
    room = width - row.width - 3
    if source.troubles and room + 3 >= LEAST_WHY:
        row.add("  ").add(clip(source.troubles[0].text, room), "text" if source.troubles[0].now else "muted")
    line = fit(row.line(), width)
    return selected(line) if chosen else line


def remedies(source: SourceHealth, options: DisplayOptions, width: int, height: int) -> list[Line]:
    """What is wrong with one source, each with its remedy and the latest sample, in at most `height` lines."""
    return _within(_remedies(source, options, width), height, width)


def all_remedies(source: SourceHealth, options: DisplayOptions, width: int, height: int) -> list[Line]:
    """The same, of a source that is looked at alone: without samples if there is no room for them."""
    shown = _remedies(source, options, width)
    return _within(
        _remedies(source, options, width, samples=False) if len(shown) > height else shown, height, width
    )


def _remedies(
    source: SourceHealth, options: DisplayOptions, width: int, *, samples: bool = True
) -> list[Line]:
    glyph, tone = MARKS[source.state]
    words = STATES[source.state]
    head_row = Row(1).add(f"{glyph} ", tone).add(clip(source.name or UNNAMED, width // 2), "strong")
    state = f"{words} · {counted(source.events, 'event')}"
    if head_row.width + 2 + cells(state) <= width:
        lines = [head_row.add(f"  {state}", "muted").line()]
    else:
        lines = [head_row.line(), *_paragraph("   ", state, "muted", width)]
    for trouble in source.troubles:
        lines += _paragraph(" ▲ " if trouble.now else " · ", trouble.text, "text", width)
        lines += _paragraph("   → ", trouble.remedy, "muted", width)
        if trouble.sample and samples:
            sample = f"latest, at {options.clock(trouble.at)}: {trouble.sample}"
            lines += _paragraph("     ", clip(sample, SAMPLE_LINES * (width - 10)), "faint", width)
    return lines


def _within(lines: list[Line], height: int, width: int) -> list[Line]:
    if len(lines) > height:
        hidden = len(lines) - height + 1
        lines = [*lines[: height - 1], Row(3).add(f"… {counted(hidden, 'more line')}", "faint").line()]
    return [fit(line, width) for line in lines]


def _paragraph(lead: str, text: str, tone: str, width: int) -> list[Line]:
    indent = cells(lead)
    parts: Sequence[str] = wrapped(text, max(10, width - indent - 1)) if text else ()
    return [
        Row().add(lead if index == 0 else " " * indent, tone).add(part, tone).line()
        for index, part in enumerate(parts)
    ]


def nothing(width: int) -> list[Line]:
    """No source at all."""
    text = "No source has sent anything yet: see the README, or try `voicetop simulate URL`."
    return [fit(Row(MARK).add(text, "faint").line(), width), BLANK]
