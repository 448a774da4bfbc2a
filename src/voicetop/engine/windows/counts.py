"""Sliding sums of integers: calls, errors, outcomes, micro-dollars, by kind and cell.

A kind is a name such as "ended", "error:llm:timeout" or "step:verify". Kinds without a colon are fixed; families with
one are limited by `MAX_PER_FAMILY`, and further names count as "other", so that a feed that makes up names can't crowd
out the others. Slots are those of `histograms.py`, with a dictionary each, as counts come once per call, not per turn.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from voicetop.engine.windows.delta_encoding import Index, decode_block, encode_block, summed
from voicetop.engine.windows.slots import FINE, MINUTE, QUARTER, SPANS, Edges, SlotKey
from voicetop.engine.windows.sparse_array import sparse_zeros

FIXED_KINDS = (
    "started", "ended", "handled_ms", "talked", "known", "succeeded", "escalated", "decided", "abandoned", "moody",
    "sentiment_centi", "sentiments", "priced", "cost_micro", "guessed", "error", "retried", "barge_ins",
)  # fmt: skip
MAX_PER_FAMILY = {"step": 160, "left": 160, "error": 128, "cost": 24, "from": 8, "past": 128}
PAST = "past:"
"""The family of the calls with a kind of error in an hour of the clock, of which they had another in a later hour:
"error:…" counts those."""
MAX_KINDS = len(FIXED_KINDS) + sum(MAX_PER_FAMILY.values())
_CELL_BITS = 16
_CELLS = 1 << _CELL_BITS
COMPRESS_AFTER_S = 60
"""Seconds after its end at which a slot is compressed: few updates arrive later."""
MAX_UNCOMPRESSED = 1_000
"""Updates to a compressed slot before it is compressed again."""
Sums = NDArray[np.int64]


class CountSlot(Struct):
    """The sums of one slot of time by key (kind and cell): updates `since`, on top of a compressed `block`.

    `changes` counts the updates, so that what is made of a slot can be kept until it changes: `whole` is the block of
    all of it after so many.
    """

    since: dict[int, int]
    block: bytes = b""
    changes: int = 0
    whole: tuple[int, bytes] = (-1, b"")

    def add(self, key: int, amount: int) -> None:
        """Add to the sum of a key; the result doesn't depend on the order."""
        since = self.since
        value = since.get(key, 0) + amount
        self.changes += 1
        if value:
            since[key] = value
        else:
            del since[key]

    def sums(self) -> tuple[Index, Sums]:
        """Keys and sums, sorted, without zeros."""
        count = len(self.since)
        keys = np.fromiter(self.since, np.uint32, count)
        amounts = np.fromiter(self.since.values(), np.int64, count)
        if self.block:
            old_keys, old = decode_block(self.block, np.int64)
            keys, amounts = np.concatenate([old_keys, keys]), np.concatenate([old, amounts])
        return summed(keys, amounts)

    def compressed(self) -> bytes:
        """All of it as one block."""
        if self.block and not self.since:
            return self.block
        if self.whole[0] != self.changes:
            self.whole = self.changes, encode_block(*self.sums())
        return self.whole[1]

    def compress(self) -> None:
        self.block, self.since, self.whole = self.compressed(), {}, (-1, b"")


class Counts:
    """Sums by (kind, cell) over 5 minutes, 30 minutes and 24 hours."""

    def __init__(self, max_cells: int) -> None:
        self.edges = Edges()
        self.kinds = {kind: row for row, kind in enumerate(FIXED_KINDS)}
        self.slots: dict[SlotKey, CountSlot] = {}
        self.totals = {span: sparse_zeros((MAX_KINDS, max_cells), np.int64) for span in SPANS}
        self._short, self._middle, self._day = (
            memoryview(self.totals[span].reshape(-1).data) for span in SPANS
        )
        """The same memory, flat: one number of it is reached several times as fast."""
        self._width = max_cells

    def add(self, kind: str, cell: int, ts: float, amount: int) -> None:
        """Add to every window that still holds the slot of `ts`; a negative amount subtracts."""
        edges = self.edges
        width = QUARTER if ts < edges.quartered else MINUTE
        number = int(ts // width)
        start = number * width
        if not amount or start < edges.day:
            return
        row = self.kinds.get(kind)
        if row is None:
            row = self._row(kind)
        key, entry = row * _CELLS + cell, row * self._width + cell
        fine = int(ts // FINE)
        if fine * FINE >= edges.short:
            self._put((FINE, fine), key, amount)
            self._short[entry] += amount
        self._put((width, number), key, amount)
        if start >= edges.middle:
            self._middle[entry] += amount
        self._day[entry] += amount

    def _row(self, kind: str) -> int:
        """The row of a new kind; the last one of a family is its "other"."""
        family = kind.partition(":")[0]
        if sum(name.startswith(f"{family}:") for name in self.kinds) >= MAX_PER_FAMILY[family] - 1:
            kind = f"{family}:other:other" if family in ("error", "past") else f"{family}:other"
        return self.kinds.setdefault(kind, len(self.kinds))

    def _put(self, slot: SlotKey, key: int, amount: int) -> None:
        count_slot = self.slots.get(slot)
        if count_slot is None:
            count_slot = self.slots[slot] = CountSlot({})
        count_slot.add(key, amount)

    def advance(self, at: float) -> None:
        """Advance time and expire old slots from the totals."""
        before, self.edges = self.edges, Edges.moved(at)
        if self.edges.short != before.short:
            self._expire(
                "5m", [k for k in self.slots if k[0] == FINE and k[1] * FINE < self.edges.short], drop=True
            )
            self._compress_old(at - COMPRESS_AFTER_S)
        if self.edges.middle != before.middle:
            leaving = [
                k for k in self.slots if k[0] == MINUTE and before.middle <= k[1] * MINUTE < self.edges.middle
            ]
            self._expire("30m", leaving, drop=False)
            self._merge_quarters()
            old = [k for k in self.slots if k[0] != FINE and k[0] * k[1] < self.edges.day]
            self._expire("24h", old, drop=True)

    def _expire(self, span: str, slots: list[SlotKey], *, drop: bool) -> None:
        total = self.totals[span]
        for slot in slots:
            count_slot = self.slots.pop(slot) if drop else self.slots[slot]
            keys, amounts = count_slot.sums()
            total[_rows_and_cells(keys)] -= amounts

    def _compress_old(self, before: float) -> None:
        for (width, number), slot in self.slots.items():
            if (number + 1) * width <= before and len(slot.since) > (MAX_UNCOMPRESSED if slot.block else 0):
                slot.compress()

    def _merge_quarters(self) -> None:
        old = [k for k in self.slots if k[0] == MINUTE and k[1] * MINUTE < self.edges.quartered]
        groups: dict[SlotKey, list[CountSlot]] = {}
        for slot in old:
            groups.setdefault((QUARTER, slot[1] * MINUTE // QUARTER), []).append(self.slots.pop(slot))
        for quarter, minutes in groups.items():
            parts = [part.sums() for part in (self.slots.get(quarter, CountSlot({})), *minutes)]
            keys, amounts = (np.concatenate(column) for column in zip(*parts, strict=True))
            self.slots[quarter] = CountSlot({}, encode_block(*summed(keys, amounts)))

    # -- questions ----------------------------------------------------------------------------------------------

    def sums(self, span: str, cells: NDArray[np.intp] | None) -> dict[str, int]:
        """The sum of every kind over one window, of some cells (None: all); zero sums are omitted."""
        total = self.totals[span][: len(self.kinds)]
        by_kind = total.sum(axis=1) if cells is None else total[:, cells].sum(axis=1)
        amounts = by_kind.tolist()
        return {kind: amounts[row] for kind, row in self.kinds.items() if amounts[row]}

    def by_cell(self, span: str, kind: str) -> Sums:
        """The sums of one kind over one window, for each cell."""
        row = self.kinds.get(kind)
        total = self.totals[span]
        return total[row] if row is not None else np.zeros(total.shape[1], np.int64)

    def over_time(self, slot: SlotKey, cells: frozenset[int] | None) -> dict[str, int]:
        """The sums of every kind in one slot of time."""
        count_slot = self.slots.get(slot)
        if count_slot is None:
            return {}
        keys, amounts = count_slot.sums()
        rows, of = _rows_and_cells(keys)
        if cells is not None:
            selected = np.isin(of, np.fromiter(cells, np.uint32, len(cells)))
            rows, amounts = rows[selected], amounts[selected]
        totals = np.zeros(len(self.kinds), np.int64)
        np.add.at(totals, rows, amounts)
        return {kind: amount for kind, amount in zip(self.kinds, totals.tolist(), strict=True) if amount}

    def by_cell_over_time(self, slots: Iterable[SlotKey], kinds: Iterable[str]) -> dict[str, Sums]:
        """The sums of some kinds in some slots of time, for each cell."""
        totals = {kind: np.zeros(self.totals["24h"].shape[1], np.int64) for kind in kinds}
        for held in (self.slots[slot] for slot in slots if slot in self.slots):
            keys, amounts = held.sums()
            rows, cells = _rows_and_cells(keys)
            for kind, total in totals.items():
                mine = rows == self.kinds.get(kind, -1)
                np.add.at(total, cells[mine], amounts[mine])
        return totals

    def hour(self, hour: int, cells: frozenset[int] | None) -> dict[str, int]:
        """The sums over the last 24 hours of the slots that lie in one hour of the day (UTC)."""
        sums: dict[str, int] = {}
        for slot in list(self.slots):
            if slot[0] != FINE and slot[0] * slot[1] // 3600 % 24 == hour:
                for kind, amount in self.over_time(slot, cells).items():
                    sums[kind] = sums.get(kind, 0) + amount
        return sums

    def idle(self, cell: int) -> bool:
        """Whether no window counts anything in a cell."""
        return not any(total[: len(self.kinds), cell].any() for total in self.totals.values())

    # -- state --------------------------------------------------------------------------------------------------

    def dump(self) -> CountState:
        """The canonical state, without the totals, which are derived from the slots."""
        slots = [(*slot, self.slots[slot].compressed()) for slot in sorted(self.slots)]
        return CountState(self.edges, list(self.kinds), slots)

    @classmethod
    def load(cls, state: CountState, max_cells: int) -> Counts:
        counts = cls(max_cells)
        counts.edges = state.edges
        counts.kinds = {kind: row for row, kind in enumerate(state.kinds)}
        for width, number, block in state.slots:
            counts.slots[width, number] = CountSlot({}, block)
            keys, amounts = decode_block(block, np.int64)
            spans = ["5m"] if width == FINE else ["24h"]
            if width == MINUTE and number * MINUTE >= state.edges.middle:
                spans.append("30m")
            for span in spans:
                counts.totals[span][_rows_and_cells(keys)] += amounts
        return counts


def _rows_and_cells(keys: Index) -> tuple[Index, Index]:
    return keys >> np.uint32(_CELL_BITS), keys & np.uint32(_CELLS - 1)


class CountState(Struct, frozen=True):
    """`Counts` for a checkpoint: slots as (width, number, block)."""

    edges: Edges
    kinds: list[str]
    slots: list[tuple[int, int, bytes]]
