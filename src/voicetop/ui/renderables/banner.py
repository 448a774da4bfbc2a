"""The banner shown while the view is frozen, in the past, or a replay.

It has the selection's background from edge to edge, so that it stands out without colours too.
"""

from __future__ import annotations

from math import floor, inf, isnan
from typing import TypeAlias

from voicetop.engine.snapshot.timeline import Timeline
from voicetop.formatting import times
from voicetop.ui.lines import Line, Row, cells, clip, fit, selected, width_of
from voicetop.ui.renderables.scene import Hint, Scene, When
from voicetop.ui.renderables.timeline import scanned_until
from voicetop.ui.style.display_options import SIGNS, SPANS, DisplayOptions

Part: TypeAlias = tuple[tuple[str, ...], str]
"""Wordings of a text from long to short, of which the first that fits is shown, and their tone."""
LONGEST_NAME = 32
FULL_WIDTH = 100
"""From this width, the time zone is shown too, and the day of a replay."""


def banner(scene: Scene, when: When, width: int) -> Line:
    """As in "❄ FROZEN 14:05:10 · 2 min 22 s behind live · live now: ■ DOWN since 14:07      L live   5 min ▾"."""
    tail: Line = ((f"{SPANS[scene.view.span]} ▾", "strong"),)
    row = Row(1).put(_head(scene, when, width))
    room = width - width_of(tail) - 3
    way_out = width_of(_hints(when.hints[:1], width)) if width >= 60 and not when.seeking else 0
    narrowing = _narrowing(scene)
    for texts, tone in _parts(scene, when):
        free = room if (texts, tone) == narrowing else room - way_out
        for text in texts:
            if row.width + cells(text) + 3 <= free:
                row.add(" · ", "muted").add(text, tone)
                break
    tail = (*_hints(when.hints, room - row.width), *tail)
    line = row.to(width - width_of(tail) - 1).put(tail).line()
    return selected(fit(line, width))


def _head(scene: Scene, when: When, width: int) -> Line:
    """Kind, name, time and speed."""
    position = when.position
    clock = _moment_of(scene, when, width)
    if when.kind != "replay":
        word = ("▶ PAST", "accent") if position.playing else ("❄ FROZEN", "blind")
        pace = f" · {speed_text(when)}" if position.playing else ""
        return (word, (f"{clock}{pace}", "strong"))
    name = clip(when.name, LONGEST_NAME if width >= FULL_WIDTH else max(6, width // 4))
    word = ("▶ REPLAY", "accent") if position.playing else ("❄ REPLAY", "blind")
    return (word, (f" {name}", "text"), (f"{clock}{_pace(when)}", "strong"))


def _moment_of(scene: Scene, when: When, width: int) -> str:
    """The snapshot's time, as precisely as there is room."""
    at = scene.snap.at if scene.snap is not None else when.position.at
    if not at > 0:  # no snapshot yet
        return ""
    clock = f" {scene.options.clock(at)}"
    if width < FULL_WIDTH:
        return clock
    day = f" {times.day(at, utc=scene.options.utc)}" if when.kind == "replay" else ""
    return f"{day}{clock} {scene.options.zone(at)}"


def _pace(when: When) -> str:
    """Whether a replay plays, and how fast."""
    if when.position.playing:
        return f" · {speed_text(when)}"
    if when.seeking:
        return ""
    return f" · {clip(when.position.why, LONGEST_NAME)}" if when.position.why else " · paused"


def _parts(scene: Scene, when: When) -> list[Part]:
    """Further parts, most important first."""
    parts: list[Part] = [((f"stopped: {scene.error}", "stopped"), "down")] if scene.error else []
    live = when.live
    here = scene.snap.at if scene.snap is not None else when.position.at
    if when.seeking and not scene.error and not abs(when.position.seeking - here) < 1:
        there = _moment(when.position.seeking, scene.options)
        parts.append(((f"going to {there} …", f"to {there} …"), "accent"))
    elif live is not None and live.snap is not None and scene.snap is not None:
        behind = f"{times.long_span(live.snap.at - scene.snap.at)} behind"
        parts.append(((behind if live_now(live) else f"{behind} live",), "strong"))
    if live is not None:
        parts.append(live_now(live) or (("feed and alerts continue",), "muted"))
    if when.position.loop and when.kind == "replay":
        parts.append((("loop",), "text"))
    if narrowing := _narrowing(scene):
        parts.append(narrowing)
    if when.kind == "replay" and (read := _read(when.timeline)):
        parts.append(((read,), "muted"))
    return parts


def _narrowing(scene: Scene) -> Part | None:
    """The active filter. It may take the place of the key hints: figures without it would mislead."""
    where = scene.view.where
    if not where:
        return None
    full = " › ".join(f"{key}={value}" for key, value in where)
    return (full, " › ".join(value for _, value in where)), "accent"


def _read(line: Timeline) -> str:
    """How far a recording has been scanned; empty when done."""
    if line.complete or isnan(line.start) or not line.last_at > line.first_at:
        return ""
    share = (scanned_until(line) - line.first_at) / (line.last_at - line.first_at)
    return f"timeline loaded to {min(max(floor(share * 20) * 5, 0), 95)} %"


def _moment(at: float, options: DisplayOptions) -> str:
    return "its end" if at == inf else options.clock(at)


def live_now(live: Scene) -> Part | None:
    """The live verdict and alerts; None if all is well."""
    snap = live.snap
    if snap is None:
        return None
    level = "blind" if live.blind else snap.verdict.severity
    if level in ("ok", "idle", "learning", "catching_up"):
        return None
    news, tone = SIGNS[level].text, SIGNS[level].tone
    since = snap.verdict.since if level == snap.verdict.severity else snap.feed.last_at
    began = "" if isnan(since) else f" since {live.options.clock(since, seconds=False)}"
    texts = (f"live now: {news}{began}", f"now {news}{began}", f"now {news}")
    alerts = snap.alerts
    if not (alerts.warning or alerts.critical):
        return texts, tone
    return (f"{texts[0]} · alerts ▲ {alerts.warning} ■ {alerts.critical}", *texts), tone


def _hints(hints: tuple[Hint, ...], room: int) -> Line:
    """The keys that fit."""
    row = Row()
    for key, label in hints:
        if row.width + cells(key) + cells(label) + 4 > room:
            break
        row.add(key, "key").add(f" {label}", "text").add("   ")
    return row.line()


def speed_text(when: When) -> str:
    """The set speed, and the actual one if it is lower: "500× (210× reached)"."""
    asked, reached = when.position.speed, when.position.actual_speed
    speed_words = written_speed(asked)
    if not when.position.playing or isnan(reached) or reached >= 0.85 * asked:
        return speed_words
    return f"{speed_words} ({_two_digits(reached)}× reached)"


def written_speed(speed: float) -> str:
    """8.0 → "8×", inf → "max"."""
    return "max" if speed == inf else f"{speed:g}×"


def _two_digits(value: float) -> str:
    """Two significant digits, so that the figure doesn't flicker: 213.7 → "210"."""
    return f"{float(f'{value:.2g}'):,.5g}"
