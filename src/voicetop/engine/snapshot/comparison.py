"""Data for comparing two windows: a `WindowSample` of each, and the resulting `Comparison`.

Samples are made by `window_sample.py` and read by `compare.py` alone; a screen holds one and requests a `Comparison`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

NAN = float("nan")
Key: TypeAlias = tuple[tuple[str, str], ...]
Block: TypeAlias = tuple[bytes, bytes]
"""Positions (u32) and amounts (i64)."""

Unit: TypeAlias = Literal["ms", "share", "dollars", "of 5", "per 100", "per min", "calls"]
Finding: TypeAlias = Literal["worse", "better", "changed", "noise", "few", "unknown"]
"""The first three are news; `few`: too little data; `unknown`: missing in either window."""


class WindowSample(Struct, frozen=True):
    """Counts of one window, `start` to `end` (epoch s), as known at `at`; `cut` where the window lies in the past.

    `keys[i]` is cell i, `live[i]` its live calls at the end. `turns` counts by cell, metric and bucket, `sums` by kind
    and cell; `slots` holds (slot, kind, cell, amount) for what needs a spread over time, `seconds` the slots' widths.
    `design_effects` are those of P50, P95 and P99, `natural_variation` the standard deviation of each figure between
    quiet quarter-hours as a share of its value, measured over `units` of them.
    """

    at: float
    start: float
    end: float
    span: str
    cut: bool
    keys: tuple[Key, ...]
    live: tuple[int, ...]
    turns: Block
    kinds: tuple[str, ...]
    sums: Block
    slots: bytes
    seconds: tuple[float, ...]
    design_effects: tuple[float, float, float] = (1.0, 1.0, 1.0)
    natural_variation: tuple[tuple[str, float], ...] = ()
    units: int = 0


class FigureChange(Struct, frozen=True):
    """One figure in A and in B. `low` and `high` bound the difference b − a (95 %); `n_a` and `n_b` are the
    observations; `chance` is the p-value. `least_a` and `least_b` mark
    percentiles raised by callers still waiting.
    """

    name: str
    unit: Unit
    a: float = NAN
    b: float = NAN
    low: float = NAN
    high: float = NAN
    n_a: int = 0
    n_b: int = 0
    chance: float = 1.0
    finding: Finding = "unknown"
    least_a: bool = False
    least_b: bool = False

    @property
    def difference(self) -> float:
        return self.b - self.a

    @property
    def news(self) -> bool:
        return self.finding in ("worse", "better", "changed")


class SegmentChange(Struct, frozen=True):
    """A value or pair of values in which a figure changed significantly; `rest` is that of all other calls."""

    where: Key
    change: FigureChange
    rest: FigureChange


class Comparison(Struct, frozen=True):
    """A against B within `where`. `tested` differences were looked at in the table, `searched` among segments.

    `overlap_s` is the overlap of the windows. `units` is the number of quarter-hours behind the natural variation
    (0: unknown).
    """

    a: WindowSample
    b: WindowSample
    where: Key = ()
    rows: tuple[FigureChange, ...] = ()
    segments: tuple[SegmentChange, ...] = ()
    tested: int = 0
    searched: int = 0
    overlap_s: float = 0.0
    units: int = 0

    @property
    def news(self) -> tuple[FigureChange, ...]:
        """What changed beyond noise, in the order of the table."""
        return tuple(row for row in self.rows if row.news)
