"""What the engine knows, and what every handler of events does to it: calls begin, move, end and are settled."""

from __future__ import annotations

from collections.abc import Callable
from sys import intern
from typing import Any
from weakref import WeakMethod

from voicetop.engine import frustration, outcomes
from voicetop.engine.calls import Call
from voicetop.engine.capacity import CapacityLoad
from voicetop.engine.config import EngineConfig
from voicetop.engine.feed_state import FeedTracker
from voicetop.engine.roster import Roster
from voicetop.engine.windows.ledger import Ledger
from voicetop.wire.events import Marker, Operator, Scalar, Security, Turn

MOST_SEGMENTS = 64
"""How many segment names one call may have: what goes beyond is nonsense, and costs bounded memory."""


class EngineState:
    """All that is known. Its state dumps to a checkpoint (`checkpoint.py`)."""

    def __init__(self, config: EngineConfig | None = None) -> None:
        self.config = config or EngineConfig()
        self.roster = Roster(self.config)
        self.ledger = Ledger(self.config, _weakly(self.count_turns), self.roster.gone)
        self.feed = FeedTracker()
        self.load = CapacityLoad(limit=self.config.capacity)
        self.markers: list[Marker] = []
        self.security: list[Security] = []
        self.operators: list[Operator] = []
        self.operated = 0
        """Operator records ever folded: whoever applies them knows by it which are new."""
        self.next_mark = 0
        self.replies = 0
        self.failures = 0
        """Replies and final errors that this engine has folded itself, for whoever counts them over time."""
        self._uncounted: list[Turn] = []
        """Turns met but not counted yet, beside their calls; `_untold` are the indices of those in no story."""
        self._uncounted_calls: list[Call] = []
        self._untold: list[int] = []

    @property
    def at(self) -> float:
        """Stamp time, epoch seconds: the last heartbeat's."""
        return self.feed.at

    def count_turns(self) -> None:
        """Count the turns met so far: at the end of a batch, and before anything asks in which cell they count."""
        if self._uncounted:
            self.replies += len(self._uncounted)
            self.ledger.observe_turns(self._uncounted, self._uncounted_calls, self._untold)
            for counted in (self._uncounted, self._uncounted_calls, self._untold):
                counted.clear()

    def owner(self, event: Any, ts: float, at: float) -> Call:
        """The call of an event whose call isn't live: an ended one, or one whose start we missed."""
        return self.roster.find(event.call_id) or self.begin(event.call_id, event.source, ts, at)

    def known(self, event: Any) -> Call | None:
        """The call of an event, live or ended; an event whose call nobody knows is counted."""
        call = self.roster.find(event.call_id)
        self.feed.strangers += call is None
        return call

    def begin(self, call_id: str, source: str, ts: float, at: float) -> Call:
        """A new live call."""
        call = Call(call_id=call_id, started=ts, seen=at, source=intern(source))
        self.roster.live[call_id] = call
        self.ledger.place(call)
        self.ledger.mark(call, "started", ts)
        return call

    def patch(self, call: Call, segments: dict[str, Scalar], ts: float) -> None:
        """Change segments of a call: what it counted in the windows moves to its new cell."""
        patched = dict(call.segments)
        for name, value in segments.items():
            text = _text(value)
            if name == "hour" or patched.get(name, "") == text:
                continue  # the hour is time, not a dimension
            if name not in patched and len(patched) >= MOST_SEGMENTS:
                continue
            patched[name] = text
            if not text:
                call.known_at.pop(name, None)
            elif ts > call.started:
                call.known_at[name] = ts
        if patched != call.segments:
            call.segments = self.ledger.shared({name: text for name, text in patched.items() if text})
            if call.turns and any(met is call for met in self._uncounted_calls):
                self.count_turns()
            self.ledger.replace(call)

    def reach(self, call: Call, step: str, ts: float) -> None:
        """The call is at a step of its flow; the first time counts."""
        call.step = intern(step)
        if f"step:{step}" not in call.marks:
            self.ledger.mark(call, f"step:{step}", ts)

    def end(self, call: Call, ts: float, reason: str) -> None:
        """The call is no longer live. `reason` "lost" means that nothing was heard of it."""
        if call.wait_since and ts > call.wait_since:
            self.ledger.observe_wait(call, ts, (ts - call.wait_since) * 1000)
        frustration.end_wait(call, ts)
        call.wait_since = 0.0
        self.ledger.leave(call)
        call.state = "lost" if reason == "lost" else "ended"
        call.ended, call.reason, call.left_at = max(ts, call.started), reason, call.step
        self.decide_abandonment(call)
        if call.abandoned < 0:
            self.ledger.taps.add(f"hangup:{call.left_at or 'unknown step'}", call.cell, 1)
        self.roster.retire(call)
        self.settle(call)

    def decide_abandonment(self, call: Call) -> None:
        """Known at once where it can't be; else at the first heartbeat after the grace time. Whoever is trusted more
        may still take good news back within it.
        """
        if outcomes.may_be_abandoned(call, self.config):
            call.abandoned = -1
            due = (call.ended + self.config.grace_s, call.call_id)
            if due not in self.roster.deciding:
                self.roster.deciding.add(due)
        else:
            call.abandoned = 0

    def settle(self, call: Call) -> None:
        """Count an ended call for what is known of it now."""
        outcomes.settle(call, self.ledger)
        self.roster.refile(call)


def _weakly(method: Callable[[], None]) -> Callable[[], None]:
    """The method without its engine: in a cycle, an engine of half a gigabyte would stay when another takes over."""
    held = WeakMethod(method)

    def call() -> None:
        there = held()
        if there is not None:
            there()

    return call


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
