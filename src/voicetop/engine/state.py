"""The engine's state and its basic transitions: calls begin, change segments, end and are settled."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from sys import intern
from typing import Any
from weakref import WeakMethod

from voicetop.engine import frustration, outcomes
from voicetop.engine.call_events import AmendedTurns
from voicetop.engine.calls import MAX_CALL_S, Call
from voicetop.engine.capacity import CapacityLoad
from voicetop.engine.config import EngineConfig
from voicetop.engine.feed_state import BEHIND_FROM, FeedTracker
from voicetop.engine.roster import Roster
from voicetop.engine.windows.ledger import Ledger
from voicetop.formatting.numbers import known
from voicetop.wire.events import NAN, CallEnd, Marker, Operator, Security, Turn
from voicetop.wire.values import Scalar

MAX_SEGMENTS = 64
"""Maximum number of segment names per call, to bound memory."""
AGAIN_S = 10.0
"""An event this much later than the end of its call is another call's with the same id: until then it is only late."""


class EngineState:
    """Everything that a checkpoint holds (`checkpoint.py`)."""

    def __init__(self, config: EngineConfig | None = None) -> None:
        self.config = config or EngineConfig()
        self.roster = Roster(self.config)
        self.ledger = Ledger(self.config, _weak_callback(self.count_turns), self.roster.ended_calls)
        self.feed = FeedTracker()
        self.load = CapacityLoad(limit=self.config.capacity)
        self.markers: list[Marker] = []
        self.security: list[Security] = []
        self.operators: list[Operator] = []
        self.operated = 0
        """Operator records ever folded, so that consumers know which are new."""
        self.next_mark = 0
        self.amended = AmendedTurns()
        self.replies = 0
        self.failures = 0
        """Replies and final errors folded by this instance, for counting over time."""
        self._uncounted: list[Turn] = []
        """Turns not yet counted, with their calls; `_unstored` are the indices of those not stored with their call."""
        self._uncounted_calls: list[Call] = []
        self._unstored: list[int] = []

    @property
    def at(self) -> float:
        """Stamp time, epoch seconds: the last heartbeat's."""
        return self.feed.at

    def count_turns(self) -> None:
        """Count pending turns: at the end of a batch, and before their cells matter."""
        if self._uncounted:
            self.replies += len(self._uncounted)
            self.ledger.observe_turns(self._uncounted, self._uncounted_calls, self._unstored)
            for counted in (self._uncounted, self._uncounted_calls, self._unstored):
                counted.clear()

    def call_of(self, event: Any, ts: float, at: float, again_s: float = inf) -> Call:
        """The event's call, created if its start was missed. It shows that a lost call is live.

        An event over `again_s` after the end of its call is one of another call with the same id.
        """
        call = self.roster.live.get(event.call_id) or self.roster.find(event.call_id)
        if call is None:
            return self.begin(event.call_id, event.source, ts, at)
        if call.state == "lost":
            self.revive(call)
        elif call.ended and _is_after(ts, call.ended, again_s):
            self.forget(call)
            return self.begin(event.call_id, event.source, ts, at)
        return call

    def find_call(self, event: Any) -> Call | None:
        """The event's call, live or ended; events of unknown calls are counted."""
        call = self.roster.find(event.call_id)
        if call is None:
            self.feed.strangers += 1
            self.feed.ignore(event.source, "unknown call")
        return call

    def live_call(self, event: Any) -> Call | None:
        """The event's call if it is live, as a lost one is again now; events of unknown calls are counted."""
        call = self.roster.live.get(event.call_id) or self.find_call(event)
        if call is not None and call.state == "lost":
            self.revive(call)
        return call if call is not None and call.live else None

    def revive(self, call: Call) -> None:
        """A lost call is heard of again: it had never ended."""
        outcomes.unsettle(call, self.ledger)
        call.wait_since, call.waited_from = call.waited_from, 0.0
        waited_s = self.feed.waited_s(call, call.ended) if call.wait_since else 0.0
        if waited_s > 0:
            self.ledger.forget_wait(call, call.ended)
            frustration.correct_wait(call, waited_s * 1000, NAN)
        call.state, call.reason, call.left_at, call.ended, call.abandoned = "active", "", "", 0.0, -1
        self.ledger.cells.live[call.cell] += 1
        self.roster.revive(call)

    def forget(self, call: Call) -> None:
        """The id of an ended call is used again: decide what is open about it, and keep only what it counts for."""
        if call.abandoned < 0:
            call.abandoned = int(outcomes.may_be_abandoned(call, self.config))
            self.settle(call)
        self.roster.forget(call)
        self.feed.ignore(call.source, "call id used again")

    def begin(self, call_id: str, source: str, ts: float, at: float) -> Call:
        """A new live call."""
        call = Call(call_id=call_id, started=ts, seen=at, source=intern(source))
        if at - ts > BEHIND_FROM:
            call.watched_from = at
            if at - ts > MAX_CALL_S:
                self.feed.ignore(source, "late")
        self.roster.live[call_id] = call
        self.ledger.place(call)
        self.ledger.mark(call, "started", ts)
        ended = self.roster.early_ends.pop(call_id, None)
        if ended is not None and ts <= ended[0] + AGAIN_S:
            self.end_by(ended[1], call, ended[0])
        return call

    def patch(self, call: Call, segments: dict[str, Scalar], ts: float) -> None:
        """Change segments of a call and move its counts to the new cell."""
        patched = dict(call.segments)
        for name, value in segments.items():
            text = _text(value)
            if name == "hour" or patched.get(name, "") == text:
                continue  # the hour is time, not a dimension
            if name not in patched and len(patched) >= MAX_SEGMENTS:
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
        """The call reached a step of its flow; the first time is counted."""
        call.step = intern(step)
        if f"step:{step}" not in call.marks:
            self.ledger.mark(call, f"step:{step}", ts)

    def end_wait(self, call: Call, ts: float) -> None:
        """The caller doesn't wait for a reply any more."""
        if call.wait_since:
            self.remember_wait(call, ts)
            call.wait_since = 0.0

    def remember_wait(self, call: Call, until: float) -> None:
        """Remember a wait that is over at the ends of minutes that it lasted across."""
        self.ledger.remember_wait(call, self.feed.wait_from(call, until), until)

    def end_by(self, event: CallEnd, call: Call, ts: float) -> None:
        """The call ended as its `call.end` says."""
        self.roster.record(call, event)
        call.party = event.party
        if event.step:
            self.reach(call, event.step, ts)
        if known(event.duration_s) and event.duration_s >= 0:
            call.started = min(call.started, ts - event.duration_s)
        self.end(call, ts, event.reason)

    def end(self, call: Call, ts: float, reason: str) -> None:
        """The call is no longer live. `reason` "lost" means that it timed out."""
        waited_s = self.feed.waited_s(call, ts) if call.wait_since else 0.0
        if waited_s > 0:
            self.ledger.observe_wait(call, ts, waited_s * 1000)
        frustration.end_wait(call, waited_s)
        call.waited_from = call.wait_since if reason == "lost" else 0.0
        self.end_wait(call, ts)
        self.ledger.leave(call)
        call.state = "lost" if reason == "lost" else "ended"
        call.ended, call.reason, call.left_at = max(ts, call.started), reason, call.step
        self.decide_abandonment(call)
        if call.abandoned < 0:
            self.ledger.tick_counters.add(f"hangup:{call.left_at or 'unknown step'}", call.cell, 1)
        self.roster.retire(call)
        self.settle(call)

    def decide_abandonment(self, call: Call) -> None:
        """Rule abandonment out at once if possible; else decide at the first heartbeat after the grace time, as
        outcomes within it may still change.
        """
        if outcomes.may_be_abandoned(call, self.config):
            call.abandoned = -1
            due = (call.ended + self.config.grace_s, call.call_id)
            if due not in self.roster.deciding:
                self.roster.deciding.add(due)
        else:
            call.abandoned = 0

    def settle(self, call: Call) -> None:
        """Count an ended call with what is known of it now."""
        outcomes.settle(call, self.ledger)
        self.roster.refile(call)


def _is_after(ts: float, ended: float, again_s: float) -> bool:
    """Whether `ts` is over `again_s` after an end; with 0 also in the very moment of the end."""
    return ts > ended + again_s or (not again_s and ts == ended)


def _weak_callback(method: Callable[[], None]) -> Callable[[], None]:
    """A weak callback: a reference cycle would keep a replaced engine of half a gigabyte alive."""
    reference = WeakMethod(method)

    def call() -> None:
        bound = reference()
        if bound is not None:
            bound()

    return call


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
