"""What each kind of event changes, but for turns: those are the hot path and stand in `Engine.apply`.

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

KEPT_MARKERS = 200
MOST_SPENT, MOST_OPINIONS = 64, 16
"""How many models and evaluators of each one call may have: what goes beyond is nonsense, and costs bounded memory."""
MOST_MICRO = 10**12
"""Micro-dollars that one call may spend on one model: a million dollars, so that no sum can overflow."""


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
    state.roster.tell(call, event)


def update(state: EngineState, event: CallUpdate, ts: float, at: float) -> None:
    call = state.owner(event, ts, at)
    call.seen = at
    if event.state and call.live:
        call.state = event.state
        if event.state in ("held", "transferring"):
            call.wait_since = 0.0
    state.patch(call, event.segments, ts)
    state.roster.tell(call, event)


def step(state: EngineState, event: CallStep, ts: float, at: float) -> None:
    call = state.owner(event, ts, at)
    call.seen = at
    state.reach(call, event.step, ts)
    state.roster.tell(call, event)


def stage(state: EngineState, event: Stage, ts: float, at: float) -> None:
    call = state.roster.live.get(event.call_id)
    if call is None:
        state.known(event)
        return
    call.seen = at
    if event.state == "start":
        call.stage, call.stage_since, call.provider = event.name, ts, event.provider
        if event.name == "vad":  # the caller speaks again, and waits no more
            call.wait_since = 0.0
    elif call.stage == event.name and event.state == "end":
        call.stage = ""


def tool(state: EngineState, event: Tool, ts: float, at: float) -> None:
    call = state.owner(event, ts, at)
    call.seen = at
    if event.state == "start" and call.live:
        call.stage, call.stage_since, call.provider = "tool", ts, event.name
    elif call.stage == "tool":
        call.stage = ""
    state.roster.tell(call, event)


def error(state: EngineState, event: Error, ts: float, at: float) -> None:
    call = state.owner(event, ts, at)
    call.seen = at
    state.roster.tell(call, event)
    if not event.final:
        call.retries += 1
        state.ledger.mark(call, "retried", ts)
        return
    call.errors += 1
    state.failures += 1
    state.ledger.taps.add(f"fault:{event.component}:{event.category}", call.cell, 1)
    for kind in ("error", f"error:{event.component}:{event.category}"):
        held = call.marks.get(kind)
        if held is None or held.ts <= ts:
            state.ledger.mark(call, kind, ts)
    if not call.live:
        state.roster.refile(call)


def interruption(state: EngineState, event: Interruption, ts: float, at: float) -> None:
    call = state.owner(event, ts, at)
    call.seen = at
    state.roster.tell(call, event)
    if event.by == "user" and not event.false_positive and not event.backchannel:
        call.barge_ins += 1
        state.ledger.mark(call, "barge_ins", ts, call.barge_ins)
        frustration.update(call)


def audio(state: EngineState, event: Audio, ts: float, at: float) -> None:
    call = state.roster.live.get(event.call_id)
    if call is None:
        state.known(event)
        return
    call.seen = at
    state.roster.tell(call, event)
    if event.role == "user":
        if call.voice is None:
            call.voice = VoiceLevels()
        state.ledger.taps.voice.append((call.cell, event.speech_rate_wpm, event.loudness_dbfs))
        frustration.hear(call.voice, event.speech_rate_wpm, event.loudness_dbfs)
        frustration.update(call)


def usage(state: EngineState, event: Usage, ts: float, at: float) -> None:
    call = state.known(event)
    if call is None:
        return
    priced = micro_dollars(event, state.config.prices)
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
        state.settle(call)


def service(state: EngineState, event: Service, ts: float, at: float) -> None:
    call = state.known(event)
    if call is None:
        return
    if call.live:
        call.seen = at
    state.roster.tell(call, event)


def call_end(state: EngineState, event: CallEnd, ts: float, at: float) -> None:
    call = state.roster.live.get(event.call_id)
    if call is None:
        _end_again(state, event)
        return
    state.roster.tell(call, event)
    call.party = event.party
    if event.step:
        state.reach(call, event.step, ts)
    if known(event.duration_s) and event.duration_s >= 0:
        call.started = min(call.started, ts - event.duration_s)
    state.end(call, ts, event.reason)


def _end_again(state: EngineState, event: CallEnd) -> None:
    """A call that was lost and is told to have ended after all has its true reason; others have it already."""
    call = state.known(event)
    if call is not None and call.state == "lost":
        call.state, call.reason, call.party = "ended", event.reason, event.party
        state.decide_abandonment(call)
        state.settle(call)


def outcome(state: EngineState, event: CallOutcome, ts: float, at: float) -> None:
    call = state.known(event)
    if call is None:
        return
    held = call.opinions.get(event.evaluator) or Evaluation(ts)
    unheard = event.evaluator not in call.opinions
    if ts < held.at or (unheard and len(call.opinions) >= MOST_OPINIONS):
        return
    call.opinions[event.evaluator] = _opinion(event, ts, held)
    if event.compliance_violation and not call.violation:
        what = event.label or event.reason
        state.ledger.taps.urgent.append(Urgency("compliance", "violation", what, "", call.call_id, ts))
    call.violation |= event.compliance_violation
    state.roster.tell(call, event)
    if call.live:
        return
    if ts <= call.ended + state.config.grace_s:
        state.decide_abandonment(call)
    state.settle(call)


def marker(state: EngineState, event: Marker, ts: float, at: float) -> None:
    state.markers = [*state.markers[-KEPT_MARKERS + 1 :], event]


def security(state: EngineState, event: Security, ts: float, at: float) -> None:
    state.security = [*state.security[-KEPT_MARKERS + 1 :], event]
    state.ledger.taps.urgent.append(
        Urgency("security", event.kind, event.label, event.severity, event.call_id, ts)
    )


def operator(state: EngineState, event: Operator, ts: float, at: float) -> None:
    if ts != event.ts:
        force_setattr(event, "ts", ts)
    state.operators = [*state.operators[-KEPT_MARKERS + 1 :], event]
    state.operated += 1


def capacity(state: EngineState, event: Capacity, ts: float, at: float) -> None:
    state.load.limit, state.load.tested_at = event.limit, event.tested_at


def source_status(state: EngineState, event: SourceStatus, ts: float, at: float) -> None:
    state.feed.heard(event, at)


def gap(state: EngineState, event: Gap, ts: float, at: float) -> None:
    state.feed.gaps += 1
    state.feed.missed += max(0, event.to_seq - event.from_seq + 1)


def nothing(state: EngineState, event: Event, ts: float, at: float) -> None:
    """Kept in recordings, not folded here: benchmark runs, malformed payloads (counted by the codec)."""


def _opinion(event: CallOutcome, ts: float, held: Evaluation) -> Evaluation:
    success = held.success
    if event.success is None or isinstance(event.success, bool):
        success = 2 if event.success is None else int(event.success)
    return Evaluation(
        at=ts,
        success=success,
        sentiment=event.sentiment if known(event.sentiment) else held.sentiment,
        escalated=held.escalated if event.escalated is None else event.escalated,
        label=event.label or held.label,
        reason=event.reason or held.reason,
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
    Benchmark: nothing,
    Operator: operator,
    SourceStatus: source_status,
    Gap: gap,
    Malformed: nothing,
}
