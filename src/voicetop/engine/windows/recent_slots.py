"""The last five minutes by 10-second slot, for the statistics that look for a change.

Derived from the windows, and not part of the state: what slots add up to for the whole fleet is kept until something
is added to them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.windows.buckets import BUCKETS
from voicetop.engine.windows.counts import Counts, CountSlot
from voicetop.engine.windows.histogram_slot import HistogramSlot
from voicetop.engine.windows.histograms import METRICS, Histograms
from voicetop.engine.windows.slots import FINE, SPANS, SlotKey

Table = NDArray[np.int64]
Cells = NDArray[np.intp] | None
MAX_KEPT = 100
_SHAPE = (len(METRICS), BUCKETS)


class RecentSlots:
    """Reads one pair of windows."""

    def __init__(self, windows: Histograms, counts: Counts) -> None:
        self._windows, self._counts = windows, counts
        self._tables: dict[int, tuple[HistogramSlot, int, Table]] = {}
        """The whole fleet's, with the slot and the number of its changes that they are of."""
        self._sums: dict[SlotKey, tuple[CountSlot, int, dict[str, int]]] = {}

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
        if cells is None:
            return [self.sum((FINE, number)) for number in self._numbers(at)]
        chosen = frozenset(cells.tolist())
        return [self._counts.over_time((FINE, number), chosen) for number in self._numbers(at)]

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
        if held is None or held[0] is not slot or held[1] != slot.changes:
            counts = self._windows.counts_of([slot], None)
            held = self._tables[number] = (slot, slot.changes, counts)
            _drop_old(self._tables)
        return held[2]

    def sum(self, key: SlotKey) -> dict[str, int]:
        """Counts by kind of the whole fleet in one slot, also in a minute before the last five."""
        slot = self._counts.slots.get(key)
        if slot is None:
            return {}
        held = self._sums.get(key)
        if held is None or held[0] is not slot or held[1] != slot.changes:
            held = self._sums[key] = (slot, slot.changes, self._counts.over_time(key, None))
            _drop_old(self._sums)
        return held[2]


def _drop_old(kept: dict[Any, Any]) -> None:
    """Forget what was kept longest."""
    if len(kept) > MAX_KEPT:
        del kept[next(iter(kept))]
