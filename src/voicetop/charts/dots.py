"""Lines drawn in braille: each cell holds 2 × 4 dots. In ASCII a cell holds one mark."""

from __future__ import annotations

from math import isnan

from voicetop.charts.scale import Scale

DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""The bits of U+2800 by column (left, right) and height from the bottom (Unicode, Braille Patterns)."""


def line(values: tuple[float, ...], width: int, height: int, high: float) -> list[str]:
    """A connected line through two values per column on the scale 0 … high, from 2 × `width` values. Top row first.

    >>> line((0.0, 1.0, 1.0, 0.0), 2, 1, 1.0)
    ['⡸⢱']
    """
    rows = [bytearray(width) for _ in range(height)]
    scale = Scale(0.0, high, height * 4)
    before = -1
    for index, value in enumerate(values[: width * 2]):
        if isnan(value):
            before = -1
            continue
        level = scale.place(value)
        bits = DOTS[index & 1]
        for dot in _reach(before, level):
            rows[height - 1 - (dot >> 2)][index >> 1] |= bits[dot & 3]
        before = level
    return ["".join(chr(0x2800 + bits) if bits else " " for bits in row) for row in rows]


def _reach(before: int, level: int) -> range:
    """The dots of this column that connect it to the previous value, exclusive of that one."""
    if before < 0 or before == level:
        return range(level, level + 1)
    return range(before + 1, level + 1) if before < level else range(level, before)


def line_ascii(values: tuple[float, ...], width: int, height: int, high: float) -> list[str]:
    """The same with one value per column, as asterisks connected by bars."""
    rows = [[" "] * width for _ in range(height)]
    scale = Scale(0.0, high, height)
    before = -1
    for index, value in enumerate(values[:width]):
        if isnan(value):
            before = -1
            continue
        level = scale.place(value)
        for dot in _reach(before, level):
            rows[height - 1 - dot][index] = "|"
        rows[height - 1 - level][index] = "*"
        before = level
    return ["".join(row) for row in rows]
