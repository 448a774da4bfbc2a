"""Wraps running text to a width in cells."""

from __future__ import annotations

from voicetop.ui.lines import cells


def wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` cells, broken at spaces where it can be; nothing is left out.

    >>> wrapped("one two three", 7)
    ['one two', 'three']
    """
    width = max(2, width)
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cells(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *whole, line = _pieces(word, width)
        lines += whole
    return [*lines, line]


def _pieces(word: str, width: int) -> list[str]:
    """A word that may be longer than a line, cut where the line ends."""
    pieces = [""]
    room = width
    for char in word:
        size = cells(char)
        if size > room:
            pieces.append("")
            room = width
        pieces[-1] += char
        room -= size
    return pieces
