"""Segments: every value of a dimension, each figure against its own normal, worst first."""

from __future__ import annotations

from collections.abc import Sequence

from voicetop.engine.snapshot import SegmentRow, SegmentsPanel, Snapshot
from voicetop.formatting import numbers
from voicetop.ui.lines import BLANK, Line, Row, Span, cells, clip, fit, rule, selected, width_of
from voicetop.ui.renderables.health import shown_window
from voicetop.ui.renderables.segment_columns import (
    GAP,
    MARK,
    VALUE,
    FittedSegmentColumns,
    SegmentColumn,
    off_normal,
)
from voicetop.ui.renderables.written_figure import plus_minus


def head(snap: Snapshot, panel: SegmentsPanel, width: int) -> Line:
    """Dimension, window, and the number of values left out."""
    against = "compared with its own normal" if panel.dimension != "hour" else "24 h, compared with the day"
    window = shown_window(snap) if panel.dimension != "hour" else ""
    folded = f"{panel.folded:,} calls are counted under other" if panel.folded else ""
    many = numbers.counted(len(panel.rows), "value")
    return rule(panel.dimension, width, folded, many, ", ".join(part for part in (window, against) if part))


def heading(fitted: Sequence[FittedSegmentColumns], sort: str, width: int, *, reverse: bool) -> Line:
    """The titles, with the sort direction on the sorted column."""
    row = Row(MARK)
    for column, size, _ in fitted:
        end = row.width + size
        chosen = column.id == sort
        place = row.width if not column.right or _is_figure(column) else end - cells(column.title)
        row.to(place).add(column.title, "accent" if chosen else "faint")
        row.add("" if not chosen else "▴" if reverse else "▾", "accent").to(end + GAP)
    return fit(row.line(), width)


def _is_figure(column: SegmentColumn) -> bool:
    return column.width >= 12 and column is not VALUE


def row_line(
    one: SegmentRow, fitted: Sequence[FittedSegmentColumns], width: int, *, chosen: bool = False
) -> Line:
    """One value; its mark shows whether it is worse than its normal and the rest."""
    glyph, tone = mark(one)
    row = Row().add("▸" if chosen else " ", "accent").left(MARK - 1, glyph, tone)
    for column, size, wide in fitted:
        end = row.width + size
        spans = column.write(one, wide)
        have = sum(cells(text) for text, _ in spans)
        if column.right and not (_is_figure(column) and have > size):
            row.to(end - have if not _is_few(spans) else row.width)
        for text, its in fit(spans, size) if have > size else spans:
            row.add(text, its)
        row.to(end + GAP)
    line = fit(row.line(), width)
    return selected(line) if chosen else line


def _is_few(spans: Line) -> bool:
    return len(spans) == 1 and spans[0][0].startswith("n ")


def mark(row: SegmentRow) -> Span:
    """The mark: stuck callers, worse than normal, too few, or fine."""
    if "stuck" in row.worse:
        return ("■", "down")
    if row.worse or off_normal(row):
        return ("▲", "degraded")
    if row.p95.few and row.errors.few:
        return ("·", "faint")
    return ("●", "ok")


def why_lines(row: SegmentRow, dimension: str, width: int, hint: str = "") -> list[Line]:
    """What stands out in one value, in words, then its latency and its errors against normal and the rest.

    `hint` says what can be done with it, below where there is room.
    """
    glyph, tone = mark(row)
    head = Row(1).add(f"{glyph} ", tone).add(f"{dimension}={clip(row.value, 40)}", "strong").add("  ")
    words = _reasons(row)
    said = next((said for said in words if head.width + cells(said) <= width), words[-1])
    latency, errors = _against(row)
    if hint and width_of(errors) + cells(hint) + GAP < width:
        errors = Row().put(errors).right(width - 1, hint, "muted").line()
    return [fit(line, width) for line in (head.add(said, "text").line(), latency, errors)]


def _reasons(row: SegmentRow) -> tuple[str, ...]:
    """Why a row is ranked there, the longest wording first."""
    if not row.worse and row.p95.few and row.errors.few:
        return (f"{row.calls:,} calls are too few to judge", "too few to judge")
    long, short = _stands_out(row)
    stuck = f" · {row.stuck:,} stuck" if row.stuck else ""
    explains = f"explains {numbers.whole_percent(row.explains)}" if row.explains >= 0.005 else ""
    of = " of slow or failed turns beyond normal"
    whole = [
        f"{long} · {explains}{of}{stuck}" if explains else long + stuck,
        f"{long} · {explains}{stuck}" if explains else long + stuck,
        f"{short} · {explains}{stuck}" if explains else short + stuck,
    ]
    return (*whole, short)


def _stands_out(row: SegmentRow) -> tuple[str, str]:
    """In which figures it is worse, and than what; a long and a short wording."""
    worse, off = ", ".join(row.worse), ", ".join(off_normal(row))
    if worse:
        return f"worse than its own normal and the rest: {worse}", f"worse: {worse}"
    if off:
        return f"worse than its own normal, not than the rest: {off}", f"as bad as the rest: {off}"
    return "no difference from its normal and the rest", "nothing stands out"


def _against(row: SegmentRow) -> list[Line]:
    lines: list[Line] = []
    if row.p95.known and not row.p95.few:
        least = "≥ " if row.p95.at_least else ""
        said = Row(3).left(8, "P95", "muted").add(least + numbers.milliseconds(row.p95.value), "text")
        if row.p95.normal.known:
            said.add(f"  normal {numbers.milliseconds(row.p95.normal.value)}", "muted")
        lines.append(said.add(f"  the rest {numbers.milliseconds(row.rest_p95)}", "muted").line())
    if row.errors.known and not row.errors.few:
        said = Row(3).left(8, "errors", "muted").add(numbers.percent(row.errors.value), "text")
        said.add(f" {plus_minus(row.errors)}", "faint")
        if row.errors.normal.known:
            said.add(f"  normal {numbers.percent(row.errors.normal.value)}", "muted")
        lines.append(said.add(f"  the rest {numbers.percent(row.rest_errors)}", "muted").line())
    return [*lines, (), ()][:2]


def empty(snap: Snapshot, dimension: str) -> list[Line]:
    """Why there are no rows."""
    if not snap.dimensions:
        return [
            Row(MARK)
            .add(
                "no segments yet; needs segments in call.start or call.update (intent, language, …)", "faint"
            )
            .line()
        ]
    what = (
        f"no data for {dimension} in this window"
        if snap.view.where
        else f"no data for {dimension} yet (0 values)"
    )
    return [Row(MARK).add(what, "faint").line(), BLANK]
