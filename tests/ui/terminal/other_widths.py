"""Terminals that disagree about how wide a cluster of code points is: each draws them in its own number of cells."""

from __future__ import annotations

import re
from collections.abc import Callable
from unicodedata import category, east_asian_width

from rich.cells import split_graphemes

SEQUENCE = re.compile(r"\x1b\[(\d*)(?:;(\d*))?([HCm])|\x1b\[[\d;]*m|\x1b\]8;;[^\x1b]*\x1b\\")


def code_points(cluster: str, marks: int = 0) -> int:
    """The sum of the code points' widths, with so many cells for a mark."""
    return sum(
        marks
        if category(char)[0] == "M"
        else 0
        if category(char) == "Cf"
        else 1 + (east_asian_width(char) in "WF")
        for char in cluster
    )


TERMINALS: dict[str, Callable[[str], int]] = {
    "code points": code_points,
    "a cell for each mark": lambda cluster: code_points(cluster, 1),
    "one cell a cluster": lambda cluster: 1 if len(cluster) > 1 else code_points(cluster),
    "two cells a cluster": lambda cluster: 2 if len(cluster) > 1 else code_points(cluster),
    "six cells a cluster": lambda cluster: 6 if len(cluster) > 1 else code_points(cluster),
}


class Grid:
    """A screen of `columns` × `lines` without line wrap. A cell has its character, or "" after a wide one."""

    def __init__(self, columns: int, lines: int, width_of: Callable[[str], int]) -> None:
        self.cells = [[" "] * columns for _ in range(lines)]
        self._width_of = width_of
        self._x = self._y = 0

    def feed(self, data: str) -> None:
        """Cursor moves, colours, links and text."""
        at = 0
        for found in SEQUENCE.finditer(data):
            self._draw(data[at : found.start()])
            self._control(*found.groups(default=""))
            at = found.end()
        self._draw(data[at:])

    def _control(self, first: str, second: str, last: str) -> None:
        if last == "H":
            self._y, self._x = int(first or 1) - 1, int(second or 1) - 1
        elif last == "C":
            self._x += int(first or 1)

    def _draw(self, text: str) -> None:
        assert "\x1b" not in text, text
        for start, end, _ in split_graphemes(text)[0]:
            cluster = text[start:end]
            width = self._width_of(cluster)
            row = self.cells[self._y]
            for x in range(self._x, min(self._x + width, len(row))):
                self._clear(row, x)
                row[x] = cluster if x == self._x else ""
            self._x = min(self._x + width, len(row) - 1)

    @staticmethod
    def _clear(row: list[str], x: int) -> None:
        """Whoever writes into a part of a wide character removes all of it."""
        start = x
        while start and not row[start]:
            start -= 1
        row[start] = " "
        for i in range(start + 1, len(row)):
            if row[i]:
                break
            row[i] = " "
