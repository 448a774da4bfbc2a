"""The verdicts of several feeds in one line: glyph, name, word, and the worst trouble."""

from __future__ import annotations

from collections.abc import Sequence

from voicetop.ui.lines import Line, Row, cells, clip, fit
from voicetop.ui.renderables.header import verdict
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.style.display_options import SIGNS, Sign

GAP = 3
LEAST_NAME = 3


def feeds_line(feeds: Sequence[tuple[str, Scene]], current: int, width: int, key: str = "") -> Line:
    """All feeds, the current one marked. Words of what is worst share the room that names and verdicts leave.

    `key` is what brings on the next one.
    """
    tail = f"{key} next feed" if key else ""
    room = width - 2 - (cells(tail) + GAP if tail else 0)
    verdicts = [(SIGNS[level], text) for level, text in (verdict(scene) for _, scene in feeds)]
    names = _names([name for name, _ in feeds], room - sum(_fixed(sign) for sign, _ in verdicts))
    left = room - sum(_fixed(sign) + cells(name) for name, (sign, _) in zip(names, verdicts, strict=True))
    wordy = sum(1 for sign, _ in verdicts if sign != SIGNS["ok"])
    row = Row(1)
    for index, (name, (sign, text)) in enumerate(zip(names, verdicts, strict=True)):
        here = index == current
        row.add(" " * GAP if index else "").add("▸" if here else " ", "accent").add(
            f"{sign.glyph} ", sign.tone
        )
        row.add(name, "strong" if here else "text").add(f" {sign.word}", sign.tone)
        told = sign != SIGNS["ok"] and left // wordy > 8
        words = clip(_worst(text), left // wordy - 1) if told else ""
        row.add(f" {words}" if words else "", "muted")
    return fit(row.to(width - cells(tail) - 1).add(tail, "muted").line(), width)


def _fixed(sign: Sign) -> int:
    return GAP + 4 + cells(sign.word)


def _worst(text: str) -> str:
    """The worst trouble, without its start."""
    parts = text.split(" · ")
    return parts[1] if parts[0].startswith("since ") and len(parts) > 1 else parts[0]


def _names(names: Sequence[str], room: int) -> list[str]:
    """The names, clipped to the same length if they don't fit."""
    longest = max(map(cells, names))
    while longest > LEAST_NAME and sum(min(cells(name), longest) for name in names) > room:
        longest -= 1
    return [clip(name, longest) for name in names]
