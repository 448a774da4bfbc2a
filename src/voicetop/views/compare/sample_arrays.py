"""A `WindowSample` as arrays by cell, and the sums of a selection of its cells."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.snapshot.comparison import Block, Key, WindowSample
from voicetop.engine.windows.buckets import BUCKETS
from voicetop.engine.windows.histograms import METRICS, ROW, Histogram
from voicetop.views.compare.window_sample import CELL_BITS, SLOTTED, TURNS

Mask = NDArray[np.bool_]
Vector = NDArray[np.float64]


class SampleArrays:
    """One of two samples to compare; masks over its `cells` (their number) select segments."""

    def __init__(self, sample: WindowSample) -> None:
        self.sample = sample
        self.cells = len(sample.keys)
        position, self._turns = _unpacked(sample.turns)
        self._cell, self._rest = position // ROW, position % ROW
        key, self._sums = _unpacked(sample.sums)
        self._kind, self._sum_cell = key >> CELL_BITS, key & ((1 << CELL_BITS) - 1)
        self._row = {kind: row for row, kind in enumerate(sample.kinds)}
        self._slots = np.frombuffer(sample.slots, np.int64).reshape(-1, 4)
        self.seconds = np.array(sample.seconds)
        self.live = np.array(sample.live, float)
        self.natural_variation = dict(sample.natural_variation)

    def within(self, where: Key) -> Mask:
        """A mask of the cells that match all of `where`."""
        wanted = {part for part in where if part[0] != "hour"}
        return np.array([wanted <= set(key) for key in self.sample.keys], bool)

    def histograms(self, chosen: Mask) -> dict[str, Histogram]:
        """Counts by bucket, for each metric that has any."""
        own = chosen[self._cell]
        table = np.bincount(self._rest[own], self._turns[own], ROW).astype(np.int64)
        by_metric = np.maximum(table, 0).reshape(len(METRICS), BUCKETS)
        return {name: counts for name, counts in zip(METRICS, by_metric, strict=True) if counts.any()}

    def sums(self, chosen: Mask) -> dict[str, int]:
        """The sum of every kind."""
        own = chosen[self._sum_cell]
        totals = np.bincount(self._kind[own], self._sums[own], len(self._row)).astype(np.int64).tolist()
        return {kind: totals[row] for kind, row in self._row.items()}

    def by_slot(self, kind: str, chosen: Mask) -> Vector:
        """Amounts by slot of a kind in `SLOTTED`, or of "turns"."""
        number = TURNS if kind == "turns" else SLOTTED.index(kind)
        own = (self._slots[:, 1] == number) & chosen[self._slots[:, 2]]
        return np.bincount(self._slots[own, 0], self._slots[own, 3], len(self.seconds)).astype(float)

    def by_cell(self, kind: str) -> Vector:
        """The sum of one kind in each cell."""
        own = self._kind == self._row.get(kind, -1)
        return np.bincount(self._sum_cell[own], self._sums[own], self.cells).astype(float)

    def turns_by_cell(self, from_bucket: int) -> Vector:
        """Turns with e2e in or above a bucket, by cell."""
        own = (self._rest < BUCKETS) & (self._rest >= from_bucket)
        return np.bincount(self._cell[own], self._turns[own], self.cells).astype(float)


class SamplePart:
    """A selection of one sample's cells, summed once."""

    def __init__(self, side: SampleArrays, chosen: Mask) -> None:
        self.side, self.chosen = side, chosen
        self.histograms = side.histograms(chosen)
        self.sums = side.sums(chosen)
        self.live = int(side.live[chosen].sum())

    @property
    def active(self) -> int:
        """Calls active in the window: ended in it, or live at its end."""
        return self.live + self.sums["ended"]

    def by_slot(self, kind: str) -> Vector:
        """Amounts by slot of a kind in `SLOTTED`, or of "turns"."""
        return self.side.by_slot(kind, self.chosen)

    def share(self, hits: str, of: str) -> tuple[int, int]:
        """(hits, n); with an empty `of`, n is the active calls."""
        n = max(0, self.sums[of] if of else self.active)
        return max(0, min(self.sums.get(hits, 0), n)), n


def _unpacked(block: Block) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.frombuffer(block[0], np.uint32).astype(np.int64), np.frombuffer(block[1], np.int64)


def common(a: SampleArrays, b: SampleArrays) -> tuple[list[Key], NDArray[np.int64], NDArray[np.int64]]:
    """The union of both samples' cell keys, and the index in it of each cell of a and of b."""
    numbers: dict[Key, int] = {}

    def numbered(keys: Iterable[Key]) -> NDArray[np.int64]:
        return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)

    of_a, of_b = numbered(a.sample.keys), numbered(b.sample.keys)
    return list(numbers), of_a, of_b
