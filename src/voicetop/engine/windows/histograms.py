"""Sliding windows of bucket counts, for every metric in every cell.

An observation goes into the slot of its own time, however late it arrives, as long as a window holds that slot. Each
window has a running total, a flat array indexed [cell, metric, bucket]; expired slots are subtracted. The 5-minute
total counts an observation at once; the longer ones add a 10-second slot when it closes, which saves two thirds of the
work, and queries add the open slots.

Between two calls of `advance` the result is independent of batching.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from voicetop.engine.windows.buckets import BUCKETS
from voicetop.engine.windows.delta_encoding import Index, decode_block, encode_block, summed
from voicetop.engine.windows.histogram_slot import MAX_UNCOMPRESSED, HistogramSlot
from voicetop.engine.windows.slots import FINE, MINUTE, QUARTER, SPANS, Edges, SlotKey
from voicetop.engine.windows.sparse_array import sparse_zeros

METRICS = (
    "e2e", "vad", "stt", "eou", "hook", "llm_ttft", "llm_total", "tool", "aggregation", "tts_ttfb",
    "tts_leading_silence", "output", "waited",
)  # fmt: skip
"""The metrics, in the order of `wire.events.Durations` after e2e; `waited` are waits without a reply, each a latency of
"at least this long"."""
METRIC = {name: number for number, name in enumerate(METRICS)}
ROW = len(METRICS) * BUCKETS
"""Counters of one cell: [metric, bucket]."""

Histogram = NDArray[np.int64]
_ONE = np.uint32(1)
_MORE = np.int64(1)
_ROW = np.uint32(ROW)


class Histograms:
    """Bucket counts over 5 minutes, 30 minutes and 24 hours."""

    def __init__(self, max_cells: int) -> None:
        self.edges = Edges()
        self.late = 0
        self.fine: dict[int, HistogramSlot] = {}
        self.coarse: dict[SlotKey, HistogramSlot] = {}
        self.totals = {span: sparse_zeros((max_cells * ROW,), np.uint32) for span in SPANS}
        """Sized for the maximum number of cells; only written pages use memory."""
        self.everyone = {span: np.zeros(ROW, np.int64) for span in SPANS}
        """The same over all cells, to avoid summing millions of counters every 5 seconds."""
        self.reach = np.zeros((len(METRICS), 2), np.int64)
        """The lowest and one past the highest bucket used by each metric, to limit sums to them."""
        self.reach[:, 0] = BUCKETS

    def add(self, slots: NDArray[np.int64], index: Index) -> None:
        """Count each index (cell × ROW + metric × BUCKETS + bucket) in the 10-second slot beside it.

        A single slot applies to all.
        """
        if not len(index):
            return
        if len(slots) == 1:
            self._count(int(slots[0]), index)
            return
        for slot in np.unique(slots).tolist():
            self._count(slot, index[slots == slot])

    def widen(self, metrics: NDArray[np.int64], buckets: NDArray[np.int64]) -> None:
        """Extend `reach` to these buckets."""
        np.minimum.at(self.reach[:, 0], metrics, buckets)
        np.maximum.at(self.reach[:, 1], metrics, buckets + 1)

    def _count(self, slot: int, index: Index) -> None:
        start = slot * FINE
        if start >= self.edges.short:
            self._fine(slot).add(index)
            self._count_once("5m", index)
            if start >= self.edges.open:
                return
        elif self.edges.too_late(start):
            self.late += len(index)
            return
        self._coarse(self.edges.coarse(start)).add(index)
        for span in self._longer(start):
            self._count_once(span, index)

    def _count_once(self, span: str, index: Index) -> None:
        np.add.at(self.totals[span], index, _ONE)
        np.add.at(self.everyone[span], index % _ROW, _MORE)

    def move(self, slots: list[int], positions: list[Index], cell: int, to: int) -> None:
        """Move observations to another cell, after their call's segments changed.

        `positions` are those in the cell's row, for each of the 10-second `slots`.
        """
        if not slots:
            return
        joined = np.concatenate(positions)
        taken, added = joined + np.uint32(cell * ROW), joined + np.uint32(to * ROW)
        touched: dict[str, list[slice]] = {span: [] for span in SPANS}
        edges, end = self.edges, 0
        for slot, rest in zip(slots, positions, strict=True):
            here = slice(end, end := end + len(rest))
            start = slot * FINE
            if start >= edges.short:
                self._shift(self._fine(slot), taken[here], added[here])
                touched["5m"].append(here)
            if start < edges.open and not edges.too_late(start):
                self._shift(self._coarse(edges.coarse(start)), taken[here], added[here])
                for span in self._longer(start):
                    touched[span].append(here)
        for span, parts in touched.items():
            if len(parts) == len(slots):
                self._recount(span, taken, added)
            elif parts:
                self._recount(
                    span, *(np.concatenate([index[part] for part in parts]) for index in (taken, added))
                )

    def correct(self, slot: int, taken: Index, added: Index) -> None:
        """Replace observations of a 10-second slot, if it still is in a window: `taken` were counted in it before."""
        start, edges, spans = slot * FINE, self.edges, []
        if start >= edges.short:
            self._shift(self._fine(slot), taken, added)
            spans.append("5m")
        if start < edges.open and not edges.too_late(start):
            self._shift(self._coarse(edges.coarse(start)), taken, added)
            spans += self._longer(start)
        for span in spans:
            self._recount(span, taken, added)
            np.subtract.at(self.everyone[span], taken % _ROW, _MORE)
            np.add.at(self.everyone[span], added % _ROW, _MORE)

    def _recount(self, span: str, taken: Index, added: Index) -> None:
        np.subtract.at(self.totals[span], taken, _ONE)
        np.add.at(self.totals[span], added, _ONE)

    @staticmethod
    def _shift(slot: HistogramSlot, index: Index, to: Index) -> None:
        slot.taken.append(index)
        slot.add(to)

    def _longer(self, start: int) -> list[str]:
        return ["30m", "24h"] if start // MINUTE * MINUTE >= self.edges.middle else ["24h"]

    def _fine(self, slot: int) -> HistogramSlot:
        histogram_slot = self.fine.get(slot)
        if histogram_slot is None:
            histogram_slot = self.fine[slot] = HistogramSlot.empty()
        return histogram_slot

    def _coarse(self, key: SlotKey) -> HistogramSlot:
        histogram_slot = self.coarse.get(key)
        if histogram_slot is None:
            histogram_slot = self.coarse[key] = HistogramSlot.empty()
        return histogram_slot

    def advance(self, at: float) -> None:
        """Advance time: add closed slots to the longer windows, and expire old ones."""
        before, self.edges = self.edges, Edges.moved(at)
        if self.edges.open != before.open:
            self._close(before)
        if self.edges.short != before.short:
            self._expire_short()
        if self.edges.middle != before.middle:
            self._expire_middle(before.middle)
            self._merge_quarters()
            self._expire_day()

    def _close(self, before: Edges) -> None:
        """Add closed slots to the longer windows, by the old edges: a jump in time first fills, then expires."""
        ready = [s for s in self.fine if before.open <= s * FINE < self.edges.open]
        for number in sorted(ready):
            index, count = self.fine[number].sorted()
            self.fine[number].compress()
            start = number * FINE
            coarse = self._coarse(before.coarse(start))
            coarse.set_base(*_merged([coarse.base(), (index, count)]))
            spans = ("30m", "24h") if start // MINUTE * MINUTE >= before.middle else ("24h",)
            for span in spans:
                self._add_slot(span, index, count)

    def _expire_short(self) -> None:
        for number in [s for s in self.fine if s * FINE < self.edges.short]:
            index, count = self.fine.pop(number).sorted()
            self._subtract_slot("5m", index, count)
        for (width, number), slot in self.coarse.items():
            if (number + 1) * width <= self.edges.open - MINUTE and (
                not slot.block or slot.uncompressed > MAX_UNCOMPRESSED
            ):
                slot.compress()

    def _expire_middle(self, since: int) -> None:
        for (width, number), slot in self.coarse.items():
            if width == MINUTE and since <= number * width < self.edges.middle:
                index, count = slot.sorted()
                self._subtract_slot("30m", index, count)

    def _merge_quarters(self) -> None:
        old = [key for key in self.coarse if key[0] == MINUTE and key[1] * MINUTE < self.edges.quartered]
        groups: dict[int, list[HistogramSlot]] = {}
        for key in sorted(old):
            groups.setdefault(key[1] * MINUTE // QUARTER, []).append(self.coarse.pop(key))
        for number, slots in groups.items():
            quarter = self._coarse((QUARTER, number))
            quarter.set_base(*_merged([part.sorted() for part in (quarter, *slots)]))
            quarter.compress()

    def _expire_day(self) -> None:
        for key in [key for key in self.coarse if key[0] * key[1] < self.edges.day]:
            index, count = self.coarse.pop(key).sorted()
            self._subtract_slot("24h", index, count)

    def _add_slot(self, span: str, index: Index, count: NDArray[np.int32]) -> None:
        np.add.at(self.totals[span], index, count.astype(np.uint32))
        self.everyone[span] += _binned(index, None, count)

    def _subtract_slot(self, span: str, index: Index, count: NDArray[np.int32]) -> None:
        np.subtract.at(self.totals[span], index, count.astype(np.uint32))
        self.everyone[span] -= _binned(index, None, count)

    # -- questions ----------------------------------------------------------------------------------------------

    def histograms(self, span: str, cells: NDArray[np.intp] | None, used: int) -> dict[str, Histogram]:
        """Bucket counts of every nonempty metric over one window, of some cells (None: all `used` ones)."""
        table = self.totals[span].reshape(-1, len(METRICS), BUCKETS)[:used]
        by_metric: dict[str, Histogram] = {}
        extra = self._open_counts(cells) if span != "5m" else None
        for metric, name in enumerate(METRICS):
            low, high = self.reach[metric].tolist()
            counts = np.zeros(BUCKETS, np.int64)
            if cells is None:
                counts += self.everyone[span][metric * BUCKETS : (metric + 1) * BUCKETS]
            elif high > low:
                counts[low:high] = table[cells, metric, low:high].sum(axis=0, dtype=np.uint32)
            if extra is not None:
                counts += extra[metric]
            if counts.any():
                by_metric[name] = counts
        return by_metric

    def by_cell(self, span: str, metric: int, used: int) -> Histogram:
        """Counts [cell, bucket] of one metric; the longer windows without open slots."""
        table = self.totals[span].reshape(-1, len(METRICS), BUCKETS)
        return table[:used, metric].astype(np.int64)

    def slow_by_cell(
        self, span: str, bucket: int, used: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(turns whose e2e lies at or beyond `bucket`, all turns) of each cell; the longer windows without open
        slots.
        """
        low, high = self.reach[METRIC["e2e"]].tolist()
        table = self.totals[span].reshape(-1, len(METRICS), BUCKETS)[:used, METRIC["e2e"]]
        border = min(max(bucket, low), high)
        slow = table[:, border:high].sum(axis=1, dtype=np.uint32).astype(np.float64)
        return slow, slow + table[:, low:border].sum(axis=1, dtype=np.uint32)

    def _open_counts(self, cells: NDArray[np.intp] | None) -> Histogram | None:
        open_slots = [slot for number, slot in self.fine.items() if number * FINE >= self.edges.open]
        if not open_slots:
            return None
        return self.counts_of(open_slots, cells)

    def counts_of(self, slots: list[HistogramSlot], cells: NDArray[np.intp] | None) -> Histogram:
        counts = np.zeros(ROW, np.int64)
        for slot in slots:
            slot.join()
            index, count = slot.base()
            counts += _binned(index, cells, count)
            for added in slot.added:
                counts += _binned(added, cells)
            for taken in slot.taken:
                counts -= _binned(taken, cells)
        return counts.reshape(len(METRICS), BUCKETS)

    def over_time(self, key: SlotKey, cells: NDArray[np.intp] | None) -> Histogram:
        """Counts [metric, bucket] of one minute or quarter with its open slots, or of ten of the last 300 seconds."""
        width, number = key
        if width == FINE:
            return self.counts_of([self.fine[number]] if number in self.fine else [], cells)
        slots = [self.coarse[key]] if key in self.coarse else []
        begin, end = number * width, (number + 1) * width
        slots += [s for n, s in self.fine.items() if n * FINE >= self.edges.open and begin <= n * FINE < end]
        return self.counts_of(slots, cells)

    def changes(self, key: SlotKey) -> tuple[int, ...]:
        """Numbers that differ whenever the counts of one minute or quarter have changed."""
        width, number = key
        first, last = max(number * width, self.edges.open) // FINE, (number + 1) * width // FINE
        open_slots = (self.fine[n].changes for n in range(first, last) if n in self.fine)
        return (self.coarse[key].changes if key in self.coarse else 0, *open_slots)

    def by_cell_over_time(self, keys: Iterable[SlotKey], metric: int, used: int) -> Histogram:
        """Counts [cell, bucket] of one metric in minutes and quarters that are over."""
        table = np.zeros((used, BUCKETS), np.int64)
        for slot in (self.coarse[key] for key in keys):
            updates = [*((part, 1) for part in slot.added), *((part, -1) for part in slot.taken)]
            for index, count in (
                slot.base(),
                *((part, np.full(len(part), sign)) for part, sign in updates),
            ):
                cell, rest = np.divmod(index, np.uint32(ROW))
                mine = (rest // BUCKETS == metric) & (cell < used)
                np.add.at(table, (cell[mine], rest[mine] % BUCKETS), count[mine])
        return table

    def hour(self, hour: int, cells: NDArray[np.intp] | None) -> dict[str, Histogram]:
        """Counts over the last 24 hours of the slots that lie in one hour of the day (UTC, 0–23)."""
        slots = [s for (width, n), s in self.coarse.items() if n * width // 3600 % 24 == hour]
        slots += [
            s for n, s in self.fine.items() if n * FINE >= self.edges.open and n * FINE // 3600 % 24 == hour
        ]
        table = self.counts_of(slots, cells)
        return {name: table[metric] for metric, name in enumerate(METRICS) if table[metric].any()}

    def idle_cells(self, used: int) -> NDArray[np.intp]:
        """Cells without counts in any window."""
        busy = self.totals["24h"][: used * ROW].reshape(used, ROW).any(axis=1)
        busy |= self.totals["5m"][: used * ROW].reshape(used, ROW).any(axis=1)
        return np.flatnonzero(~busy)

    # -- state --------------------------------------------------------------------------------------------------

    def dump(self) -> HistogramState:
        """The canonical state, without the totals, which are derived from the slots."""
        return HistogramState(
            self.edges,
            self.late,
            self.reach.tolist(),
            [(FINE, number, self.fine[number].packed()) for number in sorted(self.fine)],
            [(*key, self.coarse[key].packed()) for key in sorted(self.coarse)],
        )

    def past_until(self) -> int:
        """End (epoch s) of the past that changes only every quarter-hour, well before the 30-minute window."""
        return (self.edges.middle - MINUTE) // QUARTER * QUARTER

    def past(self) -> bytes:
        """The encoded sum of that past's slots, so that `load` need not add them up."""
        until = self.past_until()
        index = np.flatnonzero(self.totals["24h"]).astype(np.uint32)
        later = [slot.sorted() for (width, n), slot in self.coarse.items() if (n + 1) * width > until]
        amounts = [self.totals["24h"][index].astype(np.int32), *(-count for _, count in later)]
        return encode_block(*summed(np.concatenate([index, *(i for i, _ in later)]), np.concatenate(amounts)))

    @classmethod
    def load(cls, state: HistogramState, max_cells: int, past: tuple[int, bytes] = (0, b"")) -> Histograms:
        """Restore from a state; `past` is (`past_until`, `past`) of the same histograms."""
        histograms = cls(max_cells)
        until, block = past
        if block:
            histograms._add_slot("24h", *decode_block(block, np.int32))
        histograms.edges, histograms.late = state.edges, state.late
        histograms.reach = np.array(state.reach, np.int64).reshape(len(METRICS), 2)
        for _, number, block in state.fine:
            histograms.fine[number] = HistogramSlot.empty()
            histograms.fine[number].set_base(*decode_block(block, np.int32))
            histograms._add_slot("5m", *histograms.fine[number].base())
        for width, number, block in state.coarse:
            slot = histograms.coarse[width, number] = HistogramSlot.empty()
            slot.block = block
            if (number + 1) * width <= until:
                continue
            index, count = slot.base()
            for span in histograms._longer(width * number) if width == MINUTE else ["24h"]:
                histograms._add_slot(span, index, count)
        return histograms


class HistogramState(Struct, frozen=True):
    """`Histograms` for a checkpoint: slots as (width, number, block)."""

    edges: Edges
    late: int
    reach: list[list[int]]
    fine: list[tuple[int, int, bytes]]
    coarse: list[tuple[int, int, bytes]]


def _merged(parts: list[tuple[Index, NDArray[np.int32]]]) -> tuple[Index, NDArray[np.int32]]:
    return summed(
        np.concatenate([index for index, _ in parts]), np.concatenate([count for _, count in parts])
    )


def _binned(
    part: Index, cells: NDArray[np.intp] | None, weights: NDArray[np.int32] | None = None
) -> Histogram:
    """Flat counts [metric, bucket] of some cells (None: all)."""
    if cells is None:
        rest = part % np.uint32(ROW)
    else:
        cell, rest = np.divmod(part, np.uint32(ROW))
        selected = np.isin(cell, cells)
        rest = rest[selected]
        weights = None if weights is None else weights[selected]
    return np.bincount(rest, weights, ROW).astype(np.int64)
