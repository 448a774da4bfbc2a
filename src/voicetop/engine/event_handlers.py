"""Handlers for every event type except turns, whose hot path is in `Engine.apply`.

Every handler gets the event, its corrected time `ts` and its stamp `at` (epoch s).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import force_setattr

from voicetop.engine import frustration
from voicetop.engine.calls import Evaluation, VoiceLevels
from voicetop.engine.pricing import micro_dollars
from voicetop.engine.state import EngineState
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
    Security,
    Service,
    SourceStatus,
    Stage,
    Tool,
    Usage,
)

MAX_MARKERS = 200
MAX_SPENT, MAX_OPINIONS = 64, 16
"""Maximum number of models and of evaluators per call, to bound memory."""
MAX_MICRO = 10**12
"""Maximum micro-dollars per call and model: a million dollars, so that sums can't overflow."""


def start(state: EngineState, event: CallStart, ts: float, at: float) -> None:
    call = state.roster.find(event.call_id)
    if call is None:
        call = state.begin(event.call_id, event.source, ts, at)
    elif not call.live:
        return
    call.seen = at
    if ts < call.started:
        call.started = ts
        state.ledger.mark(call, "started", ts)
    call.caller = event.caller or call.caller
    patch = dict(event.segments)
    if event.agent is not None and event.agent.version:
        patch.setdefault("version", event.agent.version)
    state.patch(call, patch, ts)
    state.roster.record(call, event)


def update(state: EngineState, event: CallUpdate, ts: float, at: float) -> None:
    call = state.call_of(event, ts, at)
    call.seen = at
    if event.state and call.live:
        call.state = event.state
        if event.state in ("held", "transferring"):
            state.end_wait(call, ts)
    state.patch(call, event.segments, ts)
    state.roster.record(call, event)


def step(state: EngineState, event: CallStep, ts: float, at: float) -> None:
    call = state.call_of(event, ts, at)
    call.seen = at
    state.reach(call, event.step, ts)
    state.roster.record(call, event)


def stage(state: EngineState, event: Stage, ts: float, at: float) -> None:
    call = state.roster.live.get(event.call_id)
    if call is None:
        state.find_call(event)
        return
    call.seen = at
    if event.state == "start":
        call.stage, call.stage_since, call.provider = event.name, ts, event.provider
        if event.name == "vad":  # the caller speaks again and no longer waits
            state.end_wait(call, ts)
    elif call.stage == event.name and event.state == "end":
        call.stage = ""


def tool(state: EngineState, event: Tool, ts: float, at: float) -> None:
    call = state.call_of(event, ts, at)
    call.seen = at
    if event.state == "start" and call.live:
        call.stage, call.stage_since, call.provider = "tool", ts, event.name
    elif call.stage == "tool":
        call.stage = ""
    state.roster.record(call, event)


def error(state: EngineState, event: Error, ts: float, at: float) -> None:
    call = state.call_of(event, ts, at)
    call.seen = at
    state.roster.record(call, event)
    if not event.final:
        call.retries += 1
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
    call = state.roster.live.get(event.call_id)
    if call is None:
        state.find_call(event)
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
        spent = micro + (0 if event.cumulative else call.spent.get(key, 0))
        call.spent[key] = max(-MAX_MICRO, min(spent, MAX_MICRO))
        call.guessed |= estimated
        call.priced = True
    if call.live:
        call.seen = at
    else:
        state.settle(call)


def service(state: EngineState, event: Service, ts: float, at: float) -> None:
    call = state.find_call(event)
    if call is None:
        return
    if call.live:
        call.seen = at
    state.roster.record(call, event)


def call_end(state: EngineState, event: CallEnd, ts: float, at: float) -> None:
    call = state.roster.live.get(event.call_id)
    if call is None:
        _end_lost_call(state, event)
        return
    state.roster.record(call, event)
    call.party = event.party
    if event.step:
        state.reach(call, event.step, ts)
    if known(event.duration_s) and event.duration_s >= 0:
        call.started = min(call.started, ts - event.duration_s)
    state.end(call, ts, event.reason)


def _end_lost_call(state: EngineState, event: CallEnd) -> None:
    """Give a lost call its true reason when its end arrives after all."""
    call = state.find_call(event)
    if call is not None and call.state == "lost":
        call.state, call.reason, call.party = "ended", event.reason, event.party
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
    state.load.limit, state.load.tested_at = event.limit, event.tested_at


def source_status(state: EngineState, event: SourceStatus, ts: float, at: float) -> None:
    state.feed.record_status(event, at)


def gap(state: EngineState, event: Gap, ts: float, at: float) -> None:
    state.feed.gaps += 1
    state.feed.missed += max(0, event.to_seq - event.from_seq + 1)


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
    Stage: stage,
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
}
