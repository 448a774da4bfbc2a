"""The Alerts screen: incidents by state, and the details of the selected one below the list."""

from __future__ import annotations

from math import isnan

from msgspec.structs import replace

from voicetop.alerts.incident_text import brief, course_of, figure_text, multiple
from voicetop.engine.snapshot import AlertsPanel, IncidentRow, SilenceRow, Snapshot
from voicetop.formatting import times
from voicetop.formatting.numbers import known
from voicetop.ui.lines import BLANK, Line, Row, cells, clip, fit, selected
from voicetop.ui.renderables.tabs import tabs
from voicetop.ui.style.display_options import DisplayOptions

TABS = ("active", "acknowledged", "silenced", "resolved", "silences")
IN_TAB = {
    "active": ("firing", "pending"),
    "acknowledged": ("acknowledged",),
    "silenced": ("silenced",),
    "resolved": ("resolved",),
}
TIERS: dict[str, tuple[str, str]] = {
    "critical": ("■", "down"),
    "warning": ("▲", "degraded"),
    "info": ("●", "text"),
}
ID, TIER, FAMILY, CLOCK, AGE, DETECTED, WHO = 6, 9, 13, 9, 8, 13, 18
WIDE = 110
"""From this width, there are columns for family, seconds and time to detect."""


def rows_of(panel: AlertsPanel, tab: str) -> list[IncidentRow]:
    """The incidents of a tab, in the panel's order."""
    return [row for row in panel.incidents if row.state in IN_TAB.get(tab, ())]


def tab_line(panel: AlertsPanel, tab: str, width: int) -> Line:
    """▸active 2   acknowledged 1   silenced   resolved 5   silences."""
    counts = {name: len(rows_of(panel, name)) for name in TABS} | {"silences": len(panel.silences)}
    labels = {name: f"{name} {counts[name]}" if counts[name] else name for name in TABS}
    bright = [label for name, label in labels.items() if counts[name]]
    learning = (
        f"learning baseline, {times.span(panel.learning_s)} left" if panel.learning_s and width >= 100 else ""
    )
    note = f"{panel.crowded} more not shown" if panel.crowded else learning
    return tabs([*labels.values()], labels[tab], width, note, bright or [labels[tab]])


def heading(tab: str, width: int) -> Line:
    """The column titles."""
    if tab == "silences":
        return fit(
            Row(3).left(ID, "ID").left(9, "ENDS").left(AGE, "LEFT").left(16, "BY").add("WHAT").line(), width
        )
    row = Row(3).left(ID, "ID").left(TIER, "TIER")
    if width >= WIDE:
        row.left(FAMILY, "FAMILY")
    row.left(_clock_width(width), "SINCE" if tab != "resolved" else "FIRED").left(AGE, "FOR")
    if width >= WIDE:
        row.left(DETECTED, "DETECTED IN").left(WHO, "STATUS")
    return fit(_faint(row.add("WHAT").line()), width)


def _faint(line: Line) -> Line:
    return tuple((text, "faint") for text, _ in line)


def _clock_width(width: int) -> int:
    return CLOCK if width >= WIDE else 6


def incident_line(row: IncidentRow, now: float, options: DisplayOptions, width: int, *, chosen: bool) -> Line:
    """One incident in a line; without a state column, the state precedes the text."""
    glyph, tone = mark(row)
    wide = width >= WIDE
    line = Row(1).add(f"{glyph} ", tone).left(ID, row.id, "strong").left(TIER, row.tier, tone)
    if wide:
        line.left(FAMILY, row.family, "text")
    since = row.fired if not isnan(row.fired) else row.began
    line.left(_clock_width(width), options.clock(since, seconds=wide), "text")
    line.left(AGE, times.span(lasted(row, now)), "text")
    stands = state_text(row, now, options)
    if wide:
        line.left(DETECTED, times.span(row.to_detect_s), "muted").left(WHO, stands, "muted")
    else:
        line.add(f"{stands} · " if stands else "", "muted")
    who = " × ".join(value for _, value in row.where)
    line.add(row.text, "strong" if row.state == "firing" and not row.muted else "text")
    line.add(f" · {who}" if who and who not in row.text else "", "muted")
    if row.at_firing is not None and row.last is not None:
        course = course_of(row.at_firing, row.worst, row.last, over=row.state == "resolved")
        line.add(f" · {course}" if course else "", "muted")
    made = fit(line.line(), width)
    return selected(made) if chosen else made


def silence_line(row: SilenceRow, now: float, options: DisplayOptions, width: int, *, chosen: bool) -> Line:
    """One silence: matcher, end, author and reason."""
    line = Row(3).left(ID, row.id, "strong").left(9, options.clock(row.until, seconds=False), "text")
    line.left(AGE, times.span(max(0.0, row.until - now)), "text").left(16, row.by, "text").add(
        row.matcher, "strong"
    )
    line.add(f" · {row.text}" if row.text else "", "text")
    line.add(f" · {row.hits} silenced" if row.hits else " · matches nothing", "muted")
    made = fit(line.line(), width)
    return selected(made) if chosen else made


def mark(row: IncidentRow) -> tuple[str, str]:
    """Glyph and tone: by its tier while it is on."""
    if row.state == "resolved":
        return "·", "muted"
    if row.state == "pending":
        return "◌", "learning"
    return TIERS.get(row.tier, TIERS["info"])


def lasted(row: IncidentRow, now: float) -> float:
    """Seconds since it fired, or in all."""
    since = row.fired if not isnan(row.fired) else row.began
    return (row.resolved if not isnan(row.resolved) else now) - since


def state_text(row: IncidentRow, now: float, options: DisplayOptions) -> str:
    """The state in a few words; empty while it simply fires."""
    if row.state == "pending":
        return f"fires in {times.span(max(0.0, row.due - now))}"
    if row.muted and row.state != "resolved":
        return row.muted.partition(":")[0]
    if row.state == "silenced":
        return f"until {options.clock(row.silenced_until, seconds=False)}"
    if row.state == "acknowledged":
        return f"by {row.acked_by}"
    if row.state == "resolved":
        return f"by {row.resolved_by}" if row.resolved_by else "automatically"
    return f"{_nth(row.times)} time" if row.times > 1 else ""


def _nth(number: int) -> str:
    return {2: "2nd", 3: "3rd"}.get(number, f"{number}th")


def empty_lines(panel: AlertsPanel, tab: str, now: float, width: int) -> list[Line]:
    """The text of an empty list: all is well, or where the incidents are, and what is still being learned."""
    elsewhere = [
        f"{sum(row.state == state for row in panel.incidents)} {state}"
        for state in ("acknowledged", "silenced")
        if any(row.state == state for row in panel.incidents)
    ]
    said = {
        "active": f"No other active alerts: {', '.join(elsewhere)}." if elsewhere else "No active alerts.",
        "acknowledged": "No acknowledged alerts.",
        "silenced": "No silenced alerts.",
        "resolved": "No resolved alerts yet.",
        "silences": "No active silences.",
    }[tab]
    lines: list[Line] = [BLANK, Row(3).add(said, "text").line()]
    if tab == "active" and not elsewhere and not isnan(panel.last_resolved):
        ago = times.span(max(0.0, now - panel.last_resolved))
        lines.append(Row(3).add(f"The last alert was resolved {ago} ago.", "muted").line())
    if tab == "active" and panel.learning_s:
        left = times.span(panel.learning_s)
        learning = f"Learning baseline, {left} left; preset thresholds apply until then."
        lines.append(Row(3).add(learning, "muted").line())
    return [fit(line, width) for line in lines]


def facts(row: IncidentRow, now: float, options: DisplayOptions, width: int) -> list[Line]:
    """Figures, blame, and the times to detect, acknowledge and resolve."""
    lines: list[Line] = []
    for name, text, tone in (
        ("reason", row.text, "strong"),
        ("figure", course(row, options), "text"),
        ("cause", row.blame, "text"),
        ("threshold", row.because, "text"),
        ("times", history(row, now, options), "text"),
        ("status", stands(row, options), "text"),
        ("also", " · ".join(row.also), "muted"),
        ("links", " · ".join(row.links), "muted"),
    ):
        if text:
            lines += labelled(name, text, width, tone)
    for note in row.notes[-5:]:
        lines += labelled(
            "note", f"{options.clock(note.at, seconds=False)} {note.by}: {note.text}", width, "text"
        )
    return lines


LABEL = 12


def labelled(name: str, text: str, width: int, tone: str) -> list[Line]:
    """A name with its text wrapped beside it."""
    parts = broken(text, max(8, width - LABEL - 1))
    first = Row(1).left(LABEL - 1, name, "faint").add(parts[0], tone).line()
    return [fit(line, width) for line in (first, *(Row(LABEL).add(part, tone).line() for part in parts[1:]))]


def broken(text: str, width: int) -> list[str]:
    """`text` wrapped, preferably at " · "."""
    lines: list[str] = []
    rest, width = text, max(2, width)
    while cells(rest) > width:
        cut = rest.rfind(" · ", 0, width + 1)
        if cut < width // 3:
            cut = rest.rfind(" ", 0, width + 1)
        if cut <= 0:
            cut = max(1, width // 2)
        lines.append(clip(rest[:cut], width))
        rest = rest[cut:].removeprefix(" · ").lstrip()
    return [*lines, rest]


def began(row: IncidentRow, options: DisplayOptions) -> str:
    """Began with deploy v42, 14:01:30; or began 14:03:05 ± 20 s."""
    at = options.clock(row.began)
    if row.marker:
        return f"began with {row.marker}, {at}"
    off = max(row.began - row.earliest, row.latest - row.began) if known(row.earliest) else 0.0
    return f"began {at} ± {times.span(off)}" if off >= 1 else f"began {at}"


def course(row: IncidentRow, options: DisplayOptions) -> str:
    """Fired at 1.8× (2,930 ms) · worst 2.4× at 14:03:20 · last 1.3× · threshold 1.5×."""
    fired, worst, last = row.at_firing, row.worst, row.last
    if fired is None or last is None or not known(fired.value):
        return ""
    value, times_it = figure_text(fired), multiple(fired, fired)
    parts = [f"fired at {times_it} ({value})" if times_it else f"fired at {value}"]
    if worst is not None:
        parts.append(f"worst {brief(worst, fired)} at {options.clock(worst.at)}")
    if known(last.value):
        parts.append(f"{'last' if row.state == 'resolved' else 'now'} {brief(last, fired)}")
    if known(fired.line):
        parts.append(f"threshold {brief(replace(fired, value=fired.line), fired)}")
    return " · ".join(parts)


def history(row: IncidentRow, now: float, options: DisplayOptions) -> str:
    """Began 14:00:38 ± 10 s · fired 14:01:20, 42 s to detect · acknowledged 14:03:10 by ana · resolved 14:20:05."""
    parts = [began(row, options)]
    if not isnan(row.fired):
        parts.append(f"fired {options.clock(row.fired)}, {times.span(row.to_detect_s)} to detect")
    else:
        parts.append(f"fires at {options.clock(row.due)} if it lasts")
    if not isnan(row.acked):
        took = times.span(row.to_acknowledge_s)
        parts.append(f"acknowledged {options.clock(row.acked)} by {row.acked_by}, {took} to acknowledge")
    if not isnan(row.resolved):
        who = f" by {row.resolved_by}" if row.resolved_by else ""
        parts.append(
            f"resolved {options.clock(row.resolved)}{who}, {times.span(row.to_resolve_s)} to resolve"
        )
    elif not isnan(row.fired):
        parts.append(f"open for {times.long_span(now - row.fired)}")
    return " · ".join(parts)


def stands(row: IncidentRow, options: DisplayOptions) -> str:
    """Its silence, and how often it fired again."""
    parts = [row.muted]
    if row.silence:
        parts.append(f"silenced by {row.silence} until {options.clock(row.silenced_until)}")
    if row.times > 1:
        parts.append(f"{_nth(row.times)} time recently: it stays open longer each time")
    return " · ".join(part for part in parts if part)


def title(row: IncidentRow, *, rule: bool = True) -> str:
    """I12 · latency · critical · firing."""
    by = f" · rule {row.rule}" if rule and row.rule != row.family else ""
    return f"{row.id} · {row.family}{by} · {row.tier} · {row.state}"


def incident_text(row: IncidentRow, snap: Snapshot, options: DisplayOptions) -> str:
    """An incident in one line, for a chat or a ticket."""
    name = f"{snap.deployment} " if snap.deployment else ""
    return " · ".join(
        part
        for part in (
            *(f"{name}{title(row)}", row.text, course(row, options), row.blame),
            history(row, snap.at, options),
        )
        if part
    )
