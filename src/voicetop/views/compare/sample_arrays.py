"""A `WindowSample` opened up for comparing: arrays by cell, and what some of its cells add up to."""

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
    """One of the two moments. `cells` is how many there are; a mask over them chooses."""

    def __init__(self, moment: WindowSample) -> None:
        self.moment = moment
        self.cells = len(moment.keys)
        position, self._turns = _spread(moment.turns)
        self._cell, self._rest = position // ROW, position % ROW
        key, self._sums = _spread(moment.sums)
        self._kind, self._sum_cell = key >> CELL_BITS, key & ((1 << CELL_BITS) - 1)
        self._row = {kind: row for row, kind in enumerate(moment.kinds)}
        self._slots = np.frombuffer(moment.slots, np.int64).reshape(-1, 4)
        self.seconds = np.array(moment.seconds)
        self.live = np.array(moment.live, float)
        self.wobble = dict(moment.wobble)

    def within(self, where: Key) -> Mask:
        """The cells in which all of `where` holds."""
        wanted = {part for part in where if part[0] != "hour"}
        return np.array([wanted <= set(key) for key in self.moment.keys], bool)

    def histograms(self, chosen: Mask) -> dict[str, Histogram]:
        """Counts by bucket of every metric that has any."""
        kept = chosen[self._cell]
        table = np.bincount(self._rest[kept], self._turns[kept], ROW).astype(np.int64)
        by_metric = np.maximum(table, 0).reshape(len(METRICS), BUCKETS)
        return {name: counts for name, counts in zip(METRICS, by_metric, strict=True) if counts.any()}

    def sums(self, chosen: Mask) -> dict[str, int]:
        """The sum of every kind."""
        kept = chosen[self._sum_cell]
        totals = np.bincount(self._kind[kept], self._sums[kept], len(self._row)).astype(np.int64).tolist()
        return {kind: totals[row] for kind, row in self._row.items()}

    def by_slot(self, kind: str, chosen: Mask) -> Vector:
        """What is kept by slot, "turns" too."""
        number = TURNS if kind == "turns" else SLOTTED.index(kind)
        kept = (self._slots[:, 1] == number) & chosen[self._slots[:, 2]]
        return np.bincount(self._slots[kept, 0], self._slots[kept, 3], len(self.seconds)).astype(float)

    def by_cell(self, kind: str) -> Vector:
        """The sum of one kind in each cell."""
        own = self._kind == self._row.get(kind, -1)
        return np.bincount(self._sum_cell[own], self._sums[own], self.cells).astype(float)

    def turns_by_cell(self, from_bucket: int) -> Vector:
        """Turns whose e2e lies at or beyond a bucket, in each cell."""
        kept = (self._rest < BUCKETS) & (self._rest >= from_bucket)
        return np.bincount(self._cell[kept], self._turns[kept], self.cells).astype(float)


class SamplePart:
    """Some cells of one side, added up once."""

    def __init__(self, side: SampleArrays, chosen: Mask) -> None:
        self.side, self.chosen = side, chosen
        self.histograms = side.histograms(chosen)
        self.sums = side.sums(chosen)
        self.live = int(side.live[chosen].sum())

    @property
    def active(self) -> int:
        """Calls that were active in the window: those that ended in it, and those that were live at its end."""
        return self.live + self.sums["ended"]

    def by_slot(self, kind: str) -> Vector:
        """What is kept by slot, "turns" too."""
        return self.side.by_slot(kind, self.chosen)

    def share(self, hits: str, of: str) -> tuple[int, int]:
        """(hits, n); of nothing named, n is the active calls."""
        n = max(0, self.sums[of] if of else self.active)
        return max(0, min(self.sums.get(hits, 0), n)), n


def _spread(block: Block) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.frombuffer(block[0], np.uint32).astype(np.int64), np.frombuffer(block[1], np.int64)


def common(a: SampleArrays, b: SampleArrays) -> tuple[list[Key], NDArray[np.int64], NDArray[np.int64]]:
    """All combinations of either, and for each cell of a and of b the number of its combination."""
    numbers: dict[Key, int] = {}

    def numbered(keys: Iterable[Key]) -> NDArray[np.int64]:
        return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)

    of_a, of_b = numbered(a.moment.keys), numbered(b.moment.keys)
    return list(numbers), of_a, of_b
