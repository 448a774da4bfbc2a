"""Maps the engine's segment cells to rows of the baseline."""

from __future__ import annotations

import numpy as np

from voicetop.alerts.changes.array_codec import Ints
from voicetop.engine.windows.cells import Key

MAX_ROWS = 4_096
UNATTRIBUTED = 0
"""The row of calls without segments, and of combinations beyond `MAX_ROWS`."""


class Rows:
    """`of` maps cells to rows; combinations new to the baseline are appended to it."""

    def __init__(self, keys: list[Key]) -> None:
        self._keys = keys
        self._ids = {key: row for row, key in enumerate(keys)}
        self._cells: list[Key | None] = []
        self.of: Ints = np.zeros(0, np.int64)

    def update(self, cells: list[Key | None]) -> None:
        """Map cells that are new or were reassigned to another combination."""
        if len(cells) == len(self._cells) and all(a is b for a, b in zip(cells, self._cells, strict=True)):
            return
        self.of = np.array([self._row(key) for key in cells], np.int64)
        self._cells = list(cells)

    def _row(self, key: Key | None) -> int:
        if key is None:
            return UNATTRIBUTED
        row = self._ids.get(key)
        if row is None:
            if len(self._keys) >= MAX_ROWS:
                return UNATTRIBUTED
            row = self._ids[key] = len(self._keys)
            self._keys.append(key)
        return row
