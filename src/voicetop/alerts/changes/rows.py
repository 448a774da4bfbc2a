"""Which row of the baseline each segment cell of the engine is."""

from __future__ import annotations

import numpy as np

from voicetop.alerts.changes.array_codec import Ints
from voicetop.engine.windows.cells import Key

MOST_ROWS = 4_096
NOBODYS = 0
"""The row of calls that told nothing, and of what found no room."""


class Rows:
    """`of` maps cells to rows; combinations that the baseline doesn't know become rows of it."""

    def __init__(self, keys: list[Key]) -> None:
        self._keys = keys
        self._ids = {key: row for row, key in enumerate(keys)}
        self._held: list[Key | None] = []
        self.of: Ints = np.zeros(0, np.int64)

    def follow(self, cells: list[Key | None]) -> None:
        """Take in cells that are new, or were given to another combination."""
        if len(cells) == len(self._held) and all(a is b for a, b in zip(cells, self._held, strict=True)):
            return
        self.of = np.array([self._row(key) for key in cells], np.int64)
        self._held = list(cells)

    def _row(self, key: Key | None) -> int:
        if key is None:
            return NOBODYS
        row = self._ids.get(key)
        if row is None:
            if len(self._keys) >= MOST_ROWS:
                return NOBODYS
            row = self._ids[key] = len(self._keys)
            self._keys.append(key)
        return row
