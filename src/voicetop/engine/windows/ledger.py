"""What calls count for: observations and marks, each in the cell of its call, moved when the cell changes.

Late binding rests on the memories of a call: the turns in its story, `observed` for those that were cut from it, and
`marks`, what it counts for once by kind. A patch of its segments moves them all, as far as the windows still hold them.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterable
from sys import intern

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.call_events import noted_turns
from voicetop.engine.calls import Call, WindowMark
from voicetop.engine.config import EngineConfig
from voicetop.engine.tick import TickCounters
from voicetop.engine.windows.buckets import BUCKETS, bucket_of
from voicetop.engine.windows.cells import EVERYBODY, FOLDED, Cells, Key, SegmentColumns
from voicetop.engine.windows.counts import Counts
from voicetop.engine.windows.histograms import METRIC, METRICS, ROW, Histogram, Histograms
from voicetop.engine.windows.slots import FINE, MINUTE, SlotKey, parts_of
from voicetop.wire.codec import pack_durations
from voicetop.wire.events import Turn

_STAGES = len(METRICS) - 2
RECORD = struct.Struct("<IH")
"""What a call remembers of a turn: the 10-second slot, how many positions follow, and these as little-endian u16."""
_HEAD = RECORD.size // 2
MOST_SHARED = 8_192
MOST_MARKS = 256
"""Kinds that one call may count under: far more than a conversation has steps."""
MOST_NOTED = 1 << 18
"""Bytes that one call may note of turns that are in no story, some 20,000 of them; those beyond stay where they are
when the call moves to another cell."""


class Ledger:
    """Cells, windows and counts, which always agree about what belongs to whom."""

    def __init__(
        self, config: EngineConfig, count_turns: Callable[[], None], gone: Callable[[], Iterable[Call]]
    ) -> None:
        """`count_turns` counts what was met but not counted yet; `gone` are the ended calls that are still known."""
        self._count_turns, self._gone = count_turns, gone
        self.cells = Cells.empty(config)
        self.columns = SegmentColumns()
        self.windows = Histograms(config.max_cells)
        self.counts = Counts(config.max_cells)
        self.taps = TickCounters()
        self._shared: dict[Key, dict[str, str]] = {}

    def advance(self, at: float) -> None:
        self.windows.advance(at)
        self.counts.advance(at)

    def over_time(
        self, key: SlotKey, cells: NDArray[np.intp] | None, chosen: frozenset[int] | None
    ) -> tuple[Histogram, dict[str, int]]:
        """Counts [metric, bucket] and sums of a minute or quarter; `cells` and `chosen` are the same cells, None: all.

        What is still open is in it.
        """
        table = np.zeros((len(METRICS), BUCKETS), np.int64)
        sums: dict[str, int] = {}
        for part in parts_of(key):
            if part[0] == MINUTE or part in self.windows.coarse or part in self.counts.slots:
                table += self.windows.over_time(part, cells)
                for kind, amount in self.counts.over_time(part, chosen).items():
                    sums[kind] = sums.get(kind, 0) + amount
        return table, sums

    # -- cells --------------------------------------------------------------------------------------------------

    def shared(self, segments: dict[str, str]) -> dict[str, str]:
        """One dictionary for all calls with the same segments, sorted by name: of 100,000 calls few differ."""
        key = tuple(sorted(segments.items()))
        found = self._shared.get(key)
        if found is None:
            if len(self._shared) >= MOST_SHARED:
                self._shared.clear()
            found = self._shared[key] = {intern(name): intern(value) for name, value in key}
        return found

    def place(self, call: Call) -> None:
        """Give a call that counts for nothing yet the cell of its segments."""
        call.cell = self._cell(call.segments)
        if call.live:
            self.cells.live[call.cell] += 1

    def replace(self, call: Call) -> None:
        """Move a call, and all that it counts for, to the cell that its segments now name."""
        cell = self._cell(call.segments)
        if cell == call.cell:
            return
        self._move_observations(call, cell)
        for kind, mark in call.marks.items():
            self.counts.add(kind, call.cell, mark.ts, -mark.amount)
            self.counts.add(kind, cell, mark.ts, mark.amount)
        if call.live:
            self.cells.live[call.cell] -= 1
            self.cells.live[cell] += 1
        call.cell = cell

    def leave(self, call: Call) -> None:
        """The call is no longer live."""
        self.cells.live[call.cell] -= 1

    def _cell(self, segments: dict[str, str]) -> int:
        return self.cells.find(segments, self._idle)

    def _idle(self) -> Iterable[int]:
        """Cells without live calls of which no window holds anything, the oldest numbers first.

        Looked for at most once a minute, because it takes milliseconds, and windows let go of nothing in between. An
        ended call whose cell is given up counts as folded, should it still be heard of.
        """
        if self.cells.swept == self.windows.edges.day:
            return ()
        self.cells.swept = self.windows.edges.day
        self._count_turns()
        quiet = self.windows.idle_cells(len(self.cells)).tolist()
        kept = (EVERYBODY, FOLDED)
        idle = {
            cell: FOLDED
            for cell in quiet
            if cell not in kept and not self.cells.live[cell] and self.counts.idle(cell)
        }
        for call in self._gone():
            call.cell = idle.get(call.cell, call.cell)
        return idle

    def _move_observations(self, call: Call, to: int) -> None:
        noted, turns = noted_turns(call)
        slots, positions = _records(b"".join([call.observed, call.waits, noted]))
        if turns:
            known = (values := _matrix(turns)) >= 0
            slots += _slots(turns).tolist()
            rest = np.nonzero(known)[1] * BUCKETS + bucket_of(values[known])
            positions += np.split(rest.astype(np.uint32), np.cumsum(known.sum(axis=1))[:-1])
        self.windows.move(slots, positions, call.cell, to)

    # -- counting -----------------------------------------------------------------------------------------------

    def mark(self, call: Call, kind: str, ts: float, amount: int = 1) -> None:
        """Let `call` count for `amount` under `kind` at `ts`, instead of what it counted for under it before."""
        held = call.marks.get(kind)
        if held is None:
            if len(call.marks) >= MOST_MARKS and ":" in kind:
                return
            call.marks[intern(kind)] = WindowMark(ts, amount)
            more = amount
        else:
            more = amount - held.amount
            if held.ts == ts:
                if not more:
                    return
                amount, held.amount = more, amount
            else:
                self.counts.add(kind, call.cell, held.ts, -held.amount)
                held.ts, held.amount = ts, amount
        self.counts.add(kind, call.cell, ts, amount)
        if more:
            self.taps.add(kind, call.cell, more)

    def unmark(self, call: Call, kind: str) -> None:
        """The call no longer counts under `kind`."""
        held = call.marks.pop(kind, None)
        if held is not None:
            self.counts.add(kind, call.cell, held.ts, -held.amount)
            self.taps.add(kind, call.cell, -held.amount)

    def observe_turns(self, turns: list[Turn], calls: list[Call], untold: list[int]) -> None:
        """Fold the times of many turns at once, at their `ts`; those that no story holds are noted in `observed`.

        The whole batch becomes one matrix [turn, metric] of milliseconds, its known values one flat array of
        positions. What was not told is NaN and, like a negative time, doesn't count.
        """
        values = _matrix(turns)
        known = values >= 0
        turn, metric = np.nonzero(known)
        bucket = bucket_of(values[known])
        self.windows.widen(metric, bucket)
        cells = [call.cell for call in calls]
        base = np.array(cells, np.int64) * ROW
        rest = metric * BUCKETS + bucket
        index = (base[turn] + rest).astype(np.uint32)
        self.taps.turns.append(cells)
        self.taps.index.append(index)
        slots = _slots(turns)
        if untold:
            packed = _packed(slots, rest, known)
            for number in untold:
                note(calls[number].observed, packed[number])
        self.windows.add(slots[turn] if (slots != slots[0]).any() else slots[:1], index)

    def observe_wait(self, call: Call, ts: float, waited_ms: float) -> None:
        """A wait ended without a reply: a latency of at least this long."""
        bucket = bucket_of(np.array([waited_ms]))
        metric = np.array([METRIC["waited"]])
        rest = metric * BUCKETS + bucket
        slot = int(ts // FINE)
        self.windows.widen(metric, bucket)
        index = (rest + call.cell * ROW).astype(np.uint32)
        self.taps.index.append(index)
        self.windows.add(np.array([slot], np.int64), index)
        if len(call.waits) < MOST_NOTED:
            call.waits += RECORD.pack(slot, 1) + rest.astype("<u2").tobytes()


def note(notes: bytearray, record: bytes) -> None:
    """Add to what a call remembers of its turns, while there is room."""
    if len(notes) < MOST_NOTED:
        notes += record


def packed_turns(turns: list[Turn]) -> list[bytes]:
    """The record of each turn."""
    if not turns:
        return []
    known = (values := _matrix(turns)) >= 0
    return _packed(_slots(turns), np.nonzero(known)[1] * BUCKETS + bucket_of(values[known]), known)


def _packed(slots: NDArray[np.int64], rest: NDArray[np.int64], known: NDArray[np.bool_]) -> list[bytes]:
    """All records in one block of u16 words, cut into one piece a turn."""
    counts = known.sum(axis=1)
    stops = np.cumsum(counts + _HEAD)
    starts = stops - counts - _HEAD
    words = np.empty(int(stops[-1]), "<u2")
    words[starts], words[starts + 1], words[starts + 2] = slots & 0xFFFF, slots >> 16, counts
    positions = np.ones(len(words), bool)
    positions[starts] = positions[starts + 1] = positions[starts + 2] = False
    words[positions] = rest
    block = words.tobytes()
    return [
        block[start:stop] for start, stop in zip((starts * 2).tolist(), (stops * 2).tolist(), strict=True)
    ]


def _records(block: bytes) -> tuple[list[int], list[NDArray[np.uint32]]]:
    """The 10-second slots of the records, and the positions in a cell's row of each."""
    slots: list[int] = []
    positions: list[NDArray[np.uint32]] = []
    start = 0
    while start < len(block):
        slot, count = RECORD.unpack_from(block, start)
        start += RECORD.size
        slots.append(slot)
        positions.append(np.frombuffer(block, "<u2", count, start).astype(np.uint32))
        start += 2 * count
    return slots, positions


def _slots(turns: list[Turn]) -> NDArray[np.int64]:
    slots: NDArray[np.int64] = np.floor_divide(np.array([turn.ts for turn in turns]), FINE).astype(np.int64)
    return slots


def _matrix(turns: list[Turn]) -> NDArray[np.float64]:
    block, width, offsets = pack_durations(turns)
    rows = np.frombuffer(block, np.uint8).reshape(-1, width)
    values = np.empty((len(turns), _STAGES + 1))
    values[:, 0] = [turn.e2e_ms for turn in turns]
    values[:, 1:] = rows.take(_bytes_of(offsets), axis=1).view(">f8")
    return values


@functools.cache
def _bytes_of(offsets: tuple[int, ...]) -> NDArray[np.intp]:
    """Which bytes of a row are those of the stages."""
    return (np.array(offsets[:_STAGES])[:, None] + np.arange(8)).ravel()
