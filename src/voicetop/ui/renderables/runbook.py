"""A runbook: each item with its state, live values, and link."""

from __future__ import annotations

from collections.abc import Callable

from voicetop.alerts.incident_text import segment_text
from voicetop.alerts.runbooks import PANELS, Runbook, RunbookItem, RunbookLink
from voicetop.engine.snapshot import IncidentNote, IncidentRow, Snapshot
from voicetop.formatting import labels, numbers, times
from voicetop.ui.lines import Line, Row, cells, clip, fit, rule, selected
from voicetop.ui.renderables.alerts import broken
from voicetop.ui.renderables.capacity import headcount
from voicetop.ui.renderables.health import troubled
from voicetop.ui.renderables.written_figure import write_figure
from voicetop.ui.style.display_options import DisplayOptions

INDENT = 8
VALUES_END = 110
"""Live values end here even on wide screens, where the eye would lose the line."""
NOT_NARROWED = ("capacity", "markers", "segments", "trends")
"""Panels that don't depend on the segment."""


def runbook_rule(book: Runbook, row: IncidentRow, width: int) -> Line:
    """── runbook · Replies are slow ─────── 2 of 5 done ──."""
    known = {step.number for step in book.steps}
    done = sum(number in known for number, _ in row.ticks)
    note = f"{done} of {len(book.steps)} done" if book.steps else ""
    return rule(f"runbook · {book.title or book.name}", width, note)


def reason(book: Runbook, width: int) -> list[Line]:
    """Why it isn't the requested runbook, or has no items."""
    return [fit(Row(1).add(part, "muted").line(), width) for part in broken(book.why, width - 2) if part]


def brief(book: Runbook, row: IncidentRow, width: int) -> list[Line]:
    """The items in one or two lines."""
    if not book.steps:
        return reason(book, width)
    ticked = dict(row.ticks)
    steps = " · ".join(f"{_box(step, ticked)} {step.title or clip(step.text, 24)}" for step in book.steps)
    return [
        *reason(book, width),
        *(fit(Row(1).add(part, "text").line(), width) for part in broken(steps, width - 2)),
    ]


def step_lines(
    step: RunbookItem, row: IncidentRow, snap: Snapshot, options: DisplayOptions, width: int, *, chosen: bool
) -> list[Line]:
    """One item: title, live values, text, and who marked it as done, and when."""
    ticked = dict(row.ticks)
    head = Row(1).add("▸" if chosen else " ", "accent").add(f"{_box(step, ticked)} ", "text")
    head.add(f"{step.number} ", "muted").add(step.title or step.text, "strong")
    note = ticked.get(step.number)
    if note is not None:
        head.add(f"  {_by(note, options)}", "ok")
    value = (
        live(step.door, snap, options)
        if step.door is not None and _matches_segment(step.door, row, snap)
        else ""
    )
    room = width - head.width - 3
    if value and cells(value) <= room:
        head.right(min(width - 1, max(VALUES_END, head.width + cells(value) + 3)), value, "text")
        value = ""
    lines = [fit(head.line(), width)]
    if value:
        lines.append(fit(Row(INDENT).add(clip(value, width - INDENT - 1), "text").line(), width))
    words = step.text if step.title else ""
    lines += [
        fit(Row(INDENT).add(part, "muted").line(), width)
        for part in broken(words, width - INDENT - 1)
        if part
    ]
    if step.door is not None:
        lines.append(fit(Row(INDENT).put(leads(step.door)).line(), width))
    return [selected(line) for line in lines] if chosen else lines


def leads(door: RunbookLink) -> Line:
    """→ failing calls · Calls, filter errors>0."""
    screen = PANELS.get(door.panel, "").capitalize() or "no such panel"
    details = [screen, f"filter {door.filter}" if door.filter else "", f"by {door.by}" if door.by else ""]
    return (
        ("→ ", "accent"),
        (door.label or door.panel, "accent"),
        (f" · {', '.join(filter(None, details))}", "faint"),
    )


def _box(step: RunbookItem, ticked: dict[int, IncidentNote]) -> str:
    return "[x]" if step.number in ticked else "[ ]"


def _by(note: IncidentNote, options: DisplayOptions) -> str:
    return f"{note.by} {options.clock(note.at, seconds=False)}"


# -- live values ---------------------------------------------------------------------------------------------------


def live(door: RunbookLink, snap: Snapshot, options: DisplayOptions) -> str:
    """The panel's current values in a few words, or ""."""
    write = _LIVE.get(door.panel)
    return write(snap, options) if write is not None else ""


def _matches_segment(door: RunbookLink, row: IncidentRow, snap: Snapshot) -> bool:
    """Whether the snapshot is narrowed to the segment the item is about."""
    return door.panel in NOT_NARROWED or snap.view.where == (() if door.everybody else row.where)


def _latency(snap: Snapshot, _: DisplayOptions) -> str:
    written = write_figure(snap.latency.e2e.p95, numbers.milliseconds)
    stage, more = snap.latency.culprit, snap.latency.culprit_ms
    grown = f" · {labels.stage(stage)} +{numbers.milliseconds(more)}" if stage else ""
    return f"P95 {written.value} {written.glyph} {written.ratio}".rstrip() + grown


def _errors(snap: Snapshot, _: DisplayOptions) -> str:
    written = write_figure(snap.errors.rate, numbers.percent, troubled=troubled(snap, "errors"))
    worst = "".join(
        f" · {labels.fault(kind.component, kind.category)} {numbers.percent(kind.rate.value)}"
        for kind in snap.errors.kinds[:1]
    )
    return f"{written.value} {written.glyph} {written.ratio}".rstrip() + worst


def _capacity(snap: Snapshot, _: DisplayOptions) -> str:
    panel = snap.capacity
    limit = f" of {panel.limit:,} tested" if panel.limit else ", no limit set"
    line = panel.minutes_to_limit
    return f"{panel.live:,}{limit}" + (f" · limit in {times.span(line * 60)}" if line > 0 else "")


def _success(snap: Snapshot, _: DisplayOptions) -> str:
    written = write_figure(snap.outcome.success, numbers.percent, low_is_bad=True)
    return f"{written.value}, normal {written.normal}" if written.normal else written.value


def _escalation(snap: Snapshot, _: DisplayOptions) -> str:
    written = write_figure(snap.outcome.escalation, numbers.percent)
    return f"{written.value}, normal {written.normal}" if written.normal else written.value


def _abandonment(snap: Snapshot, _: DisplayOptions) -> str:
    written = write_figure(snap.abandonment.rate, numbers.percent, troubled=troubled(snap, "abandonment"))
    steps = snap.abandonment.steps[:1]
    worst = f" · after {steps[0].step} {numbers.whole_percent(steps[0].share)}" if steps else ""
    return f"{written.value} {written.glyph} {written.ratio}".rstrip() + worst


def _cost(snap: Snapshot, _: DisplayOptions) -> str:
    written = write_figure(snap.cost.per_call, numbers.dollars)
    return (
        f"{written.value} per call, normal {written.normal}"
        if written.normal
        else f"{written.value} per call"
    )


def _mood(snap: Snapshot, _: DisplayOptions) -> str:
    written = write_figure(snap.mood.sentiment, numbers.plain, low_is_bad=True)
    return f"sentiment {written.value} of 5 · {snap.calls.frustrated:,} frustrated now"


def _calls(snap: Snapshot, _: DisplayOptions) -> str:
    panel = snap.calls
    if panel.stuck or panel.failing or panel.frustrated:
        return headcount(snap)
    return f"{numbers.counted(panel.of, 'live call')}, {headcount(snap)}"


def _segments(snap: Snapshot, _: DisplayOptions) -> str:
    trouble = next((trouble for trouble in snap.verdict.troubles if trouble.where), None)
    return segment_text(trouble.where, trouble.explains) if trouble is not None else ""


def _changed(snap: Snapshot, options: DisplayOptions) -> str:
    if not snap.markers:
        return "no deploy or other marker known"
    last = max(snap.markers, key=lambda marker: marker.at)
    ago = times.span(max(0.0, snap.at - last.at))
    return f"{last.kind} {last.label} {options.clock(last.at, seconds=False)}, {ago} ago"


_LIVE: dict[str, Callable[[Snapshot, DisplayOptions], str]] = {
    "latency": _latency,
    "errors": _errors,
    "capacity": _capacity,
    "success": _success,
    "escalation": _escalation,
    "abandonment": _abandonment,
    "cost": _cost,
    "sentiment": _mood,
    "calls": _calls,
    "segments": _segments,
    "markers": _changed,
    "trends": _changed,
}
