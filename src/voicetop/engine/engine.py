"""The engine: batches of events folded into calls, windows and figures. No I/O and no clock.

`apply` folds what stands between two heartbeats, `advance` moves time. Whatever depends on time (windows, skew, who
is lost, what is normal) changes in `advance` alone, so that the state at a heartbeat is the same however the stream
was cut into batches, live and in a replay.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import intern
from typing import Any
from weakref import WeakMethod

from msgspec.structs import force_setattr

from voicetop.engine import frustration, outcomes
from voicetop.engine.calls import Call, Evaluation, VoiceLevels
from voicetop.engine.capacity import CapacityLoad
from voicetop.engine.config import EngineConfig
from voicetop.engine.feed_state import FeedTracker
from voicetop.engine.pricing import micro_dollars
from voicetop.engine.roster import Roster
from voicetop.engine.tick import Urgency
from voicetop.engine.verdict import Judge
from voicetop.engine.windows.ledger import Ledger
from voicetop.wire.codec import Batch
from voicetop.wire.events import (
    Audio,
    Benchmark,
    CallEnd,
    CallOutcome,
    CallStart,
    CallStep,
    CallUpdate,
    Capacity,
    Error,
    Event,
    Gap,
    Interruption,
    Malformed,
    Marker,
    Operator,
    Scalar,
    Security,
    Service,
    SourceStatus,
    Stage,
    Tool,
    Turn,
    TurnStart,
    Usage,
)

MARK_S = 5
KEPT_MARKERS = 200
MOST_SEGMENTS, MOST_SPENT, MOST_OPINIONS = 64, 64, 16
"""How many names of each one call may have: what goes beyond is nonsense, and costs bounded memory."""
MOST_MICRO = 10**12
"""Micro-dollars that one call may spend on one model: a million dollars, so that no sum can overflow."""


class Engine:
    """All that is known. Read it through `picture.snapshot`; its state dumps to a checkpoint (`checkpoint.py`)."""

    def __init__(self, config: EngineConfig | None = None) -> None:
        self.config = config or EngineConfig()
        self.roster = Roster(self.config)
        self.ledger = Ledger(self.config, _weakly(self._count_turns), self.roster.gone)
        self.feed = FeedTracker()
        self.load = CapacityLoad(limit=self.config.capacity)
        self.markers: list[Marker] = []
        self.security: list[Security] = []
        self.operators: list[Operator] = []
        self.operated = 0
        """Operator records ever folded: whoever applies them knows by it which are new."""
        self.judge = Judge()
        self.next_mark = 0
        self.replies = 0
        self.failures = 0
        """Replies and final errors that this engine has folded itself, for whoever counts them over time."""
        self._turns: list[Turn] = []
        """The turns that `apply` has met but not counted yet, with their calls; `_untold` are those in no story."""
        self._owners: list[Call] = []
        self._untold: list[int] = []

    @property
    def at(self) -> float:
        """Stamp time, epoch seconds: the last heartbeat's."""
        return self.feed.at

    # -- time ---------------------------------------------------------------------------------------------------

    def advance(self, at: float, *, local: bool = False) -> list[int]:
        """A heartbeat moved time to `at`. Returns the whole 5-second marks that were passed, at most the last 60."""
        at = max(at, self.feed.at)
        self.feed.beat(at, local=local)
        self.ledger.advance(at)
        self.load.beat(at, len(self.roster.live))
        self._decide(at)
        mark = int(at // MARK_S)
        passed = list(range(max(self.next_mark, mark - 59), mark + 1))
        self.next_mark = mark + 1
        if passed:
            self._lose(at)
            self.roster.ration()
            if self.config.verdict:
                self.judge.step(self, at)
        return [number * MARK_S for number in passed]

    def _decide(self, at: float) -> None:
        """Hang-ups whose grace time is over without good news are abandonment."""
        while self.roster.deciding and self.roster.deciding[0][0] <= at:
            _, call_id = self.roster.deciding.pop(0)
            call = self.roster.find(call_id)
            if call is not None and not call.live and call.abandoned < 0:
                call.abandoned = int(outcomes.may_be_abandoned(call, self.config))
                self._settle(call)

    def _lose(self, at: float) -> None:
        """Calls that nothing was heard of are no longer live, but they are not forgotten: they are `lost`."""
        limit = at - self.config.lost_after_s
        for call in [call for call in self.roster.live.values() if call.seen < limit]:
            self._end(call, min(call.seen, at), "lost")

    # -- events -------------------------------------------------------------------------------------------------

    def apply(self, batch: Batch) -> None:
        """Fold events in their order; what was measured in turns is counted at the end, all at once.

        The loop is the engine's hot path: what nearly every turn needs stands in it, the rest is called.
        """
        turns, owners, untold = self._turns, self._owners, self._untold
        live = self.roster.live.get
        skewed, keep, told = self.feed.skewed, not self.roster.full, 0
        ts = 0.0
        event: Any  # told apart by its kind below, once for each event
        for event, at in zip(batch.events, batch.at, strict=True):
            ts = event.ts
            if skewed:
                ts = self.feed.correct(event)
            ts = min(ts, at)
            kind = type(event)
            if kind is Turn:
                call = live(event.call_id) or self._owner(event, ts, at)
                call.seen = at
                call.turns += 1
                turn, e2e = event.turn, event.e2e_ms
                if turn >= call.turn:
                    call.turn = turn
                    if e2e == e2e:
                        call.e2e = e2e
                if call.wait_since and (turn >= call.wait_turn or turn < 0):
                    if e2e != e2e and event.status != "cancelled":
                        self.ledger.observe_wait(call, ts, (ts - call.wait_since) * 1000)
                    call.wait_since = 0.0
                    call.stage = ""
                if event.step and event.step != call.step:
                    self._reach(call, event.step, ts)
                words = event.user_text
                if words:
                    before = call.last_words
                    if words[:4] == before[:4] and frustration.repeats(words, before):
                        call.repeats += 1
                        call.mood, call.mood_of = frustration.score(call)
                    call.last_words = words
                if e2e > frustration.PATIENCE_MS:
                    call.slow_ms += e2e - frustration.PATIENCE_MS
                    call.mood, call.mood_of = frustration.score(call)
                if event.measured_from and event.measured_from != call.measured_from:
                    call.measured_from = intern(event.measured_from)
                if ts != event.ts:
                    force_setattr(event, "ts", ts)
                if keep or call.errors:
                    call.story.append(event)
                    told += 1
                else:
                    untold.append(len(turns))
                turns.append(event)
                owners.append(call)
            elif kind is TurnStart:
                call = live(event.call_id) or self._owner(event, ts, at)
                call.seen = at
                if (event.turn > call.turn or event.turn < 0) and not call.ended:
                    call.wait_since, call.wait_turn = ts, event.turn
                    call.stage = call.provider = ""
            else:
                _HANDLERS[kind](self, event, ts, at)
        self.feed.events += len(batch.events)
        if batch.events:
            self._measure_lag(batch, ts)
        self.roster.told += told
        self._count_turns()

    def _measure_lag(self, batch: Batch, ts: float) -> None:
        """How long the last event took to come; `ts` is its time. What a person notes is about a moment of before."""
        last = len(batch.events) - 1
        if type(batch.events[last]) is Operator:
            told = [n for n, event in enumerate(batch.events) if type(event) is not Operator]
            if not told:
                return
            last = told[-1]
            event = batch.events[last]
            ts = min(event.ts if type(event) is Turn else self.feed.correct(event), batch.at[last])
        self.feed.lag = max(0.0, batch.at[last] - ts)

    def _count_turns(self) -> None:
        """Count the turns met so far: at the end of a batch, and before anything asks in which cell they count."""
        if self._turns:
            self.replies += len(self._turns)
            self.ledger.observe_turns(self._turns, self._owners, self._untold)
            self._turns.clear()
            self._owners.clear()
            self._untold.clear()

    def _owner(self, event: Any, ts: float, at: float) -> Call:
        """The call of an event whose call isn't live: an ended one, or one whose start we missed."""
        return self.roster.find(event.call_id) or self._begin(event.call_id, event.source, ts, at)

    def _begin(self, call_id: str, source: str, ts: float, at: float) -> Call:
        call = Call(call_id=call_id, started=ts, seen=at, source=intern(source))
        self.roster.live[call_id] = call
        self.ledger.place(call)
        self.ledger.mark(call, "started", ts)
        return call

    def _start(self, event: CallStart, ts: float, at: float) -> None:
        call = self.roster.find(event.call_id)
        if call is None:
            call = self._begin(event.call_id, event.source, ts, at)
        elif not call.live:
            return
        call.seen = at
        if ts < call.started:
            call.started = ts
            self.ledger.mark(call, "started", ts)
        call.caller = event.caller or call.caller
        patch = dict(event.segments)
        if event.agent is not None and event.agent.version:
            patch.setdefault("version", event.agent.version)
        self._patch(call, patch, ts)
        self.roster.tell(call, event)

    def _update(self, event: CallUpdate, ts: float, at: float) -> None:
        call = self._owner(event, ts, at)
        call.seen = at
        if event.state and call.live:
            call.state = event.state
            if event.state in ("held", "transferring"):
                call.wait_since = 0.0
        self._patch(call, event.segments, ts)
        self.roster.tell(call, event)

    def _patch(self, call: Call, segments: dict[str, Scalar], ts: float) -> None:
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
            if call.turns and any(owner is call for owner in self._owners):
                self._count_turns()
            self.ledger.replace(call)

    def _step(self, event: CallStep, ts: float, at: float) -> None:
        call = self._owner(event, ts, at)
        call.seen = at
        self._reach(call, event.step, ts)
        self.roster.tell(call, event)

    def _reach(self, call: Call, step: str, ts: float) -> None:
        call.step = intern(step)
        if f"step:{step}" not in call.marks:
            self.ledger.mark(call, f"step:{step}", ts)

    def _stage(self, event: Stage, ts: float, at: float) -> None:
        call = self.roster.live.get(event.call_id)
        if call is None:
            self.feed.strangers += self.roster.find(event.call_id) is None
            return
        call.seen = at
        if event.state == "start":
            call.stage, call.stage_since, call.provider = event.name, ts, event.provider
            if event.name == "vad":  # the caller speaks again, and waits no more
                call.wait_since = 0.0
        elif call.stage == event.name and event.state == "end":
            call.stage = ""

    def _tool(self, event: Tool, ts: float, at: float) -> None:
        call = self._owner(event, ts, at)
        call.seen = at
        if event.state == "start" and call.live:
            call.stage, call.stage_since, call.provider = "tool", ts, event.name
        elif call.stage == "tool":
            call.stage = ""
        self.roster.tell(call, event)

    def _error(self, event: Error, ts: float, at: float) -> None:
        call = self._owner(event, ts, at)
        call.seen = at
        self.roster.tell(call, event)
        if not event.final:
            call.retries += 1
            self.ledger.mark(call, "retried", ts)
            return
        call.errors += 1
        self.failures += 1
        self.ledger.taps.add(f"fault:{event.component}:{event.category}", call.cell, 1)
        for kind in ("error", f"error:{event.component}:{event.category}"):
            held = call.marks.get(kind)
            if held is None or held.ts <= ts:
                self.ledger.mark(call, kind, ts)
        if not call.live:
            self.roster.refile(call)

    def _interruption(self, event: Interruption, ts: float, at: float) -> None:
        call = self._owner(event, ts, at)
        call.seen = at
        self.roster.tell(call, event)
        if event.by == "user" and not event.false_positive and not event.backchannel:
            call.barge_ins += 1
            self.ledger.mark(call, "barge_ins", ts, call.barge_ins)
            call.mood, call.mood_of = frustration.score(call)

    def _audio(self, event: Audio, ts: float, at: float) -> None:
        call = self.roster.live.get(event.call_id)
        if call is None:
            self.feed.strangers += self.roster.find(event.call_id) is None
            return
        call.seen = at
        self.roster.tell(call, event)
        if event.role == "user":
            if call.voice is None:
                call.voice = VoiceLevels()
            self.ledger.taps.voice.append((call.cell, event.speech_rate_wpm, event.loudness_dbfs))
            frustration.hear(call.voice, event.speech_rate_wpm, event.loudness_dbfs)
            call.mood, call.mood_of = frustration.score(call)

    def _usage(self, event: Usage, ts: float, at: float) -> None:
        call = self.roster.find(event.call_id)
        if call is None:
            self.feed.strangers += 1
            return
        priced = micro_dollars(event, self.config.prices)
        if priced is not None:
            micro, guessed = priced
            key = f"{event.component}/{event.provider}/{event.model}"
            if key not in call.spent and len(call.spent) >= MOST_SPENT:
                key = "other//"
            spent = micro + (0 if event.cumulative else call.spent.get(key, 0))
            call.spent[key] = max(-MOST_MICRO, min(spent, MOST_MICRO))
            call.guessed |= guessed
            call.priced = True
        if call.live:
            call.seen = at
        else:
            self._settle(call)

    def _service(self, event: Service, ts: float, at: float) -> None:
        call = self.roster.find(event.call_id)
        if call is None:
            self.feed.strangers += 1
            return
        if call.live:
            call.seen = at
        self.roster.tell(call, event)

    # -- ends ---------------------------------------------------------------------------------------------------

    def _call_end(self, event: CallEnd, ts: float, at: float) -> None:
        call = self.roster.live.get(event.call_id)
        if call is None:
            self._end_again(event)
            return
        self.roster.tell(call, event)
        call.party = event.party
        if event.step:
            self._reach(call, event.step, ts)
        if event.duration_s == event.duration_s and event.duration_s >= 0:
            call.started = min(call.started, ts - event.duration_s)
        self._end(call, ts, event.reason)

    def _end_again(self, event: CallEnd) -> None:
        """A call that was lost and is told to have ended after all has its true reason; others have it already."""
        call = self.roster.find(event.call_id)
        if call is None:
            self.feed.strangers += 1
        elif call.state == "lost":
            call.state, call.reason, call.party = "ended", event.reason, event.party
            self._decide_abandonment(call)
            self._settle(call)

    def _end(self, call: Call, ts: float, reason: str) -> None:
        if call.wait_since and ts > call.wait_since:
            self.ledger.observe_wait(call, ts, (ts - call.wait_since) * 1000)
        call.slow_ms += frustration._going_on(call, ts)
        call.mood, call.mood_of = frustration.score(call)
        call.wait_since = 0.0
        self.ledger.leave(call)
        call.state = "lost" if reason == "lost" else "ended"
        call.ended, call.reason, call.left_at = max(ts, call.started), reason, call.step
        self._decide_abandonment(call)
        if call.abandoned < 0:
            self.ledger.taps.add(f"hangup:{call.left_at or 'unknown step'}", call.cell, 1)
        self.roster.retire(call)
        self._settle(call)

    def _decide_abandonment(self, call: Call) -> None:
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

    def _settle(self, call: Call) -> None:
        outcomes.settle(call, self.ledger)
        self.roster.refile(call)

    def _outcome(self, event: CallOutcome, ts: float, at: float) -> None:
        call = self.roster.find(event.call_id)
        if call is None:
            self.feed.strangers += 1
            return
        held = call.opinions.get(event.evaluator) or Evaluation(ts)
        unheard = event.evaluator not in call.opinions
        if ts < held.at or (unheard and len(call.opinions) >= MOST_OPINIONS):
            return
        call.opinions[event.evaluator] = _opinion(event, ts, held)
        if event.compliance_violation and not call.violation:
            what = event.label or event.reason
            self.ledger.taps.urgent.append(Urgency("compliance", "violation", what, "", call.call_id, ts))
        call.violation |= event.compliance_violation
        self.roster.tell(call, event)
        if call.live:
            return
        if ts <= call.ended + self.config.grace_s:
            self._decide_abandonment(call)
        self._settle(call)

    # -- the world ----------------------------------------------------------------------------------------------

    def _marker(self, event: Marker, ts: float, at: float) -> None:
        self.markers = [*self.markers[-KEPT_MARKERS + 1 :], event]

    def _security(self, event: Security, ts: float, at: float) -> None:
        self.security = [*self.security[-KEPT_MARKERS + 1 :], event]
        self.ledger.taps.urgent.append(
            Urgency("security", event.kind, event.label, event.severity, event.call_id, ts)
        )

    def _operator(self, event: Operator, ts: float, at: float) -> None:
        if ts != event.ts:
            force_setattr(event, "ts", ts)
        self.operators = [*self.operators[-KEPT_MARKERS + 1 :], event]
        self.operated += 1

    def _capacity(self, event: Capacity, ts: float, at: float) -> None:
        self.load.limit, self.load.tested_at = event.limit, event.tested_at

    def _status(self, event: SourceStatus, ts: float, at: float) -> None:
        self.feed.heard(event, at)

    def _gap(self, event: Gap, ts: float, at: float) -> None:
        self.feed.gaps += 1
        self.feed.missed += max(0, event.to_seq - event.from_seq + 1)

    def _nothing(self, event: Event, ts: float, at: float) -> None:
        """Kept in recordings, not folded here: benchmark runs, malformed payloads (counted by the codec)."""


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


def _opinion(event: CallOutcome, ts: float, held: Evaluation) -> Evaluation:
    success = held.success
    if event.success is None or isinstance(event.success, bool):
        success = 2 if event.success is None else int(event.success)
    return Evaluation(
        at=ts,
        success=success,
        sentiment=event.sentiment if event.sentiment == event.sentiment else held.sentiment,
        escalated=held.escalated if event.escalated is None else event.escalated,
        label=event.label or held.label,
        reason=event.reason or held.reason,
    )


_HANDLERS: dict[type[Event], Callable[[Engine, Any, float, float], None]] = {
    CallStart: Engine._start,
    CallUpdate: Engine._update,
    CallStep: Engine._step,
    Stage: Engine._stage,
    Tool: Engine._tool,
    Error: Engine._error,
    Interruption: Engine._interruption,
    Usage: Engine._usage,
    Service: Engine._service,
    Audio: Engine._audio,
    CallEnd: Engine._call_end,
    CallOutcome: Engine._outcome,
    Marker: Engine._marker,
    Security: Engine._security,
    Capacity: Engine._capacity,
    Benchmark: Engine._nothing,
    Operator: Engine._operator,
    SourceStatus: Engine._status,
    Gap: Engine._gap,
    Malformed: Engine._nothing,
}


HANDLED: frozenset[type[Event]] = frozenset([*_HANDLERS, Turn, TurnStart])
"""The kinds of event that have a home here."""
