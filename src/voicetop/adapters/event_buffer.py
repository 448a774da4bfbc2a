"""Collects the events of one call, each with its call id, time and current turn. Pure."""

from __future__ import annotations

from typing import Any

from voicetop.wire.events import CallEnd, CallEvent, CallStart, CallUpdate, Event

_WITHOUT_TURN = frozenset({CallStart, CallUpdate, CallEnd})


class EventBuffer:
    """`turn` is the current turn, -1 before the caller's first word. Times in epoch seconds."""

    def __init__(self, call_id: str) -> None:
        self.call_id = call_id
        self.turn = -1
        self.events: list[Event] = []

    def add(self, kind: type[CallEvent], at: float, **fields: Any) -> None:
        """Append one event of the call; `turn` defaults to the current one."""
        fields.setdefault("turn", -1 if kind in _WITHOUT_TURN else self.turn)
        self.events.append(kind(call_id=self.call_id, ts=at, **fields))

    def take(self) -> list[Event]:
        """The events since the last `take`."""
        events, self.events = self.events, []
        return events
