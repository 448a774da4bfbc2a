"""The cells of a painted row, and which of them terminals disagree about.

Some terminals sum up the widths of code points, others give each cluster of them one cell or two: in Indic and
South-East Asian scripts, for combining marks, emoji and flags. The agreed characters are listed here; all others are
unsure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, TypeAlias
from unicodedata import bidirectional

from rich.cells import split_graphemes
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

Chars: TypeAlias = str | list[str]
"""The characters of a row by cell; a list if some are wide or unsure, with an empty string for a further cell."""

PLAIN = Style()

_NARROW = (
    r"\x20-\x7e\xa0-\xac\xae-\u02ff\u0370-\u0377\u037a-\u037f\u0384-\u0482\u048a-\u052f\u1e00-\u1eff"
    r"\u2010-\u2027\u2030-\u205e\u2070-\u209c\u20a0-\u20bf\u2100-\u214f\u2190-\u22ff\u2500-\u25fc\u2744\u2800-\u28ff"
)
"""Latin, Greek and Cyrillic letters, punctuation, arrows, lines, blocks and Braille."""
_WIDE = (
    r"\u3001-\u3003\u3005-\u3029\u3041-\u3096\u309b-\u30ff\u3105-\u312f\u3131-\u3163\u3165-\u318e"
    r"\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufa6d\ufa70-\ufad9\uff01-\uff60\uffe0-\uffe6"
)
"""Chinese, Japanese and Korean."""

_OTHER_THAN_NARROW = re.compile(f"[^{_NARROW}]")
_AGREED = re.compile(f"[{_NARROW}{_WIDE}]")

LEFT_TO_RIGHT = "\u200e"
"""Ends right-to-left text: terminals that reorder it would otherwise move the figures after it."""


class Cells(NamedTuple):
    """Characters and styles by cell."""

    chars: Chars
    styles: list[Style]

    def part(self, start: int, end: int) -> Cells:
        return Cells(self.chars[start:end], self.styles[start:end])

    def replaced(self, start: int, new: Cells) -> Cells:
        """With other cells from `start` on."""
        end = start + len(new.styles)
        styles = self.styles[:start] + new.styles + self.styles[end:]
        if isinstance(self.chars, str) and isinstance(new.chars, str):
            return Cells(self.chars[:start] + new.chars + self.chars[end:], styles)
        return Cells([*self.chars[:start], *new.chars, *self.chars[end:]], styles)


def cells_of(strips: Iterable[Strip]) -> Cells:
    """The cells of strips side by side."""
    segments = [segment for strip in strips for segment in strip]
    text = "".join(segment.text for segment in segments)
    if not text.isascii() and _OTHER_THAN_NARROW.search(text):
        return _clusters(segments)
    styles: list[Style] = []
    for segment in segments:
        styles += [segment.style or PLAIN] * len(segment.text)
    return Cells(text, styles)


def _clusters(segments: Iterable[Segment]) -> Cells:
    chars: list[str] = []
    styles: list[Style] = []
    for text, style, _ in segments:
        for start, end, width in split_graphemes(text)[0]:
            if width:
                chars += [text[start:end], *[""] * (width - 1)]
                styles += [style or PLAIN] * width
            elif chars:  # a mark at the beginning of a segment belongs to the cell before it
                chars[-1 if chars[-1] else -2] += text[start:end]
    return Cells(chars, styles)


@lru_cache(maxsize=4096)
def agreed(cluster: str) -> bool:
    """Whether all terminals give it the same width."""
    return _AGREED.fullmatch(cluster) is not None


class UnsureRun(NamedTuple):
    """Words from `start` to `end` that may take the blanks up to `limit`: all but the last before what follows."""

    start: int
    end: int
    limit: int


def unsure_runs(cells: Cells, start: int, stop: int) -> list[UnsureRun]:
    """The words of unsure width in a part of a row. No figure is in one."""
    if isinstance(cells.chars, str):
        return []
    kinds: list[str] = []
    for char in cells.chars[start:stop]:
        kinds.append(_kind(char) if char else kinds[-1])
    return [
        UnsureRun(start + m.start(), start + m.start(1), start + max(m.start(1), m.end() - 1))
        for m in _RUN.finditer("".join(kinds))
    ]


def any_unsure(cells: Cells, runs: Iterable[tuple[int, int]]) -> bool:
    """Whether parts of a row contain words of unsure width or the blanks that these may have taken."""
    unsure = unsure_runs(cells, 0, len(cells.styles))
    return any(start <= run.limit and end > run.start for run in unsure for start, end in runs)


def _kind(cluster: str) -> str:
    if not agreed(cluster):
        return "?"
    if cluster == " ":
        return " "
    return "a" if cluster.isalpha() or cluster in _WITHIN_TEXT else "."


_RUN = re.compile(r"\?(?:(?: ?[?a])* ?\?)?(?:a+(?= |$))?( *)")


_WITHIN_TEXT = "-_,.;:!?'\"()/…"
"""Punctuation that goes along with unsure words, as letters do. Figures and signs always have their place."""


def ending(text: str) -> str:
    """What has to follow a run of unsure words."""
    return LEFT_TO_RIGHT if any(bidirectional(char) in ("R", "AL") for char in text) else ""
