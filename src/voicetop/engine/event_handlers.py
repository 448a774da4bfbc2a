"""Handlers for every event type except turns, whose hot path is in `Engine.apply`.

Every handler gets the event, its corrected time `ts` and its stamp `at` (epoch s).
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from msgspec.structs import force_setattr

from voicetop.engine import frustration
from voicetop.engine.calls import TERMINAL_STATES, Call, Evaluation, RunningTotal, VoiceLevels
from voicetop.engine.lifecycle.lost_calls import PARKED
from voicetop.engine.lifecycle.turn_order import begins_wait
from voicetop.engine.pricing import micro_dollars
from voicetop.engine.state import AGAIN_S, EngineState
from voicetop.engine.tick import Urgency
from voicetop.formatting.numbers import known
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
    Repaired,
    Security,
    Service,
    SourceStatus,
    Stage,
    Tool,
    Transcript,
    TurnStart,
    Usage,
)

MAX_MARKERS = 200
MAX_SPENT, MAX_OPINIONS = 64, 16
"""Maximum number of models and of evaluators per call, to bound memory."""
MAX_MICRO = 10**12
"""Maximum micro-dollars per call and model: a million dollars, so that sums can't overflow."""


def start(state: EngineState, event: CallStart, ts: float, at: float) -> None:
    earlier = state.roster.find(event.call_id)
    again = earlier is not None and earlier.announced and ts > earlier.started
    call = state.call_of(event, ts, at, 0.0 if again else inf)
    call.seen, call.announced = at, True
    if call.live and ts >= call.state_at:
        call.state, call.state_at = "active" if call.state == "ringing" else call.state, ts
    if ts < call.started:
        call.started = ts
        state.ledger.mark(call, "started", ts)
        if not call.live:
            state.settle(call)
    call.caller = event.caller or call.caller
    patch = dict(event.segments)
    if event.agent is not None and event.agent.version:
        patch.setdefault("version", event.agent.version)
    state.patch(call, patch, ts)
    state.roster.record(call, event)


def update(state: EngineState, event: CallUpdate, ts: float, at: float) -> None:
    call = state.call_of(event, ts, at, AGAIN_S if event.state else inf)
    call.seen = at
    if event.state in TERMINAL_STATES:
        state.feed.ignore(event.source, "not a state")
    elif event.state and call.live and ts >= call.state_at:
        call.state, call.state_at = event.state, ts
        if event.state in PARKED:
            state.end_wait(call, ts)
    state.patch(call, event.segments, ts)
    state.roster.record(call, event)


def step(state: EngineState, event: CallStep, ts: float, at: float) -> None:
    call = state.call_of(event, ts, at)
    call.seen = at
    state.reach(call, event.step, ts)
    state.roster.record(call, event)


def turn_start(state: EngineState, event: TurnStart, ts: float, at: float) -> None:
    call = state.roster.live.get(event.call_id) or state.call_of(event, ts, at, AGAIN_S)
    call.seen = at
    if begins_wait(state, call, event, ts):
        if 0.0 < call.wait_since < at // 60 * 60:
            state.remember_wait(call, ts)
        call.wait_since, call.wait_turn = ts, event.turn
        call.stage = call.provider = ""
        call.state, call.state_at = "active", ts


def stage(state: EngineState, event: Stage, ts: float, at: float) -> None:
    call = state.live_call(event)
    if call is None:
        return
    call.seen = at
    if event.name == "vad" and event.state == "start":  # the caller speaks again and no longer waits
        if ts < call.wait_since:
            return
        state.end_wait(call, ts)
    if event.state == "start":
        call.stage, call.stage_since, call.provider = event.name, ts, event.provider
    elif call.stage == event.name and event.state == "end":
        call.stage = ""


def tool(state: EngineState, event: Tool, ts: float, at: float) -> None:
    call = state.call_of(event, ts, at)
    call.seen = at
    if event.state == "start":
        if call.live and ts >= call.stage_since:
            call.stage, call.stage_since, call.provider = "tool", ts, event.name
    elif call.stage in ("tool", ""):
        call.stage, call.stage_since = "", max(call.stage_since, ts)
    state.roster.record(call, event)


def error(state: EngineState, event: Error, ts: float, at: float) -> None:
    call = state.call_of(event, ts, at)
    call.seen = at
    state.roster.record(call, event)
    if not event.final:
        state.ledger.mark(call, "retried", ts)
        return
    call.errors += 1
    state.failures += 1
    before = call.marks.get("error")
    if before is not None and before.ts != ts:
        state.ledger.remember_error(call, before.ts, ts)
    state.ledger.tick_counters.add(f"fault:{event.component}:{event.category}", call.cell, 1)
    kind = f"{event.component}:{event.category}"
    state.ledger.mark_hour(call, kind, ts)
    for name in ("error", f"error:{kind}"):
        mark = call.marks.get(name)
        if mark is None or mark.ts <= ts:
            state.ledger.mark(call, name, ts)
    if not call.live:
        state.roster.refile(call)


def interruption(state: EngineState, event: Interruption, ts: float, at: float) -> None:
    call = state.call_of(event, ts, at)
    call.seen = at
    state.roster.record(call, event)
    if event.by == "user" and not event.false_positive and not event.backchannel:
        call.barge_ins += 1
        state.ledger.mark_again(call, "barge_ins", ts)
        frustration.update(call)


def audio(state: EngineState, event: Audio, ts: float, at: float) -> None:
    call = state.live_call(event)
    if call is None:
        return
    call.seen = at
    state.roster.record(call, event)
    if event.role == "user":
        if call.voice is None:
            call.voice = VoiceLevels()
        state.ledger.tick_counters.voice.append((call.cell, event.speech_rate_wpm, event.loudness_dbfs))
        frustration.add_utterance(call.voice, event.speech_rate_wpm, event.loudness_dbfs)
        frustration.update(call)


def usage(state: EngineState, event: Usage, ts: float, at: float) -> None:
    call = state.find_call(event)
    if call is None:
        return
    priced = micro_dollars(event, state.config.prices)
    if priced is not None:
        micro, estimated = priced
        key = f"{event.component}/{event.provider}/{event.model}"
        if key not in call.spent and len(call.spent) >= MAX_SPENT:
            key = "other//"
        spent = call.spent.get(key, 0) + (_increase(call, key, micro, ts) if event.cumulative else micro)
        call.spent[key] = max(-MAX_MICRO, min(spent, MAX_MICRO))
        call.guessed |= estimated
        call.priced = True
    if call.live:
        call.seen = at
    else:
        state.settle(call)


def _increase(call: Call, key: str, micro: int, ts: float) -> int:
    """What a cumulative cost adds. One that falls began again at zero, as in a restarted agent."""
    before, micro = call.totals.get(key), max(0, micro)
    if before is None:
        call.totals[key] = RunningTotal(micro, ts)
        return micro - call.spent.get(key, 0)
    if ts < before.at:
        return 0
    added = micro - before.micro if micro >= before.micro else micro
    before.micro, before.at = micro, ts
    return added


def service(state: EngineState, event: Service, ts: float, at: float) -> None:
    call = state.find_call(event)
    if call is None:
        return
    if call.live:
        call.seen = at
    state.roster.record(call, event)


def call_end(state: EngineState, event: CallEnd, ts: float, at: float) -> None:
    call = state.find_call(event)
    if call is None:
        state.roster.note_early_end(event, ts)
        return
    if call.state == "lost":
        state.revive(call)
    if call.live:
        state.end_by(event, call, ts)
    else:
        _end_again(state, call, event, ts)


_VAGUE = {"": 0, "unknown": 0, "completed": 1, "cancelled": 1, "error": 1}
"""How much a reason says that isn't as good as the others, of which the later is better."""


def _end_again(state: EngineState, call: Call, event: CallEnd, ts: float) -> None:
    """A better reason for a call that ended: a platform's own comes after the agent's."""
    new, old = _VAGUE.get(event.reason, 2), _VAGUE.get(call.reason, 2)
    better = new > old or (new == old == 2 and event.reason != call.reason)
    if not better or ts > call.ended + state.config.grace_s:
        return
    state.roster.record(call, event)
    call.reason = event.reason
    call.party = event.party or call.party
    state.decide_abandonment(call)
    state.settle(call)


def outcome(state: EngineState, event: CallOutcome, ts: float, at: float) -> None:
    call = state.find_call(event)
    if call is None:
        return
    previous = call.opinions.get(event.evaluator) or Evaluation(ts)
    new_evaluator = event.evaluator not in call.opinions
    if ts < previous.at or (new_evaluator and len(call.opinions) >= MAX_OPINIONS):
        return
    call.opinions[event.evaluator] = _evaluation(event, ts, previous)
    if event.compliance_violation and not call.violation:
        label = event.label or event.reason
        state.ledger.tick_counters.urgent.append(
            Urgency("compliance", "violation", label, "", call.call_id, ts)
        )
    call.violation |= event.compliance_violation
    state.roster.record(call, event)
    if call.live:
        return
    if ts <= call.ended + state.config.grace_s:
        state.decide_abandonment(call)
    state.settle(call)


def marker(state: EngineState, event: Marker, ts: float, at: float) -> None:
    state.markers = [*state.markers[-MAX_MARKERS + 1 :], event]


def security(state: EngineState, event: Security, ts: float, at: float) -> None:
    state.security = [*state.security[-MAX_MARKERS + 1 :], event]
    state.ledger.tick_counters.urgent.append(
        Urgency("security", event.kind, event.label, event.severity, event.call_id, ts)
    )


def operator(state: EngineState, event: Operator, ts: float, at: float) -> None:
    if ts != event.ts:
        force_setattr(event, "ts", ts)
    state.operators = [*state.operators[-MAX_MARKERS + 1 :], event]
    state.operated += 1


def capacity(state: EngineState, event: Capacity, ts: float, at: float) -> None:
    state.load.set_limit(event)


def source_status(state: EngineState, event: SourceStatus, ts: float, at: float) -> None:
    state.feed.record_status(event, at)


def gap(state: EngineState, event: Gap, ts: float, at: float) -> None:
    state.feed.gaps += 1
    state.feed.missed += max(0, event.to_seq - event.from_seq + 1)


def transcript(state: EngineState, event: Transcript, ts: float, at: float) -> None:
    call = state.call_of(event, ts, at)
    call.seen = at
    if event.role == "user" and ts > call.replied:
        call.heard = event.text
    if event.final:
        state.roster.record(call, event)


def ignore(state: EngineState, event: Event, ts: float, at: float) -> None:
    """Benchmark runs and malformed payloads (counted by the codec) don't change the state."""


def _evaluation(event: CallOutcome, ts: float, previous: Evaluation) -> Evaluation:
    success = previous.success
    if event.success is None or isinstance(event.success, bool):
        success = 2 if event.success is None else int(event.success)
    return Evaluation(
        at=ts,
        success=success,
        sentiment=event.sentiment if known(event.sentiment) else previous.sentiment,
        escalated=previous.escalated if event.escalated is None else event.escalated,
        label=event.label or previous.label,
        reason=event.reason or previous.reason,
    )


HANDLERS: dict[type[Event], Callable[[EngineState, Any, float, float], None]] = {
    CallStart: start,
    CallUpdate: update,
    CallStep: step,
    TurnStart: turn_start,
    Stage: stage,
    Transcript: transcript,
    Tool: tool,
    Error: error,
    Interruption: interruption,
    Usage: usage,
    Service: service,
    Audio: audio,
    CallEnd: call_end,
    CallOutcome: outcome,
    Marker: marker,
    Security: security,
    Capacity: capacity,
    Benchmark: ignore,
    Operator: operator,
    SourceStatus: source_status,
    Gap: gap,
    Malformed: ignore,
    Repaired: ignore,
}
