"""Display options: time zone and character set. Passed to every renderable."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple
from unicodedata import category, normalize

from rich.cells import split_graphemes

from voicetop.engine.snapshot import Severity
from voicetop.formatting import times
from voicetop.ui.lines import Line

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
    "idle": Sign("○", "IDLE", "muted"),
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
        "○": "o",
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
    """`text` in the same width of ASCII: known signs get a lookalike, letters lose accents, all else is "?" per cell.

    >>> to_ascii("▲ 2.4× 漢")
    '! 2.4x ??'
    """
    text = _AT_LEAST.sub(">=", text).translate(ASCII)
    if text.isascii():
        return text
    return "".join(_lookalike(text[start:end], width) for start, end, width in split_graphemes(text)[0])


_AT_LEAST = re.compile("≥ | ≥(?! )")


def _lookalike(cluster: str, width: int) -> str:
    plain = normalize("NFKD", cluster).encode("ascii", "ignore").decode()
    return plain if len(plain) == width and plain.isprintable() else "?" * width


def line_to_ascii(line: Line) -> Line:
    """A line in the same width of ASCII. A "≥" takes the space before it, if none follows."""
    spans: list[tuple[str, str]] = []
    for text, tone in line:
        if spans and text.startswith("≥") and spans[-1][0].endswith(" "):
            before, its_tone = spans.pop()
            spans.append((before[:-1], its_tone))
            spans.append((to_ascii(f" {text}"), tone))
        else:
            spans.append((to_ascii(text), tone))
    return tuple(spans)


PRINTED = {**ASCII, ord("…"): "...", ord("≥"): ">=", ord("≤"): "<=", ord("±"): "+/-"}


def printed_ascii(text: str) -> str:
    """`text` in ASCII where it may become wider, as in printed lines.

    >>> printed_ascii("▲ ≥ 2.4× café …")
    '! >= 2.4x cafe ...'
    """
    text = text.translate(PRINTED)
    return text if text.isascii() else "".join(map(_printed, text))


def _printed(char: str) -> str:
    plain = normalize("NFKD", char).encode("ascii", "ignore").decode()
    return plain or ("" if category(char) in ("Mn", "Me", "Cf") else "?")
