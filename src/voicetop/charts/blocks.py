"""Bars and sparklines of block characters, in eighths of a cell; in ASCII of whole characters."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

EIGHTHS = " ▏▎▍▌▋▊▉"
LEVELS = "▁▂▃▄▅▆▇"
"""At most seven eighths, so that sparklines below each other don't touch."""
LEVELS_ASCII = "_.-=+*#"


def bar(share: float, width: int, *, ascii_only: bool = False) -> str:
    """A bar of `share` (0–1) of `width` cells, without padding. Any share above 0 shows.

    >>> bar(0.5, 3)
    '█▌'
    """
    if not share > 0 or width <= 0:
        return ""
    if ascii_only:
        return "#" * max(1, round(min(share, 1.0) * width))
    eighths = max(1, round(min(share, 1.0) * width * 8))
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def strokes(share: float, width: int, *, ascii_only: bool = False) -> str:
    """A bar in whole cells that doesn't touch the one below it.

    >>> strokes(0.5, 4)
    '▇▇'
    """
    if not share > 0 or width <= 0:
        return ""
    return ("#" if ascii_only else "▇") * max(1, round(min(share, 1.0) * width))


def spark(values: Sequence[float], high: float, *, ascii_only: bool = False) -> str:
    """One character per value on the scale 0 … high; NaN is a space.

    >>> spark((0.0, 4.0, 8.0), 8.0)
    '▁▄▇'
    """
    marks = LEVELS_ASCII if ascii_only else LEVELS
    top = len(marks) - 1
    return "".join(
        " " if isnan(value) else marks[min(top, max(0, int(value / high * top + 0.5)))] for value in values
    )


def shares(parts: Sequence[float], width: int) -> list[int]:
    """Whole cells for each part of a stacked bar, summing to `width` (largest remainder method).

    >>> shares((1.0, 1.0, 2.0), 10)
    [3, 2, 5]
    """
    total = sum(part for part in parts if part > 0)
    if not total or width <= 0:
        return [0] * len(parts)
    exact = [max(part, 0.0) / total * width if not isnan(part) else 0.0 for part in parts]
    cells = [int(value) for value in exact]
    order = sorted(range(len(parts)), key=lambda i: cells[i] - exact[i])
    for index in order[: width - sum(cells)]:
        cells[index] += 1
    return cells
