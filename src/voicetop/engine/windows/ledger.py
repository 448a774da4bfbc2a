"""What calls count for: observations and marks, in the cell of their call, and moved when the cell changes.

A call remembers what to move: the turns in `story`, `observed` for those dropped from it, and `marks` by kind. A patch
of its segments moves all that the windows still hold.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterable
from sys import intern

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.call_events import leave_out_absurd, turn_records
from voicetop.engine.calls import Call, WindowMark
from voicetop.engine.config import EngineConfig
from voicetop.engine.tick import TickCounters
from voicetop.engine.windows.buckets import BUCKETS, bucket_of
from voicetop.engine.windows.cells import EVERYBODY, FOLDED, Cells, Key, SegmentColumns
from voicetop.engine.windows.counts import PAST, Counts
from voicetop.engine.windows.histograms import METRIC, METRICS, ROW, Histogram, Histograms
from voicetop.engine.windows.past_ends import PastEnds
from voicetop.engine.windows.recent_slots import RecentSlots
from voicetop.engine.windows.slots import FINE, HOUR, MINUTE, SlotKey, parts_of
from voicetop.wire.codec import pack_durations
from voicetop.wire.events import Turn
from voicetop.wire.values import MAX_RESPONSE_MS

_STAGES = len(METRICS) - 2
RECORD = struct.Struct("<IH")
"""A call's note of a turn: 10-second slot, number of positions, and the positions as little-endian u16."""
_HEAD = RECORD.size // 2
MAX_SHARED = 8_192
MAX_MARKS = 256
"""Maximum number of kinds per call: far more than a conversation has steps."""
MAX_NOTED = 1 << 18
"""Maximum bytes of notes per call, for some 20,000 turns; turns beyond stay in the old cell when the call moves."""


class Ledger:
    """Keeps cells, windows and counts consistent."""

    def __init__(
        self, config: EngineConfig, count_turns: Callable[[], None], ended_calls: Callable[[], Iterable[Call]]
    ) -> None:
        """`count_turns` counts pending turns; `ended_calls` are the ended calls still kept."""
        self._count_turns, self._ended_calls = count_turns, ended_calls
        self.cells = Cells.empty(config)
        self.columns = SegmentColumns()
        self.windows = Histograms(config.max_cells)
        self.counts = Counts(config.max_cells)
        self.past_ends = PastEnds()
        self.tick_counters = TickCounters()
        self._shared: dict[Key, dict[str, str]] = {}
        self._recent: RecentSlots | None = None

    @property
    def recent(self) -> RecentSlots:
        """The last five minutes of the windows, slot by slot."""
        if self._recent is None or not self._recent.reads(self.windows, self.counts):
            self._recent = RecentSlots(self.windows, self.counts)
        return self._recent

    def advance(self, at: float) -> None:
        self.windows.advance(at)
        self.counts.advance(at)
        self.past_ends.advance(at)

    def over_time(
        self, key: SlotKey, cells: NDArray[np.intp] | None, chosen: frozenset[int] | None
    ) -> tuple[Histogram, dict[str, int]]:
        """Counts [metric, bucket] and sums of a minute, quarter or hour, including slots that are still open.

        `cells` and `chosen` are the same cells, None: all.
        """
        table = np.zeros((len(METRICS), BUCKETS), np.int64)
        sums: dict[str, int] = {}
        for part in self._parts(key):
            table += self.windows.over_time(part, cells)
            for kind, amount in self.counts.over_time(part, chosen).items():
                sums[kind] = sums.get(kind, 0) + amount
        return table, sums

    def changes(self, key: SlotKey) -> tuple[int, ...]:
        """Numbers that differ whenever what `over_time` and `past_ends` tell of the same has changed."""
        changes = [self.past_ends.changes((key[1] + 1) * key[0])]
        for part in self._parts(key):
            slot = self.counts.slots.get(part)
            changes += [slot.changes if slot is not None else 0, *self.windows.changes(part)]
        return tuple(changes)

    def _parts(self, key: SlotKey) -> list[SlotKey]:
        """The slots that hold a part of a minute, quarter or hour; minutes may have only 10-second slots."""
        return [
            part
            for part in parts_of(key, self.windows.edges.quartered)
            if part[0] == MINUTE or part in self.windows.coarse or part in self.counts.slots
        ]

    # -- cells --------------------------------------------------------------------------------------------------

    def shared(self, segments: dict[str, str]) -> dict[str, str]:
        """One dictionary for all calls with equal segments, sorted by name: few of 100,000 calls differ."""
        key = tuple(sorted(segments.items()))
        dictionary = self._shared.get(key)
        if dictionary is None:
            if len(self._shared) >= MAX_SHARED:
                self._shared.clear()
            dictionary = self._shared[key] = {intern(name): intern(value) for name, value in key}
        return dictionary

    def place(self, call: Call) -> None:
        """Assign a new call to the cell of its segments."""
        call.cell = self._cell(call.segments)
        if call.live:
            self.cells.live[call.cell] += 1

    def replace(self, call: Call) -> None:
        """Move a call and its counts to the cell of its current segments."""
        cell = self._cell(call.segments)
        if cell == call.cell:
            return
        self._move_observations(call, cell)
        for name, mark in call.marks.items():
            kind = name.rpartition("#")[0] if name.startswith(PAST) else name
            kind = kind if ":" in kind else kind.partition("#")[0]
            self.counts.add(kind, call.cell, mark.ts, -mark.amount)
            self.counts.add(kind, cell, mark.ts, mark.amount)
        self.past_ends.move(call.past_ends, call.cell, cell)
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
        """Cells without live calls and without counts in any window, lowest numbers first.

        Searched at most once a minute, because it takes milliseconds and windows don't expire anything in between.
        Ended calls of a freed cell move to `FOLDED`.
        """
        if self.cells.swept == self.windows.edges.day:
            return ()
        self.cells.swept = self.windows.edges.day
        self._count_turns()
        candidates = self.windows.idle_cells(len(self.cells)).tolist()
        reserved = (EVERYBODY, FOLDED)
        idle = {
            cell: FOLDED
            for cell in candidates
            if cell not in reserved and not self.cells.live[cell] and self.counts.idle(cell)
        }
        for call in self._ended_calls():
            call.cell = idle.get(call.cell, call.cell)
        return idle

    def _move_observations(self, call: Call, to: int) -> None:
        noted, turns = turn_records(call)
        slots, positions = _records(b"".join([call.observed, call.waits, noted]))
        if turns:
            known = _known(values := times_of(turns))
            slots += _slots(turns).tolist()
            rest = np.nonzero(known)[1] * BUCKETS + bucket_of(values[known])
            positions += np.split(rest.astype(np.uint32), np.cumsum(known.sum(axis=1))[:-1])
        self.windows.move(slots, positions, call.cell, to)

    # -- counting -----------------------------------------------------------------------------------------------

    def mark(self, call: Call, kind: str, ts: float, amount: int = 1) -> None:
        """Count `call` with `amount` under `kind` at `ts`, replacing its previous count of that kind."""
        counted = call.marks.get(kind)
        if counted is None:
            if len(call.marks) >= MAX_MARKS and ":" in kind:
                return
            call.marks[intern(kind)] = WindowMark(ts, amount)
            difference = amount
        else:
            difference = amount - counted.amount
            if counted.ts == ts:
                if not difference:
                    return
                amount, counted.amount = difference, amount
            else:
                self.counts.add(kind, call.cell, counted.ts, -counted.amount)
                counted.ts, counted.amount = ts, amount
        self.counts.add(kind, call.cell, ts, amount)
        if difference:
            self.tick_counters.add(kind, call.cell, difference)

    def mark_again(self, call: Call, kind: str, ts: float) -> None:
        """Count `call` once more under a fixed `kind`, at `ts`: in the windows that hold `ts`, and in no others."""
        name = f"{kind}#{int(ts // FINE)}"
        counted = call.marks.get(name)
        if counted is not None:
            counted.amount += 1
        elif len(call.marks) < MAX_MARKS:
            call.marks[name] = WindowMark(ts, 1)
        else:
            return
        self.counts.add(kind, call.cell, ts, 1)
        self.tick_counters.add(kind, call.cell, 1)

    def mark_hour(self, call: Call, kind: str, ts: float) -> None:
        """Count a call with a kind of error at `ts` in that hour of the clock, too, if its latest one isn't in it.

        The mark of the kind itself is that of the latest error, and must be moved only after this.
        """
        latest = call.marks.get(f"error:{kind}")
        if latest is None or latest.ts // HOUR == ts // HOUR:
            return
        earlier = min(latest.ts, ts)
        name = f"{PAST}{kind}#{int(earlier // HOUR)}"
        counted = call.marks.get(name)
        if counted is not None and counted.ts < earlier:
            self.counts.add(PAST + kind, call.cell, counted.ts, -1)
            counted.ts = earlier
        elif counted is None and len(call.marks) < MAX_MARKS:
            call.marks[name] = WindowMark(earlier, 1)
        else:
            return
        self.counts.add(PAST + kind, call.cell, earlier, 1)

    def unmark(self, call: Call, kind: str) -> None:
        """The call no longer counts under `kind`."""
        counted = call.marks.pop(kind, None)
        if counted is not None:
            self.counts.add(kind, call.cell, counted.ts, -counted.amount)
            self.tick_counters.add(kind, call.cell, -counted.amount)

    def observe_turns(self, turns: list[Turn], calls: list[Call], unstored: list[int]) -> None:
        """Count the times of many turns at once, at their `ts`; the `unstored` ones are noted in `observed`.

        The batch becomes one matrix [turn, metric] of milliseconds, its known values one flat array of positions.
        Missing (NaN) times don't count, nor do absurd ones, which a recording may have: no hub passes them on.
        """
        values = times_of(turns)
        absurd = (values < 0) | (values > MAX_RESPONSE_MS)
        if absurd.any():
            leave_out_absurd(turns[number] for number in np.unique(np.nonzero(absurd)[0]))
        known = _known(values)
        turn, metric = np.nonzero(known)
        bucket = bucket_of(values[known])
        self.windows.widen(metric, bucket)
        cells = [call.cell for call in calls]
        base = np.array(cells, np.int64) * ROW
        rest = metric * BUCKETS + bucket
        index = (base[turn] + rest).astype(np.uint32)
        self.tick_counters.turns.append(cells)
        self.tick_counters.index.append(index)
        slots = _slots(turns)
        if unstored:
            packed = _packed(slots, rest, known)
            for number in unstored:
                note(calls[number].observed, packed[number])
        self.windows.add(slots[turn] if (slots != slots[0]).any() else slots[:1], index)

    def correct_turn(self, call: Call, before: Turn, after: Turn) -> None:
        """Count the times of a turn anew, in the slot where they were counted."""
        values = times_of([before, after])
        known = _known(values)
        bucket = bucket_of(values[known])
        row, metric = np.nonzero(known)
        self.windows.widen(metric, bucket)
        index = (metric * BUCKETS + bucket + call.cell * ROW).astype(np.uint32)
        self.windows.correct(int(before.ts // FINE), index[row == 0], index[row == 1])

    def forget_wait(self, call: Call, ts: float) -> None:
        """The last wait counted in the slot of `ts` had a reply after all."""
        slots, positions = _records(call.waits)
        place = len(slots) - 1 - slots[::-1].index(int(ts // FINE)) if int(ts // FINE) in slots else -1
        if place >= 0:
            size = RECORD.size + 2
            call.waits = call.waits[: place * size] + call.waits[(place + 1) * size :]
            index = positions[place] + np.uint32(call.cell * ROW)
            self.windows.correct(slots[place], index, np.empty(0, np.uint32))

    def observe_wait(self, call: Call, ts: float, waited_ms: float) -> None:
        """Count a wait that ended without a reply: a latency of at least `waited_ms`."""
        bucket = bucket_of(np.array([waited_ms]))
        metric = np.array([METRIC["waited"]])
        rest = metric * BUCKETS + bucket
        slot = int(ts // FINE)
        self.windows.widen(metric, bucket)
        index = (rest + call.cell * ROW).astype(np.uint32)
        self.tick_counters.index.append(index)
        self.windows.add(np.array([slot], np.int64), index)
        if len(call.waits) < MAX_NOTED:
            call.waits += RECORD.pack(slot, 1) + rest.astype("<u2").tobytes()

    def remember_wait(self, call: Call, since: float, until: float) -> None:
        """A wait is over: remember it at the ends of minutes that it lasted across."""
        notes = self.past_ends.add_wait(call.cell, since, until)
        if len(call.past_ends) < MAX_NOTED:
            call.past_ends += notes

    def remember_error(self, call: Call, latest: float, ts: float) -> None:
        """Another error than the latest, at `latest`: remember the earlier one at the ends of minutes between them."""
        if ts > latest:
            notes = self.past_ends.add_error(call.cell, latest, ts)
        else:
            call.past_ends, notes = self.past_ends.add_late_error(call.cell, ts, latest, call.past_ends)
        if len(call.past_ends) < MAX_NOTED:
            call.past_ends += notes


def note(notes: bytearray, record: bytes) -> None:
    """Append a record to a call's notes, up to `MAX_NOTED`."""
    if len(notes) < MAX_NOTED:
        notes += record


def packed_turns(turns: list[Turn]) -> list[bytes]:
    """The record of each turn."""
    if not turns:
        return []
    known = _known(values := times_of(turns))
    return _packed(_slots(turns), np.nonzero(known)[1] * BUCKETS + bucket_of(values[known]), known)


def _packed(slots: NDArray[np.int64], rest: NDArray[np.int64], known: NDArray[np.bool_]) -> list[bytes]:
    """The record of each turn, sliced from one block of u16 words."""
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
    """The 10-second slot of each record, and its positions in a cell's row."""
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


def _known(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (values >= 0) & (values <= MAX_RESPONSE_MS)


def times_of(turns: list[Turn]) -> NDArray[np.float64]:
    """Milliseconds [turn, metric]: the response time and its stages; NaN if not told."""
    block, width, offsets = pack_durations(turns)
    rows = np.frombuffer(block, np.uint8).reshape(-1, width)
    values = np.empty((len(turns), _STAGES + 1))
    values[:, 0] = [turn.e2e_ms for turn in turns]
    values[:, 1:] = rows.take(_bytes_of(offsets), axis=1).view(">f8")
    return values


@functools.cache
def _bytes_of(offsets: tuple[int, ...]) -> NDArray[np.intp]:
    """The byte indices of the stages in a row."""
    return (np.array(offsets[:_STAGES])[:, None] + np.arange(8)).ravel()
