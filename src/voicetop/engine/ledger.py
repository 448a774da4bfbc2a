"""What calls count for: observations and marks, each in the cell of its call, moved when the cell changes.

Late binding rests on two memories of a call: `observed`, where each of its turns was counted, and `marks`, what it
counts for once by kind. A patch of its segments moves both, as far as the windows still hold them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.buckets import BUCKETS, bucket_of
from voicetop.engine.calls import Call, Mark
from voicetop.engine.cells import Cells
from voicetop.engine.config import EngineConfig
from voicetop.engine.counts import Counts
from voicetop.engine.spans import FINE
from voicetop.engine.windows import METRIC, METRICS, ROW, Histograms
from voicetop.wire.codec import pack_durations
from voicetop.wire.events import Turn

_STAGES = len(METRICS) - 2


class Ledger:
    """Cells, windows and counts, which always agree about what belongs to whom."""

    def __init__(self, config: EngineConfig) -> None:
        self.cells = Cells.empty(config)
        self.windows = Histograms()
        self.counts = Counts()

    def advance(self, at: float) -> None:
        self.windows.advance(at)
        self.counts.advance(at)

    # -- cells --------------------------------------------------------------------------------------------------

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
        cell = self.cells.find(segments, self._idle)
        self.windows.reserve(len(self.cells))
        self.counts.reserve(len(self.cells))
        return cell

    def _idle(self) -> Iterable[int]:
        """Cells without live calls of which no window holds anything, the oldest numbers first."""
        quiet = self.windows.idle_cells(len(self.cells)).tolist()
        return [cell for cell in quiet if not self.cells.live[cell] and self.counts.idle(cell)]

    def _move_observations(self, call: Call, to: int) -> None:
        for slot, packed in call.observed:
            rest = np.frombuffer(packed, "<u2").astype(np.uint32)
            self.windows.move(slot, rest + np.uint32(call.cell * ROW), rest + np.uint32(to * ROW))

    # -- counting -----------------------------------------------------------------------------------------------

    def mark(self, call: Call, kind: str, ts: float, amount: int = 1) -> None:
        """Let `call` count for `amount` under `kind` at `ts`, instead of what it counted for under it before."""
        held = call.marks.get(kind)
        if held is None:
            call.marks[kind] = Mark(ts, amount)
        else:
            self.counts.add(kind, call.cell, held.ts, -held.amount)
            held.ts, held.amount = ts, amount
        self.counts.add(kind, call.cell, ts, amount)

    def unmark(self, call: Call, kind: str) -> None:
        """The call no longer counts under `kind`."""
        held = call.marks.pop(kind, None)
        if held is not None:
            self.counts.add(kind, call.cell, held.ts, -held.amount)

    def observe_turns(self, turns: list[Turn], calls: list[Call], times: Sequence[float]) -> None:
        """Fold the times of many turns at once; `times` are source times, one for each turn.

        The whole batch becomes one matrix [turn, metric] of milliseconds, its known values one flat array of
        positions. What was not told is NaN and, like a negative time, doesn't count.
        """
        values = _matrix(turns)
        known = values >= 0
        turn, metric = np.nonzero(known)
        bucket = bucket_of(values[known])
        self.windows.widen(metric, bucket)
        rest = metric * BUCKETS + bucket
        cells = np.array([call.cell for call in calls], np.int64)
        slots = np.floor_divide(np.array(times), FINE).astype(np.int64)
        self.windows.add(slots[turn], (cells[turn] * ROW + rest).astype(np.uint32))
        self._remember(calls, slots.tolist(), rest.astype("<u2").tobytes(), known.sum(axis=1).tolist())

    @staticmethod
    def _remember(calls: list[Call], slots: list[int], packed: bytes, lengths: list[int]) -> None:
        start = 0
        for call, slot, length in zip(calls, slots, lengths, strict=True):
            stop = start + 2 * length
            call.observed.append((slot, packed[start:stop]))
            start = stop

    def observe_wait(self, call: Call, ts: float, waited_ms: float) -> None:
        """A wait ended without a reply: a latency of at least this long."""
        rest = METRIC["waited"] * BUCKETS + bucket_of(np.array([waited_ms]))
        slot = int(ts // FINE)
        self.windows.widen(np.array([METRIC["waited"]]), rest - METRIC["waited"] * BUCKETS)
        self.windows.add(np.array([slot], np.int64), (rest + call.cell * ROW).astype(np.uint32))
        call.observed.append((slot, rest.astype("<u2").tobytes()))


def _matrix(turns: list[Turn]) -> NDArray[np.float64]:
    block, width, offsets = pack_durations(turns)
    rows = np.frombuffer(block, np.dtype({
        "names": list(METRICS[1 : _STAGES + 1]), "formats": [">f8"] * _STAGES, "offsets": list(offsets), "itemsize": width,
    }))  # fmt: skip
    values = np.empty((len(turns), _STAGES + 1))
    values[:, 0] = [turn.e2e_ms for turn in turns]
    for column, name in enumerate(METRICS[1 : _STAGES + 1], 1):
        values[:, column] = rows[name]
    return values
