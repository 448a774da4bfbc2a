"""What opens over a screen: help, palette, and what a row knows about its call. One thin frame, nothing inside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan

from voicetop.engine.snapshot import CallRow
from voicetop.ui import figures
from voicetop.ui.actions import Action, Place, written
from voicetop.ui.keymap import USUAL, Keymap
from voicetop.ui.lines import BLANK, Line, Row, clip, fit, lay_over, rule, selected
from voicetop.ui.look import Look

FADED = "rule"
LEGEND = (
    ("●", "ok", "OK, within its normal"),
    ("▲", "degraded", "DEGRADED, or a figure over its warning line (▼ under it)"),
    ("■", "down", "DOWN, or a caller stuck waiting"),
    ("?", "blind", "BLIND: the feed is silent; what is shown is old"),
    ("◌", "learning", "LEARNING what is normal"),
    ("≥", "text", "at least: callers who still wait have pushed it up"),
    ("~", "text", "estimated from a price table"),
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


def summary_body(row: CallRow, look: Look, width: int, *, gone: str) -> list[Line]:
    """All that a row knows, a fact a line; `gone` says why it no longer changes."""
    facts = [*_facts(row, look), *((key, value) for key, value in row.segments)]
    half = (len(facts) + 1) // 2
    column = (width - 2) // 2
    lines: list[Line] = [fit(Row().add(gone, "degraded").line(), width), BLANK] if gone else []
    for index in range(half):
        line = Row().put(_fact(facts[index], column))
        if index + half < len(facts):
            line.to(column + 2).put(_fact(facts[index + half], column))
        lines.append(fit(line.line(), width))
    return lines


def _fact(fact: tuple[str, str], width: int) -> Line:
    return Row().left(12, fact[0], "muted").add(" ").left(max(1, width - 13), fact[1] or "–", "text").line()


def _facts(row: CallRow, look: Look) -> Iterable[tuple[str, str]]:
    yield "needs eyes", row.eyes or "no"
    yield "state", row.state
    yield "age", figures.age(row.age_s)
    yield "caller", row.caller
    yield "turn", str(row.turn) if row.turn >= 0 else ""
    yield "step", row.step
    if isnan(row.ended_at):
        waits = not isnan(row.waiting_s)
        stage = " ".join(part for part in (row.stage, row.provider) if part and waits)
        yield "waiting", f"{figures.seconds(row.waiting_s)} {stage}".strip()
    else:
        yield "ended", look.clock(row.ended_at)
        yield "reason", row.reason
        yield "outcome", row.outcome
    yield "last e2e", figures.milliseconds(row.e2e_ms)
    yield "errors", str(row.errors)
    yield "cost", figures.dollars(row.cost_usd) + (" estimated" if row.estimated else "")
    yield "frustration", f"{row.mood:.2f}, {row.mood_of} of 5 signals" if not isnan(row.mood) else ""


def summary_title(row: CallRow) -> str:
    return f"call {clip(row.call_id, 40)}"
