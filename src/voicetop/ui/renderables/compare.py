"""The comparison of two times: significant changes first, then segments, then everything else."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan, log10
from typing import NamedTuple

from voicetop.engine.snapshot.comparison import (
    Comparison,
    FigureChange,
    Finding,
    SegmentChange,
    Unit,
    WindowSample,
)
from voicetop.formatting import labels, numbers, times
from voicetop.ui.lines import BLANK, Line, Row, cells, clip, fit, rule, selected
from voicetop.ui.style.display_options import SPANS, DisplayOptions

SIGNS: dict[Finding, tuple[str, str, str]] = {
    "worse": ("▲", "worse", "degraded"),
    "better": ("●", "better", "ok"),
    "changed": ("→", "changed", "accent"),
    "noise": ("·", "noise", "faint"),
    "few": ("·", "too few", "faint"),
    "unknown": ("·", "unknown", "faint"),
}
"""Glyph, word and tone of each finding. A change of traffic is neither good nor bad."""
KINDS = {"live calls": "live calls", "turns": "turns per minute", "interruptions": "interruptions per 100"}
SIGN_WIDTH, VALUE_WIDTH, STEP_WIDTH, BOUNDS_WIDTH, N_WIDTH, REST_WIDTH = 11, 9, 8, 16, 13, 22
SHORT_N_WIDTH, GAP = 10, 1


class CompareEntry(NamedTuple):
    """A line of the table: a title, or a figure of all calls or of a segment."""

    title: str = ""
    note: str = ""
    change: FigureChange | None = None
    segment: SegmentChange | None = None


def entries(comparison: Comparison) -> list[CompareEntry]:
    """The table: changes by evidence, segments by evidence, then the rest in panel order."""
    news = sorted(comparison.news, key=lambda row: row.chance)
    unchanged = [row for row in comparison.rows if not row.news]
    rows: list[CompareEntry] = []
    if news:
        rows.append(CompareEntry("changed", f"{len(news)} of {comparison.tested}, most certain first"))
        rows += [CompareEntry(change=row) for row in news]
    if comparison.segments:
        rows.append(
            CompareEntry(
                "segments that changed most", f"{comparison.searched:,} compared, most certain first"
            )
        )
        rows += [CompareEntry(change=segment.change, segment=segment) for segment in comparison.segments]
    if unchanged:
        rows.append(CompareEntry("no change beyond noise" if news or comparison.segments else "every panel"))
        rows += [CompareEntry(change=row) for row in unchanged]
    return rows


# -- words -----------------------------------------------------------------------------------------------------------


def name_of(change: FigureChange) -> str:
    """The display name of a figure: "llm_ttft P95" is "P95 LLM", "error:llm:timeout" is "LLM timeout errors"."""
    if change.name.startswith("error:"):
        return labels.errors(*change.name.split(":")[1:])
    if change.unit == "ms":
        stage, _, quantile = change.name.rpartition(" ")
        return labels.short_latency(stage, quantile)
    return KINDS.get(change.name) or labels.FIGURES.get(change.name, change.name)


def segment_name(segment: SegmentChange) -> str:
    """P95 e2e · billing × es: the figure first, since a long name is cut at its end."""
    return f"{name_of(segment.change)} · {' × '.join(value for _, value in segment.where)}"


WRITERS: dict[Unit, Callable[[float], str]] = {
    "ms": numbers.milliseconds,
    "share": numbers.percent,
    "dollars": numbers.dollars,
    "of 5": lambda value: numbers.DASH if isnan(value) else f"{value:.2f}",
    "per 100": numbers.plain,
    "per min": numbers.count,
    "calls": numbers.count,
}
STEPS: dict[Unit, Callable[[float], str]] = {
    "ms": lambda value: f"{value:+,.0f}",
    "share": lambda value: f"{100 * value:+.1f}",
    "dollars": lambda value: f"{value:+.3f}",
    "of 5": lambda value: f"{value:+.2f}",
    "per 100": lambda value: f"{value:+.1f}",
    "per min": lambda value: f"{value:+,.0f}",
    "calls": lambda value: f"{value:+,.0f}",
}
"""Writers of a difference without its unit; shares in percentage points."""


def value_of(value: float, unit: Unit, *, least: bool = False) -> str:
    return ("≥" if least else "") + WRITERS[unit](value)


def step_of(value: float, unit: Unit) -> str:
    """+1,032, −0.4; a dash if unknown."""
    return numbers.DASH if isnan(value) else STEPS[unit](value).replace("-", "−")


def bounds_of(change: FigureChange) -> str:
    """The 95 % interval of the difference: "+835…+1,186"."""
    if isnan(change.low):
        return ""
    return f"{step_of(change.low, change.unit)}…{step_of(change.high, change.unit)}"


def counts_of(change: FigureChange, *, short: bool = False) -> str:
    """The n of both: "3,778/14k", short "3.8k/14k"."""
    most = 1_000 if short else 10_000
    return f"{numbers.short_count(change.n_a, most)}/{numbers.short_count(change.n_b, most)}"


def probability(chance: float) -> str:
    """The probability of such a difference by chance, in words."""
    if chance >= 0.5:
        return "p ≈ 1"
    if chance < 1e-6:
        return f"p < 1e-{min(99, int(-log10(max(chance, 1e-99))))}"
    return f"p = {chance:.2g}"


# -- the head --------------------------------------------------------------------------------------------------------


def head(comparison: Comparison, names: tuple[str, str], options: DisplayOptions, width: int) -> list[Line]:
    """The two windows, the result, and caveats."""
    a, b = (
        f"{name} {window(moment, options)}"
        for name, moment in zip(names, (comparison.a, comparison.b), strict=True)
    )
    lines = [rule(f"{a}  →  {b}", width, "" if width < 100 else f"at most {SPANS[comparison.b.span]} each")]
    return [
        *lines,
        *(fit(line, width) for line in (summary(comparison, width), *warnings(comparison, width))),
    ]


def window(moment: WindowSample, options: DisplayOptions) -> str:
    """14:02:10–14:07:10; with the day where it isn't within a day of its own end."""
    return f"{options.clock(moment.start)}–{options.clock(moment.end)}"


def summary(comparison: Comparison, width: int) -> Line:
    """The result in one line."""
    news, segments = len(comparison.news), len(comparison.segments)
    worse = any(
        row.finding == "worse"
        for row in (*comparison.news, *(segment.change for segment in comparison.segments))
    )
    parts = [
        numbers.counted(news, "figure") if news else "",
        numbers.counted(segments, "segment") if segments else "",
    ]
    glyph, tone = ("▲", "degraded") if worse else ("→", "accent")
    head = f"{glyph} {' and '.join(part for part in parts if part)} changed beyond noise"
    if not news and not segments:
        head, tone = "● no change beyond noise", "ok"
    row = Row(1).add(head, tone)
    looked = f" · {comparison.tested} figures and {comparison.searched:,} in segments compared"
    if row.width + cells(looked) > width:
        looked = f" · {comparison.tested} and {comparison.searched:,} compared"
    return row.add(looked, "muted").line()


def warnings(comparison: Comparison, width: int) -> list[Line]:
    """Caveats of the comparison."""
    parts: list[tuple[str, str]] = []
    if comparison.overlap_s > 0:
        long = times.long_span(comparison.overlap_s)
        parts.append(
            (f"▲ the windows overlap by {long}: calls in both make changes look smaller", "degraded")
        )
    if comparison.a.end > comparison.b.end:
        parts.append(("A is later than B: the differences go back in time", "muted"))
    if min(comparison.a.end - comparison.a.start, comparison.b.end - comparison.b.start) < 60:
        parts.append(("one of the windows is shorter than a minute: little is known yet", "muted"))
    if not comparison.units:
        parts.append(("natural variation isn't known yet: small changes may be just that", "muted"))
    return [Row(1).add(clip(text, width - 2), tone).line() for text, tone in parts]


# -- the table -------------------------------------------------------------------------------------------------------


class Widths(NamedTuple):
    """Widths of the columns; 0 for those without room. `rest` is the change of all other calls."""

    name: int
    step: int
    bounds: int
    n: int
    rest: int


def widths(width: int) -> Widths:
    """Interval and n stay as long as there is any room, since without them noise looks like news; B − A is seen."""
    room = width - SIGN_WIDTH - 2 * (VALUE_WIDTH + GAP) - 1
    bounds = BOUNDS_WIDTH if room >= 12 + BOUNDS_WIDTH else 0
    room -= bounds
    n = N_WIDTH if room >= 40 else SHORT_N_WIDTH if room >= 14 + SHORT_N_WIDTH else 0
    room -= n
    step = STEP_WIDTH if room >= 22 + STEP_WIDTH else 0
    room -= step
    rest = REST_WIDTH if room >= 36 + REST_WIDTH else 0
    return Widths(max(4, min(44, room - rest)), step, bounds, n, rest)


def heading(width: int) -> Line:
    """The column titles."""
    size = widths(width)
    row = Row(1).add("FOUND", "faint").to(SIGN_WIDTH).add("FIGURE", "faint")
    row.to(SIGN_WIDTH + size.name)
    for title in ("A", "B"):
        row.right(row.width + VALUE_WIDTH + GAP, title, "faint")
    if size.step:
        row.right(row.width + size.step, "B − A", "faint")
    if size.bounds:
        row.right(row.width + size.bounds, "95 %", "faint")
    if size.n:
        row.right(row.width + size.n, "n A/B", "faint")
    if size.rest:
        row.right(row.width + size.rest, "ALL OTHERS", "faint")
    return fit(row.line(), width)


def line_of(entry: CompareEntry, width: int, *, chosen: bool = False) -> Line:
    """A title, or one figure in A and B."""
    change = entry.change
    if change is None:
        return fit(
            Row(1).add(entry.title, "title").add(f"  {entry.note}" if entry.note else "", "faint").line(),
            width,
        )
    size = widths(width)
    glyph, word, tone = SIGNS[change.finding]
    name = segment_name(entry.segment) if entry.segment else name_of(change)
    row = Row().add("▸" if chosen else " ", "accent").left(SIGN_WIDTH - 1, f"{glyph} {word}", tone)
    row.left(size.name, name, "strong" if change.news else "text")
    for value, least in ((change.a, change.least_a), (change.b, change.least_b)):
        row.right(row.width + VALUE_WIDTH + GAP, value_of(value, change.unit, least=least), "text")
    if size.step:
        step = step_of(change.difference, change.unit)
        row.right(row.width + size.step, step, tone if change.news else "muted")
    if size.bounds:
        row.right(row.width + size.bounds, bounds_of(change), "muted" if change.news else "faint")
    if size.n:
        row.right(row.width + size.n, counts_of(change, short=size.n < N_WIDTH), "faint")
    if size.rest and entry.segment:
        rest = entry.segment.rest
        row.right(
            row.width + size.rest, f"{step_of(rest.difference, rest.unit)} {SIGNS[_rest(rest)][1]}", "muted"
        )
    line = fit(row.line(), width)
    return selected(line) if chosen else line


def _rest(rest: FigureChange) -> Finding:
    """The finding for all other calls, on its own."""
    if rest.finding != "noise" or rest.low <= 0 <= rest.high:
        return rest.finding
    return "changed"


def why_lines(entry: CompareEntry, width: int) -> list[Line]:
    """The selected figure in full: both values with n, the difference with its interval, the rest."""
    change = entry.change
    if change is None:
        return [fit(BLANK, width)] * 3
    glyph, word, tone = SIGNS[change.finding]
    name = segment_name(entry.segment) if entry.segment else name_of(change)
    first = Row(1).add(f"{glyph} {word}  ", tone).add(name, "strong")
    unit = " points" if change.unit == "share" else ""
    a, b = (
        value_of(v, change.unit, least=least)
        for v, least in ((change.a, change.least_a), (change.b, change.least_b))
    )
    second = Row(3).add(f"{a} → {b}", "text")
    if not isnan(change.low):
        second.add(f"  {step_of(change.difference, change.unit)}{unit}", tone if change.news else "text")
        second.add(f"  95 % {bounds_of(change)}", "muted")
    second.add(f"  n {change.n_a:,} and {change.n_b:,}", "muted")
    return [fit(row.line(), width) for row in (first, second, Row(3).add(_reason(entry, change), "muted"))]


def _reason(entry: CompareEntry, change: FigureChange) -> str:
    if change.finding == "few":
        return "too few in one of the windows to tell a change from noise"
    if change.finding == "unknown":
        return "data in only one of the two windows" if change.n_a or change.n_b else "no data in either"
    if entry.segment is not None:
        rest = entry.segment.rest
        a, b = (value_of(value, rest.unit) for value in (rest.a, rest.b))
        did = SIGNS[_rest(rest)][1]
        return f"all others {a} → {b} ({did}) · {probability(change.chance)}"
    if not change.news and not change.low <= 0 <= change.high:
        return f"{probability(change.chance)}: not significant among so many figures"
    return probability(change.chance)


def table(comparison: Comparison, names: tuple[str, str], options: DisplayOptions, width: int) -> list[Line]:
    """The whole comparison, for copying."""
    return [
        *head(comparison, names, options, width),
        heading(width),
        *(line_of(entry, width) for entry in entries(comparison)),
    ]
