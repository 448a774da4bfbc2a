"""One slot of time of the histograms: indices of counters, and how often each was counted."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from voicetop.engine.windows.delta_encoding import Index, spread, squeeze, summed

FRESH = 20_000
"""What may come to a squeezed slot before it is folded in."""


class HistogramSlot(Struct):
    """What one slot of time counted: unique sorted indices with their counts, and what came since, as it came.

    The sorted form is a pair of arrays, or one block of bytes (`delta_encoding.py`) where it is of the past.
    """

    index: Index
    count: NDArray[np.int32]
    added: list[Index]
    taken: list[Index]
    block: bytes = b""

    @classmethod
    def empty(cls) -> HistogramSlot:
        return cls(np.empty(0, np.uint32), np.empty(0, np.int32), [], [])

    def sorted(self) -> tuple[Index, NDArray[np.int32]]:
        """Indices and counts, what came since folded in."""
        self.compact()
        return self.base()

    def compact(self) -> HistogramSlot:
        """Fold what came since into the sorted form: the same whatever order and batches it came in."""
        if not self.added and not self.taken:
            return self
        block, (index, count) = self.block, self.base()
        if not self.taken and not len(index):
            index, fresh = np.unique(np.concatenate(self.added), return_counts=True)
            self.hold(index, fresh.astype(np.int32))
        else:
            parts = [index, *self.added, *self.taken]
            signs = [1] * len(self.added) + [-1] * len(self.taken)
            new = [np.full(len(part), sign, np.int32) for part, sign in zip(parts[1:], signs, strict=True)]
            self.hold(*summed(np.concatenate(parts), np.concatenate([count, *new])))
        self.added, self.taken = [], []
        return self.squeeze() if block else self

    def hold(self, index: Index, count: NDArray[np.int32]) -> None:
        """Have these as the sorted form."""
        self.index, self.count, self.block = index, count, b""

    def squeeze(self) -> HistogramSlot:
        """Of the past: questions are rare from now on."""
        self.compact()
        if not self.block:
            block = squeeze(self.index, self.count)
            self.hold(np.empty(0, np.uint32), np.empty(0, np.int32))
            self.block = block
        return self

    def packed(self) -> bytes:
        """All of it as one block."""
        index, count = self.sorted()
        return self.block or squeeze(index, count)

    @property
    def fresh(self) -> int:
        """How many indices came since."""
        return sum(map(len, self.added)) + sum(map(len, self.taken))

    def base(self) -> tuple[Index, NDArray[np.int32]]:
        """Indices and counts without what came since."""
        return spread(self.block, np.int32) if self.block else (self.index, self.count)

    def join(self) -> None:
        """Make one array of the many small ones that batches left; what they count stays the same."""
        if len(self.added) > 1:
            self.added = [np.concatenate(self.added)]
        if len(self.taken) > 1:
            self.taken = [np.concatenate(self.taken)]
