"""Maps values to positions: stable bounds, readable ticks, series resampled to columns.

An axis ends at a round number, so that a chart doesn't rescale with every value. Columns are aligned to absolute time,
so that a series scrolls as one piece and doesn't shimmer.
"""

from __future__ import annotations

from math import ceil, floor, isinf, isnan, log10
from typing import NamedTuple

NAN = float("nan")
ROUND = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
EVEN = (1.0, 2.0, 5.0, 10.0, 20.0)
TIME_STEPS = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 14400, 21600, 43200, 86400)


class Scale(NamedTuple):
    """Maps [low, high] to positions 0 … size-1; values outside are clamped."""

    low: float
    high: float
    size: int

    def place(self, value: float) -> int:
        """The position of a value.

        >>> Scale(0, 100, 11).place(50)
        5
        """
        span = self.high - self.low
        if not span or self.size < 2:
            return 0
        position = int((value - self.low) / span * (self.size - 1) + 0.5)
        return min(max(position, 0), self.size - 1)


def round_up(value: float) -> float:
    """The next round number at or above a positive value.

    >>> round_up(3910), round_up(0.0731)
    (4000.0, 0.08)
    """
    if not value > 0 or isinf(value):
        return 1.0
    unit = 10.0 ** floor(log10(value))
    for step in ROUND:
        if value <= step * unit * (1 + 1e-9):
            return float(f"{step * unit:.12g}")
    return 10.0 * unit


def ceiling(values: tuple[float, ...], *marks: float) -> float:
    """The top of an axis from 0 that covers the values and the marks (thresholds); NaN is ignored."""
    known = [value for value in (*values, *marks) if not isnan(value) and not isinf(value)]
    return round_up(max(known, default=0.0))


def ticks(high: float, rows: int) -> tuple[float, ...]:
    """Round numbers on an axis 0 … high that is `rows` tall, at most one every two rows, without 0.

    >>> ticks(6000, 7), ticks(2.5, 7)
    ((2000.0, 4000.0, 6000.0), (1.0, 2.0))
    """
    wanted = max(1, min(5, (rows + 1) // 2))
    unit = 10.0 ** floor(log10(high / wanted))
    step = next(even * unit for even in EVEN if high / (even * unit) < wanted + 1 - 1e-9)
    return tuple(float(f"{step * i:.12g}") for i in range(1, int(high / step + 1e-9) + 1))


def columns(values: tuple[float, ...], width: int, first: int = 0) -> tuple[float, ...]:
    """`values` resampled to exactly `width` columns; `first` is the absolute number of the first (time / step).

    More values than columns: each shows its maximum, so that peaks survive. Fewer: linear interpolation. NaN stays NaN.

    >>> columns((1.0, 9.0, 2.0, 3.0), 2)
    (9.0, 3.0)
    """
    if not values or width <= 0:
        return (NAN,) * max(width, 0)
    if len(values) > width:
        values = _peaks(values, -(-len(values) // width), first)[-width:]
    return values if len(values) == width else _stretch(values, width)


def _peaks(values: tuple[float, ...], per: int, first: int) -> tuple[float, ...]:
    groups: dict[int, float] = {}
    for index, value in enumerate(values):
        key = (first + index) // per
        before = groups.get(key, NAN)
        groups[key] = value if not before >= value else before
    return tuple(groups.values())


def _stretch(values: tuple[float, ...], width: int) -> tuple[float, ...]:
    if len(values) == 1:
        return (NAN,) * (width - 1) + values
    step = (len(values) - 1) / (width - 1)
    stretched = [_between(values, i * step) for i in range(width)]
    for index, value in enumerate(values):  # each value itself is in its nearest column: no peak is cut
        stretched[round(index / step)] = value
    return tuple(stretched)


def _between(values: tuple[float, ...], at: float) -> float:
    left = min(int(at + 1e-9), len(values) - 1)
    share = at - left
    if share < 1e-6 or left + 1 >= len(values):
        return values[left]
    a, b = values[left], values[left + 1]
    if isnan(a) or isnan(b):
        return a if share < 0.5 else b
    return a + (b - a) * share


def time_ticks(start: float, end: float, wanted: int) -> tuple[float, ...]:
    """Round times (whole minutes, hours …, from the epoch) between start and end, at most `wanted`.

    >>> time_ticks(0, 600, 4)
    (0.0, 300.0, 600.0)
    """
    if end <= start or wanted < 1:
        return ()
    for step in TIME_STEPS:
        first = ceil(start / step)
        last = floor(end / step)
        if last - first + 1 <= wanted:
            return tuple(float(n * step) for n in range(first, last + 1))
    return ()
