"""Live calls against the tested limit, and callers waiting for a reply."""

from __future__ import annotations

from voicetop.charts import blocks
from voicetop.engine.snapshot import CapacityPanel, Severity, Snapshot, StuckStage, WaitingPanel
from voicetop.formatting import labels, numbers, times
from voicetop.formatting.numbers import known
from voicetop.ui.lines import Line, Row, clip, fit, width_of
from voicetop.ui.style.display_options import DisplayOptions

NONE_LISTED: dict[Severity, str] = {
    "ok": "nothing needs attention",
    "idle": "no publisher connected",
    "learning": "nothing needs attention",
    "recovering": "none stuck, failing or frustrated",
    "degraded": "none stuck, failing or frustrated",
    "down": "none stuck, failing or frustrated",
    "catching_up": "not known while CATCHING UP",
    "blind": "not known while BLIND",
}
"""What is said of a list of calls that need attention without a call in it."""
UNSURE: frozenset[Severity] = frozenset(["catching_up", "blind"])
"""While nobody knows how callers are right now."""
NAMES = 13
"""The column at which figures start."""


def capacity_line(panel: CapacityPanel, options: DisplayOptions, width: int) -> Line:
    """LIVE CALLS 412 █████░░░│ 600 tested    peak 438 · limit in 41 min."""
    row = Row(1).add("LIVE CALLS", "title").right(NAMES + 5, f"{panel.live:,}", "strong").add(" ")
    notes = _notes(panel, options, width)
    if panel.limit <= 0:
        row.add("  no tested limit set", "faint")
        return fit(row.to(width - width_of(notes) - 1).put(notes).line(), width)
    share = panel.live / panel.limit
    limit = f" {panel.limit:,} tested"
    if panel.published and width >= 100:
        limit += f" (set at the hub; a publisher says {panel.published:,})"
    room = max(6, width - row.width - len(limit) - width_of(notes) - 8)
    tone = "bar" if panel.severity == "ok" else panel.severity
    full = blocks.bar(share, room, ascii_only=options.ascii)
    row.add(full, tone).add("░" * (room - len(full)), "bar_rest").add("│", "strong").add(limit, "muted").add(
        "  "
    )
    return fit(row.to(width - width_of(notes) - 1).put(notes).line(), width)


def _notes(panel: CapacityPanel, options: DisplayOptions, width: int) -> Line:
    row = Row()
    if panel.limit > 0:
        share = panel.live / panel.limit
        word = {"down": "■ over limit, ", "degraded": "▲ near limit, "}.get(panel.severity, "")
        if word or width >= 100:
            tone = panel.severity if word else "text"
            row.add(f"{word}{numbers.whole_percent(share)}", tone).add(" · ", "faint")
    row.add(f"peak {panel.peak:,}", "muted")
    if width >= 110 and known(panel.peak_at):
        row.add(f" at {options.clock(panel.peak_at, seconds=False)}", "muted")
    if width >= 150 and known(panel.arrivals_per_min):
        row.add(" · ", "faint").add(f"{panel.arrivals_per_min:.0f} new per minute", "muted")
        row.add(f", {times.age(panel.handling_s)} each" if known(panel.handling_s) else "", "muted")
    if panel.minutes_to_limit > 0:
        row.add(" · ", "faint").add(f"limit in {times.span(panel.minutes_to_limit * 60)}", "degraded")
    return row.line()


def waiting_line(snap: Snapshot, width: int) -> Line:
    """WAITING 97 for a reply · ■ 31 stuck over 8 s · llm acme-llm 29 · longest 41.3 s."""
    panel, sure = snap.waiting, snap.verdict.severity not in UNSURE
    row = Row(1).add("WAITING", "title").right(NAMES + 5, f"{panel.waiting:,}", "strong").add("  ")
    if panel.stuck:
        row.add(f"■ {panel.stuck:,} stuck for over {times.span(panel.over_s)}", "down")
    elif panel.waiting:
        row.add("for a reply, none stuck" if sure else "for a reply, as far as is known", "muted")
    else:
        which = "no caller of this segment" if snap.view.where else "no caller"
        row.add(f"{which} is {'waiting' if sure and not panel.unknown else 'known to wait'}", "muted")
    if known(panel.longest_s) and panel.waiting:
        row.add(" · ", "faint").add(f"longest {times.seconds(panel.longest_s)}", "muted")
    for stage in panel.stages:
        text = _stage(stage)
        if row.width + len(text) + 4 > width:
            break
        row.add(" · ", "faint").add(text, "text" if stage.stuck else "muted")
    return fit(row.line(), width)


def unknown_lines(panel: WaitingPanel, options: DisplayOptions, width: int) -> list[Line]:
    """The waits that nobody knows anything of, in a line of their own; none as a rule."""
    if not panel.unknown:
        return []
    text = labels.unknown_replies(panel.unknown, f"since {options.clock(panel.unknown_since)}")
    return [fit(Row(1).add(f"? {text}", "blind").line(), width)]


def _stage(stage: StuckStage) -> str:
    name = clip(
        f"{labels.stage(stage.stage)} {stage.provider}".rstrip() if stage.stage else "stage unknown", 30
    )
    return f"{name} {stage.stuck:,} of {stage.waiting:,}" if stage.stuck else f"{name} {stage.waiting:,}"


def headcount(snap: Snapshot) -> str:
    """How many calls need attention and why, in words; if none does, no more than the verdict allows to say."""
    panel = snap.calls
    parts = [(panel.stuck, "stuck"), (panel.failing, "failing"), (panel.frustrated, "frustrated")]
    return " · ".join(f"{n:,} {word}" for n, word in parts if n) or NONE_LISTED[snap.verdict.severity]
