"""Display options: time zone and character set. Passed to every renderable."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

from voicetop.engine.snapshot import Severity
from voicetop.formatting import times

SPANS = {"5m": "5 min", "30m": "30 min", "24h": "24 h"}

GLYPHS: dict[str, tuple[str, str]] = {
    "ok": ("●", "OK"),
    "learning": ("◌", "LEARNING"),
    "catching_up": ("◌", "CATCHING UP"),
    "recovering": ("△", "RECOVERING"),
    "degraded": ("▲", "DEGRADED"),
    "down": ("■", "DOWN"),
    "blind": ("?", "BLIND"),
}
"""Severity is shown by a glyph and a word; colour only adds to them."""

ASCII = str.maketrans(
    {
        "─": "-",
        "│": "|",
        "┤": "|",
        "┬": "+",
        "┄": "-",
        "└": "+",
        "█": "#",
        "▓": "%",
        "▒": ":",
        "░": ".",
        "●": "*",
        "◌": "~",
        "▞": "/",
        "▶": ">",
        "▲": "!",
        "△": "^",
        "❄": "*",
        "−": "-",
        "⇧": "^",
        "‹": "<",
        "■": "#",
        "▼": "v",
        "▸": ">",
        "▾": "v",
        "▴": "^",
        "·": "-",
        "×": "x",
        "≥": ">",
        "≤": "<",
        "±": "~",
        "–": "-",
        "…": "~",
        "›": ">",
        "→": ">",
        "←": "<",
        "↑": "^",
        "↓": "v",
        "▏": "|",
        "━": "=",
        "╌": "-",
        "═": "~",
        "┃": "|",
        "◆": "b",
        "◇": "n",
        "§": "S",
    }
)


@dataclass(frozen=True, slots=True)
class DisplayOptions:
    """UTC or local time; every character or ASCII only."""

    utc: bool = True
    ascii: bool = False

    def clock(self, at: float, *, seconds: bool = True) -> str:
        return times.clock(at, utc=self.utc, seconds=seconds)

    def zone(self, at: float) -> str:
        return times.zone(at, utc=self.utc)


def severity(value: Severity) -> tuple[str, str]:
    """Glyph and word of a severity."""
    return GLYPHS[value]


def to_ascii(text: str) -> str:
    """`text` in the same width of ASCII: known signs get a lookalike, all others "?" per cell.

    >>> to_ascii("▲ 2.4× 漢")
    '! 2.4x ??'
    """
    text = text.translate(ASCII)
    return text if text.isascii() else "".join(c if c < "\x7f" else "?" * cell_len(c) for c in text)
