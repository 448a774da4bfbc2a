"""The head of every screen: deployment, freshness, segment, window and clock; then the verdict."""

from __future__ import annotations

import re

from voicetop.engine.snapshot import Severity, Snapshot, Where
from voicetop.formatting import numbers, times
from voicetop.formatting.numbers import known
from voicetop.ui.lines import BLANK, Line, Row, cells, clip, fit, width_of
from voicetop.ui.renderables.banner import banner
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.style.display_options import SIGNS, SPANS

PRODUCT = "voicetop"
SPARED = (re.compile(r" \(n [\d,]+\)"), re.compile(r" \(\d[\d.]* (s|min|h|d)\)"))
"""Parts of a verdict that are dropped first if room is short: n, then durations."""


def top_line(scene: Scene, width: int) -> Line:
    """Product, deployment and freshness at the left, segment in the middle, window and clock at the right."""
    if scene.when is not None:
        return banner(scene, scene.when, width)
    right = _right(scene, width)
    room = width - width_of(right) - 3
    left, middle = _left_and_crumb(scene, room)
    row = Row(1).put(left)
    free = max(0, room - row.width - 2)
    middle = clip(middle, free) if scene.view.where or cells(middle) <= free else ""
    start = max(row.width + 3, (width - cells(middle)) // 2)
    start = min(start, max(row.width + 2, room - cells(middle)))
    row.to(start).add(middle, "accent" if scene.view.where else "muted")
    return fit(row.to(width - width_of(right) - 1).put(right).line(), width)


def _left_and_crumb(scene: Scene, room: int) -> tuple[Line, str]:
    """The left part and the full segment; if room is short, names at the left are dropped."""
    left, crumb = _left(scene, max(12, room + 1)), narrowing(scene.view.where)
    if not scene.view.where and width_of(left) > room:
        return _freshness(scene), crumb
    if not scene.view.where or width_of(left) + cells(crumb) + 3 <= room:
        return left, crumb
    fresh = _freshness(scene)
    values = " › ".join(value for _, value in scene.view.where)
    return fresh, crumb if width_of(fresh) + cells(crumb) + 3 <= room else values


def narrowing(where: Where) -> str:
    """The breadcrumb: intent=billing › language=es."""
    return " › ".join(f"{key}={value}" for key, value in where) or "all calls"


def _left(scene: Scene, room: int) -> Line:
    row = Row().add(PRODUCT, "strong")
    name = scene.snap.deployment if scene.snap else ""
    freshness = _freshness(scene)
    if name:
        row.add("  ").add(clip(name, max(4, room - row.width - width_of(freshness) - 6)), "text")
    return row.add("  ").put(freshness).line()


def _freshness(scene: Scene) -> Line:
    """LIVE with its lag, or why not: as in the verdict, live is only what is heard."""
    phase, snap = scene.link.phase, scene.snap
    if scene.error:
        return (("■ STOPPED", "down"),)
    if phase == "ended":
        return (("■ ENDED", "muted"),)
    if phase == "refused":
        return (("■ REFUSED", "down"),)
    if phase == "reconnecting":
        return ((f"? RECONNECTING (try {scene.link.tries})", "blind"),)
    if snap is None:
        return (("◌ WAITING" if phase == "live" else "◌ CONNECTING", "learning"),)
    if scene.blind:
        return ((f"? SILENT {times.span(max(snap.feed.silent_s, snap.feed.publishers_silent_s))}", "blind"),)
    if snap.verdict.severity == "idle":
        return (("○ NO PUBLISHER", "muted"),)
    if snap.feed.behind_s:
        return (("◌ CATCHING UP", "learning"), (f" {times.span(snap.feed.behind_s)} behind", "muted"))
    slow = f" · {scene.slowness}" if scene.slowness else ""
    live: Line = (("● LIVE", "ok"), (f" {times.seconds(snap.feed.lag_s)}{slow}", "muted"))
    return (*live, ("  ▲ feed", "degraded")) if snap.feed.attention else live


def _right(scene: Scene, width: int) -> Line:
    row = Row()
    snap = scene.snap
    if scene.slowness and width >= 110:
        row.add("slow terminal", "muted").add("    ")
    elif snap is not None and width >= 110:
        row.add(f"{numbers.count(snap.feed.events_per_s)} events/s", "muted").add("    ")
    row.add(f"{SPANS[scene.view.span]} ", "text").add("▾", "muted")
    if snap is not None:
        row.add("   ").add(scene.options.clock(snap.at), "strong").add(
            f" {scene.options.zone(snap.at)}", "muted"
        )
        row.put(_fired(snap, width))
    return row.line()


def _fired(snap: Snapshot, width: int) -> Line:
    """The numbers of active warnings and pages: ▲ 2  ■ 0; empty without any."""
    alerts = snap.alerts
    if not (alerts.warning or alerts.critical):
        return ()
    gap = "  " if width >= 110 else " "
    tones = ("degraded" if alerts.warning else "faint", "down" if alerts.critical else "faint")
    return (
        ("  ", "text"),
        (f"▲ {alerts.warning}", tones[0]),
        (gap, "text"),
        (f"■ {alerts.critical}", tones[1]),
    )


def verdict_lines(scene: Scene, width: int, rows: int) -> list[Line]:
    """The verdict in at most `rows` lines, then a rule if there is room."""
    level, sentence = verdict(scene)
    sign = SIGNS[level]
    indent = 1 + cells(sign.text) + 2
    room = max(10, width - indent - 1)
    parts = wrap(sentence, room, rows)
    for less in SPARED:
        if parts[-1].endswith("…"):
            sentence = less.sub("", sentence)
            parts = wrap(sentence, room, rows)
    lines = [
        Row(1)
        .add(sign.text, sign.tone)
        .to(indent)
        .add(parts[0], "strong" if level != "ok" else "text")
        .line()
    ]
    lines += [Row(indent).add(part, "strong").line() for part in parts[1:]]
    return [fit(line, width) for line in lines]


def verdict(scene: Scene) -> tuple[Severity, str]:
    """Severity and text, taking the state of the link into account."""
    snap = scene.snap
    if snap is None:
        nobody = scene.link.phase in ("reconnecting", "refused")
        return "learning", "no response from the hub yet" if nobody else "waiting for the feed"
    if scene.blind:
        return "blind", blindness(scene, snap)
    result = snap.verdict
    text = result.text
    if result.severity in ("idle", "recovering", "degraded", "down") and known(result.since):
        since = (
            f"since {scene.options.clock(result.since, seconds=False)} ({times.span(snap.at - result.since)})"
        )
        text = f"{since} · {text}"
    return result.severity, text


def blindness(scene: Scene, snap: Snapshot) -> str:
    """How long the feed has been silent, its last event, and the reconnection."""
    if scene.error:
        return f"the feed thread stopped: {scene.error}"
    if scene.link.phase == "live" and not snap.feed.local:
        return snap.verdict.text
    last_event_at = snap.feed.last_at if known(snap.feed.last_at) else snap.at - snap.feed.silent_s
    parts = [
        f"feed silent for {times.span(snap.feed.silent_s)}",
        f"last event {scene.options.clock(last_event_at)}",
    ]
    if scene.link.phase == "reconnecting":
        parts.append(f"reconnecting (try {scene.link.tries})")
    elif scene.link.phase == "refused":
        parts.append("refused by the hub")
    elif scene.link.phase == "live":
        parts.append("connected, but the hub sends nothing")
    if scene.link.why:
        parts.append(scene.link.why)
    return " · ".join(parts)


def wrap(text: str, width: int, rows: int) -> list[str]:
    """`text` in at most `rows` lines, broken at " · " if that fills a line by half; the last is clipped."""
    lines: list[str] = []
    rest = text
    while len(lines) < rows - 1 and cells(rest) > width:
        cut = rest.rfind(" · ", 0, width)
        if cut < width // 2:  # would leave the line half empty
            cut = rest.rfind(" ", 0, width)
        if cut <= 0:
            break
        lines.append(rest[:cut])
        rest = rest[cut:].removeprefix(" · ").lstrip()
    return [*lines, clip(rest, width)]


def header(scene: Scene, width: int, *, ruled: bool = True) -> list[Line]:
    """The first three lines of every screen. On narrow ones a long verdict replaces the rule."""
    lines = [top_line(scene, width), *verdict_lines(scene, width, 2)]
    if len(lines) < 3:
        lines.append((("─" * width, "rule"),) if ruled else BLANK)
    return [fit(line, width) for line in lines]
