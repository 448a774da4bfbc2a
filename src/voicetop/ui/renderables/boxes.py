"""What opens over a screen: help and palette. One thin frame, nothing inside it."""

from __future__ import annotations

from collections.abc import Sequence

from voicetop.ui.actions import Action, Place, written
from voicetop.ui.keymap import USUAL, Keymap
from voicetop.ui.lines import BLANK, Line, Row, clip, fit, lay_over, rule, selected

FADED = "rule"
LEGEND = (
    ("●", "ok", "OK, within its normal"),
    ("▲", "degraded", "DEGRADED, or a figure over its warning line (▼ under it)"),
    ("■", "down", "DOWN, or a caller stuck waiting"),
    ("?", "blind", "BLIND: the feed is silent; what is shown is old"),
    ("◌", "learning", "LEARNING what is normal"),
    ("≥", "text", "at least: callers who still wait have pushed it up"),
    ("~", "text", "estimated from a price table"),
    ("▼", "marker", "a deploy or another marker"),
    ("◆", "accent", "on the timeline a bookmark; ◇ a note, § security, × something is missing"),
    ("━", "degraded", "on the timeline, as long as it lasted, DEGRADED; █ DOWN, ░ BLIND"),
    ("┃", "strong", "on the timeline, where you are"),
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
    """The box over the screen, which fades; its first `head` lines, the verdict among them, stay as they are."""
    faded = [tuple((text, FADED) for text, _ in line) for line in under[head:]]
    y = head + max(0, (len(faded) - len(over)) // 3)
    return lay_over([*under[:head], *faded], over, max(0, (width - box_width) // 2), y)


def help_body(place: Place, width: int, keymap: Keymap = USUAL) -> list[Line]:
    """Every action that works here, by group, then what the signs mean."""
    lines: list[Line] = []
    group = ""
    for action in keymap.available(place):
        if action.group != group:
            group = action.group
            lines += [*([BLANK] if lines else []), Row().add(group, "title").line()]
        lines.append(_help_line(action, width))
    lines += [BLANK, Row().add("signs", "title").line()]
    lines += [Row(2).left(14, glyph, tone).add(said, "text").line() for glyph, tone, said in LEGEND]
    return [fit(line, width) for line in lines]


def _help_line(action: Action, width: int) -> Line:
    said = f"{action.help} (not built yet)" if action.door else action.help
    row = Row(2).left(14, written(action.keys), "faint" if action.door else "key")
    return fit(
        row.left(12, action.label, "faint" if action.door else "strong").add(said, "muted").line(), width
    )


def palette_matches(place: Place, text: str, keymap: Keymap = USUAL) -> list[Action]:
    """The actions whose label, help or id holds all the words typed."""
    words = text.casefold().split()
    return [
        action
        for action in keymap.available(place)
        if all(word in f"{action.label} {action.help} {action.group}".casefold() for word in words)
    ]


def palette_body(matches: Sequence[Action], chosen: int, text: str, width: int, rows: int) -> list[Line]:
    """What is typed, then what it finds; the chosen one is marked."""
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
    return lines if matches else [*lines, Row(2).add("nothing by that name", "muted").line()]
