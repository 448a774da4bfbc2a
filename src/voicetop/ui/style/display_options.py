"""Display options: time zone and character set. Passed to every renderable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len

from voicetop.engine.snapshot import Severity
from voicetop.formatting import times

SPANS = {"5m": "5 min", "30m": "30 min", "24h": "24 h"}
SPANS_S = {"5m": 300.0, "30m": 1_800.0, "24h": 86_400.0}


class Sign(NamedTuple):
    """How a severity is shown: by a glyph and a word; colour only adds to them."""

    glyph: str
    word: str
    tone: str

    @property
    def text(self) -> str:
        """Both, as in "▲ DEGRADED"."""
        return f"{self.glyph} {self.word}"


SIGNS: dict[Severity, Sign] = {
    "ok": Sign("●", "OK", "ok"),
    "learning": Sign("◌", "LEARNING", "learning"),
    "catching_up": Sign("◌", "CATCHING UP", "learning"),
    "recovering": Sign("△", "RECOVERING", "recovering"),
    "degraded": Sign("▲", "DEGRADED", "degraded"),
    "down": Sign("■", "DOWN", "down"),
    "blind": Sign("?", "BLIND", "blind"),
}

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
        "≈": "~",
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


def to_ascii(text: str) -> str:
    """`text` in the same width of ASCII: known signs get a lookalike, all others "?" per cell.

    >>> to_ascii("▲ 2.4× 漢")
    '! 2.4x ??'
    """
    text = text.translate(ASCII)
    return text if text.isascii() else "".join(c if c < "\x7f" else "?" * cell_len(c) for c in text)
