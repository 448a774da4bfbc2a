"""Which calls are live and waiting, and which events count, for time series: each once, in whatever order they come.

An export reads events as received, which may be told twice, late or after the end of their call.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from msgspec import Struct, field

AGAIN_S = 10.0
"""What begins a call this much later than the end of one is another call with the same id."""
MAX_CALLS, MAX_TOLD = 100_000, 2_000
BEGINNINGS = frozenset(
    [
        "call.start",
        "call.update",
        "call.step",
        "turn.start",
        "turn",
        "transcript",
        "tool",
        "error",
        "interruption",
    ]
)
"""Events that tell of a call whose start was missed."""


class _Life(Struct, gc=False):
    """What is known of one call; times are epoch seconds, 0 for never. `told` are its turns since numbers began."""

    announced: bool = False
    ended: float = 0.0
    replied: float = 0.0
    waits: float = 0.0
    told: set[int] = field(default_factory=set)


class CallTally:
    """Hears every event of a recording."""

    def __init__(self) -> None:
        self.live: set[str] = set()
        self.waiting: set[str] = set()
        self._lives: OrderedDict[str, _Life] = OrderedDict()

    def counts(self, event: dict[str, Any]) -> bool:
        """Whether the event counts: not one that tells again what was told, or amends it."""
        kind, call_id, ts = event.get("type"), event.get("call_id"), event.get("ts")
        if not isinstance(call_id, str) or not isinstance(ts, (int, float)):
            return True
        life = self._life_of(call_id, event, ts)
        if life is None:
            return True
        if kind == "call.start":
            first, life.announced = not life.announced, True
            return first
        if kind == "call.end":
            return self._end(call_id, life, ts)
        if kind == "turn":
            return self._reply(call_id, life, event.get("turn", -1), ts)
        if kind == "turn.start":
            self._wait(call_id, life, event.get("turn", -1), ts)
        elif _ends_wait(event) and ts >= life.waits:
            self.waiting.discard(call_id)
        return True

    def _life_of(self, call_id: str, event: dict[str, Any], ts: float) -> _Life | None:
        """The call's life, a new one if the event begins it; None if it says nothing of a call that isn't known."""
        kind, life = event.get("type"), self._lives.get(call_id)
        if life is not None and not (life.ended and _begins_another(life, event, ts)):
            return life
        if kind not in BEGINNINGS and kind != "call.end":
            return life
        self._lives[call_id] = life = _Life()
        self._lives.move_to_end(call_id)
        if len(self._lives) > MAX_CALLS:
            oldest, _ = self._lives.popitem(last=False)
            self.live.discard(oldest)
            self.waiting.discard(oldest)
        if kind != "call.end":
            self.live.add(call_id)
        return life

    def _end(self, call_id: str, life: _Life, ts: float) -> bool:
        self.live.discard(call_id)
        self.waiting.discard(call_id)
        first, life.ended = not life.ended, life.ended or ts
        return first

    def _reply(self, call_id: str, life: _Life, turn: object, ts: float) -> bool:
        """A turn told before, since the caller last waited for the reply of that number, is amended."""
        if ts >= life.waits:
            self.waiting.discard(call_id)
        if isinstance(turn, int) and turn >= 0:
            if turn in life.told:
                return False
            if len(life.told) < MAX_TOLD:
                life.told.add(turn)
        life.replied = max(life.replied, ts)
        return True

    def _wait(self, call_id: str, life: _Life, turn: object, ts: float) -> None:
        if life.ended or ts < max(life.replied, life.waits):
            return
        if isinstance(turn, int):
            life.told.discard(turn)
        life.waits = ts
        self.waiting.add(call_id)


def _begins_another(life: _Life, event: dict[str, Any], ts: float) -> bool:
    """Whether an event after the end of a call is of another one with the same id."""
    kind = event.get("type")
    if kind == "call.start":
        return life.announced and ts >= life.ended
    talks = (
        kind == "turn.start"
        or (kind == "turn" and event.get("turn", -1) not in life.told)
        or (kind == "call.update" and event.get("state"))
    )
    return bool(talks) and ts > life.ended + AGAIN_S


def _ends_wait(event: dict[str, Any]) -> bool:
    """Whether the caller speaks again, or is on hold or in transfer."""
    if event.get("type") == "stage":
        return event.get("name") == "vad" and event.get("state") == "start"
    return event.get("type") == "call.update" and event.get("state") in ("held", "transferring")
