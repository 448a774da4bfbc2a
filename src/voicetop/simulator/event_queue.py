"""Events on their way: put in when they are made, taken out in time order."""

from __future__ import annotations

import operator
from bisect import bisect_right
from collections.abc import Iterable

from voicetop.wire.events import Event

_SLOTS_PER_S = 8
_ts = operator.attrgetter("ts")


class EventQueue:
    """Slots of an eighth of a second, each sorted when its time comes.

    Events with the same `ts` come out in the order in which they were put in, however the time is cut: a slot that is
    taken in parts is sorted again, stably, with later events behind earlier ones.
    """

    def __init__(self) -> None:
        self._slots: dict[int, list[Event]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._slots.values()))

    def put(self, events: Iterable[Event]) -> None:
        slots = self._slots
        for event in events:
            key = int(event.ts * _SLOTS_PER_S)
            slot = slots.get(key)
            if slot is None:
                slots[key] = [event]
            else:
                slot.append(event)

    def take(self, until: float) -> list[Event]:
        """All events with `ts` ≤ `until`, in time order, removed."""
        last = int(until * _SLOTS_PER_S)
        taken: list[Event] = []
        for key in sorted(key for key in self._slots if key <= last):
            slot = self._slots.pop(key)
            slot.sort(key=_ts)
            if key == last:
                due = bisect_right(slot, until, key=_ts)
                if due < len(slot):
                    self._slots[key] = slot[due:]
                slot = slot[:due]
            taken += slot
        return taken
