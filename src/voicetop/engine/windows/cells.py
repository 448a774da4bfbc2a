"""Segment cells: one for each combination of segment values seen.

Everything is counted once, in the cell of its call; "billing × es" is the sum over matching cells. The numbers of
dimensions, values and cells are bounded: excess values become "other" in their dimension, excess combinations go to the
cell `FOLDED`, and the screen shows how many calls those were.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from voicetop.engine.config import EngineConfig

Key = tuple[tuple[str, str], ...]
EVERYBODY = 0
FOLDED = 1
OTHER = "other"


class Cells(Struct):
    """The registry. `keys[i]` is the sorted combination of cell i, None if the number is free again.

    Cell 0 is the empty combination (calls without segments), cell 1 takes combinations beyond `max_cells`.
    """

    max_cells: int
    max_values: int
    max_dimensions: int
    keys: list[Key | None]
    ids: dict[Key, int]
    values: dict[str, dict[str, int]]
    live: list[int]
    folded: int = 0
    others: int = 0
    swept: int = -1
    """Start of the 24 h window when idle cells were last searched."""

    @classmethod
    def empty(cls, config: EngineConfig) -> Cells:
        return cls(
            config.max_cells,
            config.max_values,
            config.max_dimensions,
            [(), None],
            {(): EVERYBODY},
            {},
            [0, 0],
        )

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, segments: dict[str, str], evict: Callable[[], Iterable[int]]) -> int:
        """The cell of a combination, created if necessary; `evict` returns idle cells when all are in use."""
        key = self._bounded(segments)
        cell = self.ids.get(key)
        if cell is not None:
            return cell
        return self._make(key, evict)

    def _bounded(self, segments: dict[str, str]) -> Key:
        parts: list[tuple[str, str]] = []
        free_dimensions = self.max_dimensions - len(self.values)
        for name in sorted(segments):
            value = segments[name]
            counts = self.values.get(name)
            if counts is None:
                if not free_dimensions:
                    self.others += 1
                    continue
                free_dimensions -= 1
                counts = {}
            if value not in counts and len(counts) >= self.max_values:
                self.others += 1
                value = OTHER
            parts.append((name, value))
        return tuple(parts)

    def _make(self, key: Key, evict: Callable[[], Iterable[int]]) -> int:
        if len(self.ids) + 1 >= self.max_cells:
            for idle in evict():
                self._free(idle)
            if len(self.ids) + 1 >= self.max_cells:
                self.folded += 1
                return FOLDED
        cell = self._next_free()
        self.keys[cell] = key
        self.ids[key] = cell
        for name, value in key:
            known = self.values.setdefault(name, {})
            known[value] = known.get(value, 0) + 1
        return cell

    def _next_free(self) -> int:
        if len(self.ids) + 1 < len(self.keys):
            return self.keys.index(None, FOLDED + 1)
        self.keys.append(None)
        self.live.append(0)
        return len(self.keys) - 1

    def _free(self, cell: int) -> None:
        key = self.keys[cell]
        if key is None or cell in (EVERYBODY, FOLDED):
            return
        del self.ids[key]
        self.keys[cell] = None
        for name, value in key:
            known = self.values[name]
            known[value] -= 1
            if not known[value]:
                del known[value]
            if not known:
                del self.values[name]

    def matching(self, where: Iterable[tuple[str, str]]) -> NDArray[np.intp] | None:
        """The numbers of the cells that match all of `where`; None means all cells."""
        wanted = set(where)
        if not wanted:
            return None
        hits = [cell for cell, key in enumerate(self.keys) if key is not None and wanted <= set(key)]
        return np.array(hits, np.intp)

    def dimensions(self) -> list[str]:
        """The dimensions seen, the usual ones first."""
        usual = ["intent", "language", "tier", "version", "channel", "region"]
        return [d for d in usual if d in self.values] + sorted(set(self.values) - set(usual))


class SegmentColumns:
    """The cells' values by dimension, as (dimension, values, code of each cell); code 0 is none.

    Updated incrementally, since it is used every 5 seconds; rebuilt after cells were reassigned.
    """

    def __init__(self) -> None:
        self._keys: list[Key | None] = []
        self._codes: dict[str, tuple[dict[str | None, int], list[int]]] = {}
        self._columns: list[tuple[str, list[str | None], NDArray[np.intp]]] = []

    def __iter__(self) -> Iterator[tuple[str, list[str | None], NDArray[np.intp]]]:
        return iter(self._columns)

    def update(self, cells: Cells) -> SegmentColumns:
        """Bring the columns up to date with a registry."""
        keys, known = cells.keys, len(self._keys)
        if known > len(keys) or not all(map(operator.is_, keys, self._keys)):
            self._codes, known = {}, 0
        if known != len(keys):
            for cell, key in enumerate(keys[known:], known):
                self._add(cell, key or ())
            self._keys = list(keys)
            self._columns = [
                (name, list(values), np.array(codes + [0] * (len(keys) - len(codes)), np.intp))
                for name, (values, codes) in sorted(self._codes.items())
            ]
        return self

    def _add(self, cell: int, key: Key) -> None:
        for name, value in key:
            values, codes = self._codes.setdefault(name, ({None: 0}, []))
            codes += [0] * (cell - len(codes))
            codes.append(values.setdefault(value, len(values)))
