"""Lines of styled spans, the output of every renderable.

A span is a text and the semantic name of its tone ("muted", "degraded"); the theme defines how a tone looks. Widths are
terminal cells, so a Chinese character counts two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from rich.cells import cell_len, set_cell_size

Span: TypeAlias = tuple[str, str]
Line: TypeAlias = tuple[Span, ...]

SELECTED = "+"
"""Suffix of a tone that puts it on the selection's background."""

LINK = "\0"
"""Separates a tone's name from the URL that the text links to."""

BLANK: Line = ()


def cells(text: str) -> int:
    """The width of a text in cells."""
    return len(text) if text.isascii() else cell_len(text)


def clip(text: str, width: int) -> str:
    """`text` in at most `width` cells, with an ellipsis if it was cut.

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
    """The text of a line, without tones."""
    return "".join(text for text, _ in line)


def fit(line: Line, width: int) -> Line:
    """The line in exactly `width` cells: padded, or cut with an ellipsis."""
    have = width_of(line)
    if have == width:
        return line
    if have < width:
        return (*line, (" " * (width - have), "text"))
    return _cut(_without_padding(line, width), width)


def _without_padding(line: Line, width: int) -> Line:
    """The line without trailing spaces that don't fit."""
    have = width_of(line)
    while line and have > width and not line[-1][0].strip(" "):
        have -= cells(line[-1][0])
        line = line[:-1]
    return line if have >= width else (*line, (" " * (width - have), "text"))


def _cut(line: Line, width: int) -> Line:
    if width_of(line) <= width:
        return line
    spans: list[Span] = []
    room = width
    for text, tone in line:
        size = cells(text)
        if size >= room:  # too long, or more follows: end with an ellipsis
            cut = clip(text, room) if size > room else clip(text + "…", room)
            spans.append((cut + " " * (room - cells(cut)), tone))
            break
        spans.append((text, tone))
        room -= size
    return tuple(spans)


class Row:
    """Builds a line from left to right.

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
        """Pad to a column, unless the line is already longer."""
        return self.add(" " * (column - self.width)) if column > self.width else self

    def right(self, end: int, text: str, tone: str = "text") -> Row:
        """Append a text right-aligned to column `end`."""
        return self.to(end - cells(text)).add(text, tone)

    def left(self, width: int, text: str, tone: str = "text") -> Row:
        """Append a text clipped and padded to `width` cells."""
        end = self.width + width
        return self.add(clip(text, width), tone).to(end)

    def line(self) -> Line:
        return tuple(self.spans)


def beside(blocks: Sequence[Sequence[Line]], widths: Sequence[int], gap: int) -> list[Line]:
    """Blocks side by side, each in its own width, as tall as the tallest."""
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
    """A horizontal rule with a title at the left and notes at the right: ── errors ──────── n 631 ──.

    If the notes don't fit, the first ones are dropped.
    """
    head = f" {clip(title, max(0, width - 6))} " if title else "──"
    room = width - 4 - cells(head)
    shown = [note for note in notes if note]
    while shown and cells(" ─ ".join(shown)) + 3 > room:
        shown.pop(0)
    tail = f" {' ─ '.join(shown)} " if shown else ""
    dashes = "─" * max(0, room - cells(tail))
    spans = (("──", "rule"), (head, "title" if title else "rule"), (dashes, "rule"))
    return (*spans, (tail, "muted"), ("──", "rule")) if tail else (*spans, ("──", "rule"))


def block(lines: Iterable[Line], height: int, width: int) -> list[Line]:
    """Exactly `height` lines of `width`, cut or filled with blank lines."""
    shown = [fit(line, width) for _, line in zip(range(height), lines, strict=False)]
    return shown + [fit(BLANK, width)] * (height - len(shown))


def selected(line: Line) -> Line:
    """The line on the selection's background."""
    return tuple((text, tone + SELECTED) for text, tone in line)


def lay_over(lines: Sequence[Line], box: Sequence[Line], x: int, y: int) -> list[Line]:
    """`box` painted over `lines` at (x, y); all lines must have the same width."""
    result = list(lines)
    for index, top in enumerate(box):
        if 0 <= y + index < len(result):
            under = result[y + index]
            size = width_of(under)
            after = x + width_of(top)
            result[y + index] = (*_part(under, 0, x), *top, *_part(under, after, size))
    return result


def _part(line: Line, start: int, end: int) -> Line:
    """The cells start … end of a line; a split wide character becomes a space."""
    spans: list[Span] = []
    at = 0
    for text, tone in line:
        size = cells(text)
        if at < end and at + size > start:
            inside = start <= at and at + size <= end
            spans.append((text if inside else _slice(text, max(start - at, 0), min(end - at, size)), tone))
        at += size
    return tuple(spans)


def _slice(text: str, start: int, end: int) -> str:
    if text.isascii():
        return text[start:end]
    head = set_cell_size(text, end)
    skipped = len(set_cell_size(head, start).rstrip()) if start else 0
    while start and skipped < len(head) and cells(head[:skipped]) < start:
        skipped += 1
    return " " * (end - start - cells(head[skipped:])) + head[skipped:]
