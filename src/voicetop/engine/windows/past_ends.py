"""What windows that ended earlier counted and no slot shows any more: who was waiting at their end, and which error was
a call's latest until then.

A window that ends now adds the callers who wait now to the replies in its slots, and counts a call by its latest error.
To get the same figure for a minute or a quarter-hour of the past, both are remembered at the ends of minutes. They are
added when they are over, by the times of their events: nothing depends on when a heartbeat or a late event arrives.

Ends are kept as long as slots end there: by the minute for 2 hours, by the quarter-hour for 24 hours.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.windows.buckets import BUCKETS, bucket_of
from voicetop.engine.windows.counts import CountSlot, Sums
from voicetop.engine.windows.histograms import Histogram
from voicetop.engine.windows.slots import MINUTE, QUARTER, SPANS, Edges

NOTE = struct.Struct("<IH")
"""A call's note of an entry: the end, in minutes since the epoch, and the code."""
DAY = SPANS["24h"] // MINUTE
CODES = BUCKETS + DAY
"""An entry's key is cell × CODES + code. The code of a wait is its bucket at the end, that of an error BUCKETS plus the
minutes that begin between it and the end."""
COMPRESS_AFTER = 2
"""Minutes after which an end is compressed."""


class PastEnds:
    """Entries by end (minutes since the epoch)."""

    def __init__(self) -> None:
        self.edges = Edges()
        self.slots: dict[int, CountSlot] = {}

    def add_wait(self, cell: int, since: float, until: float) -> bytes:
        """A caller waited from `since` to `until` (epoch s). Returns the notes by which the entries can be moved."""
        ends = list(self._ends(since, until))
        waits = np.array([end * MINUTE - since for end in ends]) * 1000
        return self._add(cell, list(zip(ends, bucket_of(waits).tolist(), strict=True)) if ends else [])

    def add_error(self, cell: int, ts: float, until: float) -> bytes:
        """An error at `ts` was the latest of its call until `until`. Returns notes, as `add_wait` does."""
        first = int(ts // MINUTE) + 1
        codes = [(end, BUCKETS + end - first) for end in self._ends(ts, until) if end - first < DAY]
        return self._add(cell, codes)

    def add_late_error(self, cell: int, ts: float, latest: float, notes: bytes) -> tuple[bytes, bytes]:
        """An error at `ts` became known after a later one, the call's latest. Returns the call's `notes` that still
        hold, and more.
        """
        ends, first = set(self._ends(ts, latest)), int(ts // MINUTE) + 1
        kept = b""
        for end, code in NOTE.iter_unpack(notes):
            known = (
                BUCKETS + end - first
            )  # the code of an error in the same minute; those of later ones are lower
            if end in ends and code > known:
                self.slots[end].add(cell * CODES + code, -1)
                continue
            if code >= BUCKETS:
                ends.discard(end)
            kept += NOTE.pack(end, code)
        codes = [(end, BUCKETS + end - first) for end in sorted(ends) if end - first < DAY]
        return kept, self._add(cell, codes)

    def move(self, notes: bytes, cell: int, to: int) -> None:
        """Move a call's entries to another cell."""
        for end, code in NOTE.iter_unpack(notes):
            slot = self.slots.get(end)
            if slot is not None:
                slot.add(cell * CODES + code, -1)
                slot.add(to * CODES + code, 1)

    def _ends(self, after: float, until: float) -> Iterator[int]:
        """The ends that are kept, later than `after` and not later than `until`."""
        edges, step = self.edges, QUARTER // MINUTE
        after = max(after, until - SPANS["24h"])  # also before the first heartbeat, when no edge is known
        last = int(min(until, edges.quartered) // QUARTER)
        yield from (quarter * step for quarter in range(int(max(after, edges.day) // QUARTER) + 1, last + 1))
        yield from range(int(max(after, edges.quartered) // MINUTE) + 1, int(until // MINUTE) + 1)

    def _add(self, cell: int, codes: list[tuple[int, int]]) -> bytes:
        for end, code in codes:
            slot = self.slots.get(end)
            if slot is None:
                slot = self.slots[end] = CountSlot({})
            slot.add(cell * CODES + code, 1)
        return b"".join(NOTE.pack(*entry) for entry in codes)

    def advance(self, at: float) -> None:
        """Advance time: forget ends at which no slot ends any more."""
        before, self.edges = self.edges, Edges.moved(at)
        if self.edges.middle == before.middle:
            return
        day, quartered, step = self.edges.day // MINUTE, self.edges.quartered // MINUTE, QUARTER // MINUTE
        for end in [end for end in self.slots if end <= day or (end < quartered and end % step)]:
            del self.slots[end]
        for end, slot in self.slots.items():
            if end <= at // MINUTE - COMPRESS_AFTER and slot.since:
                slot.compress()

    # -- questions ----------------------------------------------------------------------------------------------

    def waits(self, end: float, cells: NDArray[np.intp] | None) -> Histogram:
        """The waits in progress at a past end (epoch s), by how long they had lasted; of some cells (None: all)."""
        _, buckets, amounts = self.waits_by_cell(end, cells)
        return np.bincount(buckets, amounts, BUCKETS).astype(np.int64)

    def errors(self, start: float, end: float, cells: NDArray[np.intp] | None) -> int:
        """The calls with a later error whose latest one until `end` was at `start` or after (epoch s)."""
        return int(self.errors_by_cell(start, end, cells)[1].sum())

    def waits_by_cell(
        self, end: float, cells: NDArray[np.intp] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], Sums]:
        """The same waits as (cells, buckets, amounts)."""
        of, codes, amounts = self._entries(end, cells)
        waits = codes < BUCKETS
        return of[waits], codes[waits], amounts[waits]

    def errors_by_cell(
        self, start: float, end: float, cells: NDArray[np.intp] | None = None
    ) -> tuple[NDArray[np.int64], Sums]:
        """The same calls as (cells, amounts)."""
        of, codes, amounts = self._entries(end, cells)
        errors = (codes >= BUCKETS) & (codes < BUCKETS + (end - start) // MINUTE)
        return of[errors], amounts[errors]

    def changes(self, end: float) -> int:
        """A number that differs whenever the entries of an end have changed."""
        return self._slot(end).changes

    def _slot(self, end: float) -> CountSlot:
        return self.slots.get(int(end // MINUTE)) or CountSlot({})

    def _entries(
        self, end: float, cells: NDArray[np.intp] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], Sums]:
        """(cells, codes, amounts)."""
        keys, amounts = self._slot(end).sums()
        of, codes = np.divmod(keys.astype(np.int64), CODES)
        if cells is None:
            return of, codes, amounts
        chosen = np.isin(of, cells)
        return of[chosen], codes[chosen], amounts[chosen]

    # -- state --------------------------------------------------------------------------------------------------

    def dump(self) -> list[tuple[int, int, bytes]]:
        """The canonical state: (width, number, block) as of other slots; the slot is the minute that begins there."""
        return [(MINUTE, end, self.slots[end].compressed()) for end in sorted(self.slots)]

    @classmethod
    def load(cls, slots: list[tuple[int, int, bytes]], edges: Edges) -> PastEnds:
        past = cls()
        past.edges = edges
        past.slots = {end: CountSlot({}, block) for _, end, block in slots}
        return past
