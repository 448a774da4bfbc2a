"""Lines of styled spans: what every renderable makes and every test reads.

A span is a text and the semantic name of its tone ("muted", "degraded"); what a tone looks like is the theme's affair.
Widths are cells of a terminal, so a Chinese character counts two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from rich.cells import cell_len, set_cell_size

Span: TypeAlias = tuple[str, str]
Line: TypeAlias = tuple[Span, ...]

SELECTED = "+"
"""A tone with this behind its name stands on the selection's background."""

LINK = "\0"
"""Stands in a tone between its name and the address that the text leads to."""

BLANK: Line = ()


def cells(text: str) -> int:
    """How many cells a text takes."""
    return len(text) if text.isascii() else cell_len(text)


def clip(text: str, width: int) -> str:
    """`text` in at most `width` cells, with an ellipsis where something is missing.

    >>> clip("ask_account", 6)
    'ask_a…'
    """
    if cells(text) <= width:
        return text
    if width <= 1:
        return "…"[:width]
    return set_cell_size(text, width - 1).rstrip() + "…"


def width_of(line: Line) -> int:
    return sum(cells(text) for text, _ in line)


def text_of(line: Line) -> str:
    """The line without its tones."""
    return "".join(text for text, _ in line)


def fit(line: Line, width: int) -> Line:
    """The line in exactly `width` cells: padded with spaces, or clipped with an ellipsis."""
    have = width_of(line)
    if have == width:
        return line
    if have < width:
        return (*line, (" " * (width - have), "text"))
    return _cut(_without_padding(line, width), width)


def _without_padding(line: Line, width: int) -> Line:
    """The line without the spaces behind its end that don't fit anyway."""
    have = width_of(line)
    while line and have > width and not line[-1][0].strip(" "):
        have -= cells(line[-1][0])
        line = line[:-1]
    return line if have >= width else (*line, (" " * (width - have), "text"))


def _cut(line: Line, width: int) -> Line:
    if width_of(line) <= width:
        return line
    kept: list[Span] = []
    left = width
    for text, tone in line:
        size = cells(text)
        if size >= left:  # something follows, or this one is too long: the ellipsis says so
            cut = clip(text, left) if size > left else clip(text + "…", left)
            kept.append((cut + " " * (left - cells(cut)), tone))
            break
        kept.append((text, tone))
        left -= size
    return tuple(kept)


class Row:
    """Builds a line from left to right, by columns.

    >>> Row().add("P95", "muted").right(12, "3,910 ms").line()
    (('P95', 'muted'), (' ', 'text'), ('3,910 ms', 'text'))
    """

    __slots__ = ("spans", "width")

    def __init__(self, indent: int = 0) -> None:
        self.spans: list[Span] = [(" " * indent, "text")] if indent else []
        self.width = indent

    def add(self, text: str, tone: str = "text") -> Row:
        """Append a text."""
        if text:
            self.spans.append((text, tone))
            self.width += cells(text)
        return self

    def put(self, line: Line) -> Row:
        """Append a finished line."""
        for text, tone in line:
            self.add(text, tone)
        return self

    def to(self, column: int) -> Row:
        """Go on at a column, if it isn't passed already."""
        return self.add(" " * (column - self.width)) if column > self.width else self

    def right(self, end: int, text: str, tone: str = "text") -> Row:
        """A text that ends before column `end`."""
        return self.to(end - cells(text)).add(text, tone)

    def left(self, width: int, text: str, tone: str = "text") -> Row:
        """A text in a cell of `width`, clipped and padded."""
        end = self.width + width
        return self.add(clip(text, width), tone).to(end)

    def line(self) -> Line:
        return tuple(self.spans)


def beside(blocks: Sequence[Sequence[Line]], widths: Sequence[int], gap: int) -> list[Line]:
    """Blocks next to each other, each in its width, all as tall as the tallest."""
    height = max(map(len, blocks), default=0)
    space: Span = (" " * gap, "text")
    lines: list[Line] = []
    for y in range(height):
        spans: list[Span] = []
        for index, (block, width) in enumerate(zip(blocks, widths, strict=True)):
            if index:
                spans.append(space)
            spans.extend(fit(block[y] if y < len(block) else BLANK, width))
        lines.append(tuple(spans))
    return lines


def rule(title: str, width: int, *notes: str) -> Line:
    """A thin line with a title at its left and notes at its right: ── errors ──────── n 631 ──.

    Where the notes don't all fit, the first go first.
    """
    head = f" {clip(title, max(0, width - 6))} " if title else "──"
    room = width - 4 - cells(head)
    kept = [note for note in notes if note]
    while kept and cells(" ─ ".join(kept)) + 3 > room:
        kept.pop(0)
    tail = f" {' ─ '.join(kept)} " if kept else ""
    dashes = "─" * max(0, room - cells(tail))
    spans = (("──", "rule"), (head, "title" if title else "rule"), (dashes, "rule"))
    return (*spans, (tail, "muted"), ("──", "rule")) if tail else (*spans, ("──", "rule"))


def block(lines: Iterable[Line], height: int, width: int) -> list[Line]:
    """Exactly `height` lines of `width`: what is missing is blank, what is too much is left out."""
    kept = [fit(line, width) for _, line in zip(range(height), lines, strict=False)]
    return kept + [fit(BLANK, width)] * (height - len(kept))


def selected(line: Line) -> Line:
    """The line on the selection's background."""
    return tuple((text, tone + SELECTED) for text, tone in line)


def lay_over(lines: Sequence[Line], box: Sequence[Line], x: int, y: int) -> list[Line]:
    """`box` painted over `lines` at a place; the lines must be of one width."""
    result = list(lines)
    for index, top in enumerate(box):
        if 0 <= y + index < len(result):
            under = result[y + index]
            size = width_of(under)
            after = x + width_of(top)
            result[y + index] = (*_part(under, 0, x), *top, *_part(under, after, size))
    return result


def _part(line: Line, start: int, end: int) -> Line:
    """The cells start … end of a line; a wide character cut in two becomes a space."""
    kept: list[Span] = []
    at = 0
    for text, tone in line:
        size = cells(text)
        if at < end and at + size > start:
            inside = start <= at and at + size <= end
            kept.append((text if inside else _slice(text, max(start - at, 0), min(end - at, size)), tone))
        at += size
    return tuple(kept)


def _slice(text: str, start: int, end: int) -> str:
    if text.isascii():
        return text[start:end]
    head = set_cell_size(text, end)
    taken = len(set_cell_size(head, start).rstrip()) if start else 0
    while start and taken < len(head) and cells(head[:taken]) < start:
        taken += 1
    return " " * (end - start - cells(head[taken:])) + head[taken:]
