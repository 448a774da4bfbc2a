"""Conjunctions of one to three segment values over rows that have some (a baseline's), and sums over them."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.snapshot import Where
from voicetop.engine.windows.cells import Key

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
MOST_VALUES = 3
MOST_DIMENSIONS = 6
MOST = 6_000
"""Conjunctions; what comes beyond is watched as part of the wider ones only."""


class Conjunctions:
    """Numbers conjunctions in the order in which rows first have them. `members[row]` are a row's, padded with 0, which
    is nobody's.
    """

    def __init__(self) -> None:
        self.where: list[Where] = [()]
        self._ids: dict[Where, int] = {(): 0}
        self._dimensions: list[str] = []
        self._members: list[list[int]] = []
        self.members: Ints = np.zeros((0, 1), np.int64)
        self.sizes: Ints = np.zeros(1, np.int64)

    def __len__(self) -> int:
        return len(self.where)

    def number_of(self, where: Where) -> int | None:
        """The number of a conjunction, if it has one."""
        return self._ids.get(where)

    def grow(self, keys: list[Key]) -> None:
        """Take in the rows that are new since the last time."""
        for key in keys[len(self._members) :]:
            self._members.append(self._of(key))
        width = max((len(ids) for ids in self._members), default=0) or 1
        self.members = np.array([ids + [0] * (width - len(ids)) for ids in self._members], np.int64)
        self.sizes = np.array([len(where) for where in self.where], np.int64)

    def _of(self, key: Key) -> list[int]:
        for name, _ in key:
            if name not in self._dimensions and len(self._dimensions) < MOST_DIMENSIONS:
                self._dimensions.append(name)
        told = [part for part in key if part[0] in self._dimensions]
        ids = []
        for size in range(1, MOST_VALUES + 1):
            for where in itertools.combinations(told, size):
                number = self._ids.get(where)
                if number is None:
                    if len(self.where) >= MOST:
                        continue
                    number = self._ids[where] = len(self.where)
                    self.where.append(where)
                ids.append(number)
        return ids

    def sums(self, rows: Ints, amounts: NDArray[np.int64]) -> Ints:
        """The sum of the amounts over each conjunction; 0 for number 0."""
        members = self.members[rows]
        found = np.bincount(members.ravel(), np.repeat(amounts, members.shape[1]), len(self.where))
        found[0] = 0
        return found.astype(np.int64)  # exact: what is summed stays far below 2^53

    def weighed(self, values: Floats) -> Floats:
        """The sum of a value of every row over each conjunction."""
        flat = np.repeat(values, self.members.shape[1])
        found = np.bincount(self.members.ravel(), flat, len(self.where)).astype(np.float64)
        found[0] = 0.0
        return found
