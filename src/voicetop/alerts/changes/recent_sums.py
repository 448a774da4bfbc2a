"""Five-minute sums by kind and row for the last four hours, for scans to look back on."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from voicetop.alerts.changes.array_codec import Floats, Ints
from voicetop.alerts.changes.readings import TickReading

SLOT_S, SLOTS = 300, 48


class FiveMinuteSums(Struct):
    """Sums by kind and row over the five minutes from `start`."""

    start: int
    sums: dict[str, Ints]

    def add(self, reading: TickReading, rows: int) -> None:
        """Add one mark's parts; `rows` is the current number of rows."""
        for kind, (of, amounts) in reading.parts.items():
            sums_by_row = self.sums.get(kind)
            if sums_by_row is None or len(sums_by_row) < rows:
                grown = np.zeros(rows, np.int64)
                if sums_by_row is not None:
                    grown[: len(sums_by_row)] = sums_by_row
                sums_by_row = self.sums[kind] = grown
            sums_by_row[of] += amounts


def start_of(at: float) -> int:
    """The start of the slot that a mark belongs to."""
    return int((at - 1) // SLOT_S) * SLOT_S


def summed(slots: list[FiveMinuteSums], kind: str, since: float, rows: int) -> Floats:
    """The sum of one kind by row since about `since`."""
    total = np.zeros(rows)
    for slot in slots:
        sums = slot.sums.get(kind) if slot.start + SLOT_S > since else None
        if sums is not None:
            size = min(rows, len(sums))
            total[:size] += sums[:size]
    return total
