"""Heat maps: resamples a table of counts to a given number of columns and rows, and picks the shades."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt

LEVELS = 4
"""Shades above zero."""


def pooled(counts: Sequence[Sequence[int]], width: int, height: int) -> list[list[int]]:
    """Counts [column][row] resampled to `width` columns of `height` rows: summed if there are more, else repeated.

    >>> pooled(((1, 2), (3, 4)), 1, 2)
    [[4, 6]]
    """
    across = [_sum(counts[a:b]) for a, b in _spans(len(counts), width)]
    return [[sum(column[a:b]) for a, b in _spans(len(column), height)] for column in across]


def level(count: int, most: int) -> int:
    """0 (none) to `LEVELS`, by the square root of the share of the maximum, so that a small second mode shows.

    >>> [level(n, 100) for n in (0, 1, 10, 30, 100)]
    [0, 1, 2, 3, 4]
    """
    return min(LEVELS, ceil(sqrt(count / most) * LEVELS)) if count > 0 and most > 0 else 0


def span(index: int, have: int, room: int) -> tuple[int, int]:
    """The range of `have` items shown at place `index` of `room`.

    >>> span(1, 6, 3), span(3, 2, 4)
    ((2, 4), (1, 2))
    """
    start = index * have // room
    return start, max(start + 1, (index + 1) * have // room)


def _spans(have: int, room: int) -> list[tuple[int, int]]:
    return [span(index, have, room) for index in range(room)] if have else [(0, 0)] * room


def _sum(columns: Sequence[Sequence[int]]) -> list[int]:
    return [sum(values) for values in zip(*columns, strict=True)]
