"""Boxes over a screen: help and palette."""

from __future__ import annotations

from collections.abc import Sequence

from voicetop.ui.actions.keymap import USUAL, Keymap
from voicetop.ui.actions.registry import Action, Place, written
from voicetop.ui.lines import BLANK, Line, Row, cells, clip, fit, lay_over, rule, selected
from voicetop.ui.renderables.wrapping import wrapped

FADED = "rule"
KEYS, LABEL = 14, 16
"""Cells of the help's columns."""
LEGEND = (
    ("●", "ok", "OK: within normal"),
    ("△", "recovering", "RECOVERING: normal again, but the last five minutes still contain the problem"),
    ("▲", "degraded", "DEGRADED, or a figure above its warning threshold (▼ below it)"),
    ("≈", "degraded", "a segment that is off its normal, but no more than the rest"),
    ("■", "down", "DOWN, or a caller stuck waiting"),
    ("?", "blind", "BLIND: the feed is silent, data is stale"),
    ("○", "muted", "IDLE: every publisher has left, nothing is judged"),
    ("◌", "learning", "LEARNING the baseline, or CATCHING UP with the feed: nothing is judged yet"),
    ("≥ ", "text", "at least: includes callers who are still waiting"),
    ("~", "text", "estimated from a price table"),
    ("▼", "marker", "a deploy or another marker"),
    ("◆", "accent", "on the timeline a bookmark; ◇ a note, § security, × missing data"),
    ("━", "degraded", "on the timeline, while DEGRADED; █ while DOWN, ═ RECOVERING, ░ BLIND"),
    ("┃", "strong", "on the timeline, your position"),
)


def box(title: str, body: Sequence[Line], width: int, height: int, note: str = "") -> list[Line]:
    """Lines between two rules, `width` wide and at most `height` tall, with a blank column at each side."""
    inner = max(1, width - 2)
    shown = body[: max(1, height - 2)]
    foot = rule("", width, note) if note else (("─" * width, "rule"),)
    return [
        fit(rule(title, width), width),
        *((("   ", "text"), *fit(line, inner - 3), ("  ", "text")) for line in shown),
        fit(foot, width),
    ]


def centred(under: Sequence[Line], over: Sequence[Line], head: int, width: int, box_width: int) -> list[Line]:
    """The box over the dimmed screen; its first `head` lines, with the verdict, stay bright."""
    faded = [tuple((text, FADED) for text, _ in line) for line in under[head:]]
    y = head + max(0, (len(faded) - len(over)) // 3)
    return lay_over([*under[:head], *faded], over, max(0, (width - box_width) // 2), y)


def help_body(place: Place, width: int, keymap: Keymap = USUAL) -> list[Line]:
    """The actions available here, by group, then the legend."""
    groups: dict[str, list[Action]] = {}
    for action in keymap.available(place):
        groups.setdefault(action.group, []).append(action)
    lines: list[Line] = []
    for group, actions in groups.items():
        lines += [*([BLANK] if lines else []), Row().add(group, "title").line()]
        for action in actions:
            lines += _help_lines(action, width)
    lines += [BLANK, Row().add("signs", "title").line()]
    for glyph, tone, text in LEGEND:
        lines += _wrapped_beside(Row(2).left(KEYS, glyph, tone), text, "text", width)
    return [fit(line, width) for line in lines]


def _help_lines(action: Action, width: int) -> list[Line]:
    keys = _as_many(written(action.keys), KEYS - 1)
    row = Row(2).left(KEYS, keys, "key").left(LABEL, action.label, "strong")
    return _wrapped_beside(row, action.help, "muted", width)


def _wrapped_beside(head: Row, text: str, tone: str, width: int) -> list[Line]:
    """The explanation of a key or symbol, wrapped beside it."""
    at = head.width
    first, *rest = wrapped(text, max(8, width - at))
    return [head.add(first, tone).line(), *(Row(at).add(part, tone).line() for part in rest)]


def _as_many(keys: str, width: int) -> str:
    """The keys that fit."""
    while cells(keys) > width and " " in keys:
        keys = keys.rpartition(" ")[0]
    return keys


def palette_matches(place: Place, text: str, keymap: Keymap = USUAL) -> list[Action]:
    """The actions whose label, help or id contains all the typed words."""
    words = text.casefold().split()
    return [
        action
        for action in keymap.available(place)
        if all(word in f"{action.label} {action.help} {action.group}".casefold() for word in words)
    ]


def palette_body(matches: Sequence[Action], chosen: int, text: str, width: int, rows: int) -> list[Line]:
    """The typed text, then the matches; the selected one is marked."""
    entry = Row().add("> ", "key").add(clip(text, width - 6), "strong").add("█", "accent").line()
    first = max(0, min(chosen - rows // 2, len(matches) - rows))
    lines = [fit(entry, width), fit(BLANK, width)]
    for index, action in enumerate(matches[first : first + rows], first):
        row = Row().add("▸ " if index == chosen else "  ", "accent").left(14, action.label, "strong")
        line = fit(
            row.left(max(4, width - 26), action.help, "muted")
            .right(width, written(action.keys, 1), "key")
            .line(),
            width,
        )
        lines.append(selected(line) if index == chosen else line)
    return lines if matches else [*lines, Row(2).add("no matching command", "muted").line()]
