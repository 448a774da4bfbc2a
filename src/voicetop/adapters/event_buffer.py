"""Where an adapter writes the events of one call, each with its call, its time and the turn that is going on. Pure."""

from __future__ import annotations

from typing import Any

from voicetop.wire.events import CallEnd, CallEvent, CallStart, CallUpdate, Event

_WITHOUT_TURN = frozenset({CallStart, CallUpdate, CallEnd})


class EventBuffer:
    """`turn` is the one that events of now belong to, -1 before the caller's first word. Times in epoch seconds."""

    def __init__(self, call_id: str) -> None:
        self.call_id = call_id
        self.turn = -1
        self.events: list[Event] = []

    def add(self, kind: type[CallEvent], at: float, **fields: Any) -> None:
        """Write one event of the call; it belongs to the present turn where `turn` doesn't say another one."""
        fields.setdefault("turn", -1 if kind in _WITHOUT_TURN else self.turn)
        self.events.append(kind(call_id=self.call_id, ts=at, **fields))

    def take(self) -> list[Event]:
        """What was written since the last time."""
        events, self.events = self.events, []
        return events
