"""Events on their way: put in when they are made, taken out in time order."""

from __future__ import annotations

import operator
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
                slot = self._keep_later(slot, key, until)
            taken += slot
        return taken

    def _keep_later(self, slot: list[Event], key: int, until: float) -> list[Event]:
        due = sum(event.ts <= until for event in slot) if slot[-1].ts > until else len(slot)
        if due < len(slot):
            self._slots[key] = slot[due:]
        return slot[:due]
