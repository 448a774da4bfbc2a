"""The last five minutes by 10-second slot, for the statistics that look for a change.

Derived from the windows, and not part of the state: what slots add up to for the whole fleet is kept until something
is added to them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.windows.buckets import BUCKETS
from voicetop.engine.windows.counts import Counts
from voicetop.engine.windows.delta_encoding import Index
from voicetop.engine.windows.histogram_slot import HistogramSlot
from voicetop.engine.windows.histograms import METRICS, Histograms
from voicetop.engine.windows.slots import FINE, SPANS

Table = NDArray[np.int64]
Cells = NDArray[np.intp] | None
_SHAPE = (len(METRICS), BUCKETS)


class _Version(NamedTuple):
    """What a slot's counts were taken from: a merged or compressed slot has other objects, updates are only added."""

    block: bytes
    indices: Index
    updates: int

    def is_of(self, slot: HistogramSlot) -> bool:
        return self.block is slot.block and self.indices is slot.index and self.updates == slot.uncompressed


class RecentSlots:
    """Reads one pair of windows."""

    def __init__(self, windows: Histograms, counts: Counts) -> None:
        self._windows, self._counts = windows, counts
        self._tables: dict[int, tuple[_Version, Table]] = {}

    def reads(self, windows: Histograms, counts: Counts) -> bool:
        """Whether these are its windows: loading a checkpoint replaces them."""
        return self._windows is windows and self._counts is counts

    def edges(self, at: float) -> NDArray[np.float64]:
        """Where each slot starts, and `at`, the end of the last (epoch s); the first is the window's."""
        numbers = self._numbers(at)
        return np.array([*(number * FINE for number in numbers), max(at, numbers[-1] * FINE + 1.0)], float)

    def times(self, at: float, cells: Cells) -> Table:
        """Measured times [slot, metric, bucket] of some cells (None: all)."""
        return np.array([self._table(number, cells) for number in self._numbers(at)])

    def sums(self, at: float, cells: Cells) -> list[dict[str, int]]:
        """Counts by kind, for each slot, of some cells (None: all)."""
        chosen = None if cells is None else frozenset(cells.tolist())
        return [self._sum(number, chosen) for number in self._numbers(at)]

    def _numbers(self, at: float) -> range:
        last = int(at // FINE)
        return range(last - SPANS["5m"] // FINE + 1, last + 1)

    def _table(self, number: int, cells: Cells) -> Table:
        slot = self._windows.fine.get(number)
        if slot is None:
            return np.zeros(_SHAPE, np.int64)
        if cells is not None:
            return self._windows.counts_of([slot], cells)
        held = self._tables.get(number)
        if held is None or not held[0].is_of(slot):
            self._drop_old(number)
            counts = self._windows.counts_of([slot], None)
            held = self._tables[number] = (_Version(slot.block, slot.index, slot.uncompressed), counts)
        return held[1]

    def _sum(self, number: int, chosen: frozenset[int] | None) -> dict[str, int]:
        return self._counts.over_time((FINE, number), chosen)

    def _drop_old(self, newest: int) -> None:
        oldest = newest - SPANS["5m"] // FINE - 1
        for number in [number for number in self._tables if number < oldest]:
            del self._tables[number]
