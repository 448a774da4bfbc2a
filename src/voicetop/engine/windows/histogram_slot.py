"""One time slot of the histograms: counter indices and their counts."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from voicetop.engine.windows.delta_encoding import Index, decode_block, encode_block, summed

MAX_UNCOMPRESSED = 20_000
"""Updates to a compressed slot before it is compressed again."""


class HistogramSlot(Struct):
    """Unique sorted indices with their counts, and raw updates since (`added`, `taken`).

    The sorted form is a pair of arrays, or for the past one compressed block (`delta_encoding.py`). `changes` counts
    the updates, so that what is made of a slot can be kept until it changes.
    """

    index: Index
    count: NDArray[np.int32]
    added: list[Index]
    taken: list[Index]
    block: bytes = b""
    changes: int = 0

    @classmethod
    def empty(cls) -> HistogramSlot:
        return cls(np.empty(0, np.uint32), np.empty(0, np.int32), [], [])

    def add(self, index: Index) -> None:
        """Count these indices."""
        self.added.append(index)
        self.changes += 1

    def sorted(self) -> tuple[Index, NDArray[np.int32]]:
        """Indices and counts, updates included."""
        self.compact()
        return self.base()

    def compact(self) -> HistogramSlot:
        """Merge updates into the sorted form; the result is independent of their order and batching."""
        if not self.added and not self.taken:
            return self
        block, (index, count) = self.block, self.base()
        if not self.taken and not len(index):
            index, counts = np.unique(np.concatenate(self.added), return_counts=True)
            self.set_base(index, counts.astype(np.int32))
        else:
            parts = [index, *self.added, *self.taken]
            signs = [1] * len(self.added) + [-1] * len(self.taken)
            new = [np.full(len(part), sign, np.int32) for part, sign in zip(parts[1:], signs, strict=True)]
            self.set_base(*summed(np.concatenate(parts), np.concatenate([count, *new])))
        self.added, self.taken = [], []
        return self.compress() if block else self

    def set_base(self, index: Index, count: NDArray[np.int32]) -> None:
        """Replace the sorted form."""
        self.index, self.count, self.block = index, count, b""
        self.changes += 1

    def compress(self) -> HistogramSlot:
        """Compress a slot of the past, which is rarely queried."""
        self.compact()
        if not self.block:
            block = encode_block(self.index, self.count)
            self.set_base(np.empty(0, np.uint32), np.empty(0, np.int32))
            self.block = block
        return self

    def packed(self) -> bytes:
        """All of it as one block."""
        index, count = self.sorted()
        return self.block or encode_block(index, count)

    @property
    def uncompressed(self) -> int:
        """Number of updates since the last compaction."""
        return sum(map(len, self.added)) + sum(map(len, self.taken))

    def base(self) -> tuple[Index, NDArray[np.int32]]:
        """Indices and counts without updates."""
        return decode_block(self.block, np.int32) if self.block else (self.index, self.count)

    def join(self) -> None:
        """Concatenate the updates' many small arrays."""
        if len(self.added) > 1:
            self.added = [np.concatenate(self.added)]
        if len(self.taken) > 1:
            self.taken = [np.concatenate(self.taken)]
