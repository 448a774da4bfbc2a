"""Five minutes' sums by kind and row, for the last four hours: what a scan looks back on."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from voicetop.alerts.changes.array_codec import Floats, Ints
from voicetop.alerts.changes.readings import TickReading

SLOT_S, SLOTS = 300, 48


class FiveMinuteSums(Struct):
    """Sums by kind and row over five minutes from `start` on."""

    start: int
    sums: dict[str, Ints]

    def add(self, reading: TickReading, rows: int) -> None:
        """One mark's parts; `rows` is how many there are by now."""
        for kind, (of, amounts) in reading.parts.items():
            held = self.sums.get(kind)
            if held is None or len(held) < rows:
                grown = np.zeros(rows, np.int64)
                if held is not None:
                    grown[: len(held)] = held
                held = self.sums[kind] = grown
            held[of] += amounts


def start_of(at: float) -> int:
    """The beginning of the slot that a mark belongs to."""
    return int((at - 1) // SLOT_S) * SLOT_S


def summed(slots: list[FiveMinuteSums], kind: str, since: float, rows: int) -> Floats:
    """The sum of one kind by row since about `since`."""
    made = np.zeros(rows)
    for slot in slots:
        held = slot.sums.get(kind) if slot.start + SLOT_S > since else None
        if held is not None:
            size = min(rows, len(held))
            made[:size] += held[:size]
    return made
