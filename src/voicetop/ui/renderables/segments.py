"""Segments: every value of a dimension, each figure against its own normal, worst first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from voicetop.engine.snapshot import NAN, Figure, SegmentRow, SegmentsPanel, Snapshot
from voicetop.formatting import numbers
from voicetop.formatting.numbers import known
from voicetop.ui.lines import BLANK, Line, Row, Span, cells, clip, fit, rule, selected, width_of
from voicetop.ui.renderables.health import shown_window
from voicetop.ui.renderables.segment_columns import (
    GAP,
    MARK,
    VALUE,
    FittedSegmentColumns,
    SegmentColumn,
    off_normal,
    reason,
)
from voicetop.ui.renderables.written_figure import plus_minus


def head(snap: Snapshot, panel: SegmentsPanel, width: int) -> Line:
    """Dimension, window, and the number of values left out."""
    own = "compared with its own normal" if any(map(_has_normal, panel.rows)) else "no normal known yet"
    against = own if panel.dimension != "hour" else "24 h, compared with the day"
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
    """The mark: stuck callers, worse than normal and the rest, off its normal as the rest is, too few, or fine."""
    if "stuck" in row.worse_in:
        return ("■", "down")
    if row.worse:
        return ("▲", "degraded")
    if off_normal(row):
        return ("≈", "degraded")
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
    stuck = f" · {row.stuck:,} stuck" if row.stuck and "stuck" not in row.worse_in else ""
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
    own, off = [figure for figure in row.worse if not figure.where], ", ".join(off_normal(row))
    if own:
        reasons = "; ".join(map(reason, own))
        return f"worse than its own normal and the rest: {reasons}", reasons
    if row.worse:
        reasons = ", ".join(map(reason, row.worse))
        return f"the verdict finds {reasons}", reasons
    if off:
        return f"worse than its own normal, but no more than the rest: {off}", f"as bad as the rest: {off}"
    if not _has_normal(row):
        return "no difference from the rest; its normal isn't known yet", "nothing stands out"
    return "no difference from its normal and the rest", "nothing stands out"


def _has_normal(row: SegmentRow) -> bool:
    return row.p95.normal.known or row.errors.normal.known


def _against(row: SegmentRow) -> list[Line]:
    """Response time and errors, or the figures that mark the row, against their normal and the rest."""
    names = [name for name in row.worse_in if name in _FIGURES]
    names += [name for name in ("latency", "errors") if name not in names]
    lines = [line for name in names if (line := _FIGURES[name](row))]
    return [*lines, (), ()][:2]


def _p95(row: SegmentRow) -> Line:
    said = _compared("P95", row.p95, numbers.milliseconds, row.rest_p95, "≥ " * row.rest_at_least)
    slow = next((figure for figure in row.worse if figure.name == "latency" and not figure.where), None)
    return said if slow is None or not said else (*said, (f"  {reason(slow)}", "muted"))


def _compared(name: str, figure: Figure, write: Callable[[float], str], rest: float, least: str = "") -> Line:
    if not figure.known or figure.few:
        return ()
    said = Row(3).left(8, name, "muted").add(("≥ " if figure.at_least else "") + write(figure.value), "text")
    said.add(f" {plus_minus(figure)}".rstrip(), "faint")
    if figure.normal.known:
        said.add(f"  normal {write(figure.normal.value)}", "muted")
    return said.add(f"  the rest {least}{write(rest)}" if known(rest) else "", "muted").line()


def _outcome(name: str, title: str, write: Callable[[float], str]) -> Callable[[SegmentRow], Line]:
    def line(row: SegmentRow) -> Line:
        rest = next((figure.rest for figure in row.worse if figure.name == name), NAN)
        return _compared(title, getattr(row, name), write, rest)

    return line


_FIGURES: dict[str, Callable[[SegmentRow], Line]] = {
    "latency": _p95,
    "errors": lambda row: _compared("errors", row.errors, numbers.percent, row.rest_errors),
    "success": _outcome("success", "success", numbers.percent),
    "abandonment": _outcome("abandonment", "aband.", numbers.percent),
    "cost": _outcome("cost", "cost", numbers.dollars),
    "sentiment": _outcome("sentiment", "sentim.", numbers.plain),
}


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
