"""One call in full: its turns, each with the events that belong to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from voicetop.engine import frustration
from voicetop.engine.calls import Call
from voicetop.engine.snapshot import NAN, CallDetail, CallEventItem, KnownSegment, TurnRow
from voicetop.engine.waiting import Waits
from voicetop.formatting import labels
from voicetop.formatting.numbers import known
from voicetop.views import call_list
from voicetop.wire.events import (
    NOTING,
    AnyEvent,
    Audio,
    CallEnd,
    CallOutcome,
    CallStart,
    CallStep,
    CallUpdate,
    Error,
    Event,
    Interruption,
    Operator,
    Service,
    Tool,
    Turn,
)

STAGES = (
    "vad", "stt", "eou", "hook", "llm_ttft", "tool", "aggregation", "tts_ttfb", "tts_leading_silence", "output",
)  # fmt: skip
"""Stages in sequence; `llm_total` runs alongside them and is not part of the sum."""


def detail(call: Call, waits: Waits, stuck_after: float, acts: Sequence[Operator] = ()) -> CallDetail:
    """Everything known about a call; `acts` are what people did about it."""
    turns, before = _turns_of(call, waits, acts)
    start = next((event for event in call.story if type(event) is CallStart), None)
    signals = frustration.signals(call, waits.seconds(call))
    return CallDetail(
        row=call_list.row_of(call, waits, stuck_after),
        started=call.started,
        source=call.source,
        direction=start.direction if start is not None else "",
        platform=start.platform if start is not None else "",
        trace_id=next((event.trace_id for event in call.story if event.trace_id), ""),
        turns=turns,
        before=before,
        segments=tuple(
            KnownSegment(n, v, call.known_at.get(n, call.started)) for n, v in sorted(call.segments.items())
        ),
        spent=tuple((name, micro / 1e6) for name, micro in call.spent.items()),
        signals=tuple(signals.items()),
        weights=tuple(frustration.WEIGHTS.items()),
        opinions=tuple(
            (who, _opinion(o.success, o.sentiment, o.label or o.reason)) for who, o in call.opinions.items()
        ),
        whole=not call.observed or not call.turns,
    )


def _opinion(success: int, sentiment: float, label: str) -> str:
    parts = [{1: "success", 0: "no success", 2: "unknown"}.get(success, "")]
    if known(sentiment):
        parts.append(f"sentiment {sentiment:.0f} of 5")
    return " · ".join(word for word in (*parts, label) if word)


def _turns_of(
    call: Call, waits: Waits, acts: Sequence[Operator]
) -> tuple[tuple[TurnRow, ...], tuple[CallEventItem, ...]]:
    """The turns with their events, and events before the first turn.

    An event belongs to the turn of its index, else to the turn before it.
    """
    by_index: dict[int, tuple[Turn | None, list[CallEventItem]]] = {}
    before: list[CallEventItem] = []
    current = -1
    for event in sorted([*call.story, *acts], key=lambda event: event.ts):
        index = getattr(event, "turn", -1)
        if type(event) is Turn:
            current = index if index >= 0 else current + 1
            by_index[current] = (event, by_index.get(current, (None, []))[1])
            continue
        item = item_of(event)
        if item is None:
            continue
        owner = index if index >= 0 else max(by_index, default=current)
        if owner < 0:
            before.append(item)
        else:
            by_index.setdefault(owner, (None, []))[1].append(item)
    if call.live and call.wait_since:
        waiting = call.wait_turn if call.wait_turn >= 0 else max(by_index, default=-1) + 1
        if by_index.get(waiting, (None, []))[0] is None:
            by_index.setdefault(waiting, (None, []))
    return tuple(_row(index, *by_index[index], call, waits) for index in sorted(by_index)), tuple(before)


def _row(index: int, turn: Turn | None, items: list[CallEventItem], call: Call, waits: Waits) -> TurnRow:
    if turn is None:
        return _unanswered(index, items, call, waits)
    times = turn.latency
    stages = (
        tuple((name, getattr(times, name)) for name in STAGES if getattr(times, name) > 0) if times else ()
    )
    spoke_at = turn.ts - turn.e2e_ms / 1000 if known(turn.e2e_ms) else turn.ts
    return TurnRow(
        index=index,
        at=spoke_at,
        e2e_ms=turn.e2e_ms,
        status=turn.status,
        stages=stages,
        additive=turn.additive,
        user_text=turn.user_text,
        agent_text=turn.agent_text,
        step=turn.step,
        measured_from=turn.measured_from,
        confidence=turn.confidence,
        items=tuple(items),
    )


def _unanswered(index: int, items: list[CallEventItem], call: Call, waits: Waits) -> TurnRow:
    """A turn without a reply: waited for still, or for all that is known, or not any more."""
    if not call.wait_since or call.wait_turn not in (index, -1):
        at = items[0].at if items else call.started
        return TurnRow(index, at, status="no_reply", items=tuple(items))
    is_known = waits.known(call)
    return TurnRow(
        index, call.wait_since, status="waiting" if is_known else "unknown",
        waiting_s=waits.seconds(call) if is_known else NAN, stage=call.stage,
        unknown_since=waits.unknown_since(call), items=tuple(items),
    )  # fmt: skip


def item_of(event: AnyEvent) -> CallEventItem | None:
    """An event as a line in its turn; None for events that aren't shown."""
    make_item = _ITEMS.get(type(event))
    return make_item(event) if make_item is not None else None


def _tool(event: Tool) -> CallEventItem | None:
    if event.state == "start" and not event.arguments:
        return None
    bad = event.state in ("error", "timeout")
    text = f"{event.name} {event.state}" + (f" {event.error_type}" if event.error_type else "")
    details = " → ".join(part for part in (event.arguments, event.result) if part)
    return CallEventItem(event.ts, "tool", text, details, event.duration_ms, bad)


def _error(event: Error) -> CallEventItem:
    text = labels.fault(event.component, event.category)
    status = f"HTTP {event.http_status}" if event.http_status else ""
    tries = f"{event.retry_count} retries" if event.retry_count else ""
    details = " · ".join(
        part for part in (event.provider, status, event.error_type, tries, event.message) if part
    )
    return CallEventItem(event.ts, "error" if event.final else "retry", text, details, bad=event.final)


def _interruption(event: Interruption) -> CallEventItem:
    kind = "barge-in" if event.by == "user" else "agent spoke over"
    qualifier = "false positive" if event.false_positive else "backchannel" if event.backchannel else ""
    return CallEventItem(event.ts, "barge-in", kind, qualifier, event.playout_ms)


def _audio(event: Audio) -> CallEventItem | None:
    parts = (
        ("{:.0f} words per minute", event.speech_rate_wpm), ("{:.0f} dBFS", event.loudness_dbfs),
        ("{:.0f} Hz", event.pitch_hz), ("SNR {:.0f} dB", event.snr_db), ("overlap {:.0f} ms", event.overlap_ms),
        ("jitter {:.0f} ms", event.jitter_ms), ("loss {:.1f} %", event.packet_loss_pct),
    )  # fmt: skip
    details = " · ".join(form.format(value) for form, value in parts if known(value))
    return CallEventItem(event.ts, "audio", event.role, details) if details else None


def _update(event: CallUpdate) -> CallEventItem | None:
    details = " · ".join(f"{name} = {'–' if v is None else v}" for name, v in event.segments.items())
    if not details and not event.state:
        return None
    return CallEventItem(event.ts, "segments" if details else "state", event.state or "known now", details)


def _outcome(event: CallOutcome) -> CallEventItem:
    success = (
        {True: "success", False: "no success"}.get(event.success, "")
        if isinstance(event.success, bool)
        else ""
    )
    escalated = "escalated" if event.escalated else ""
    mark = f"sentiment {event.sentiment:.0f} of 5" if known(event.sentiment) else ""
    text = " · ".join(part for part in (success, escalated, mark, event.label) if part)
    return CallEventItem(
        event.ts,
        "outcome",
        f"{event.evaluator}: {text or 'unknown'}",
        event.reason,
        bad=event.success is False,
    )


def _act(event: Operator) -> CallEventItem:
    """Notes and bookmarks are quoted; other acts are named."""
    text = event.text if event.act in NOTING and event.text else event.act
    return CallEventItem(event.ts, "note", f"{event.by}: {text}", "" if text == event.text else event.text)


def _end(event: CallEnd) -> CallEventItem:
    return CallEventItem(
        event.ts, "end", event.reason.replace("_", " "), event.raw_reason, bad=event.reason == "error"
    )


_ITEMS: dict[type[Event], Callable[[Any], CallEventItem | None]] = {
    Tool: _tool,
    Error: _error,
    Interruption: _interruption,
    Audio: _audio,
    CallUpdate: _update,
    CallOutcome: _outcome,
    CallEnd: _end,
    Operator: _act,
    CallStep: lambda event: CallEventItem(event.ts, "step", event.step),
    CallStart: lambda event: CallEventItem(event.ts, "start", event.platform or "call", event.direction),
    Service: lambda event: CallEventItem(
        event.ts,
        "service",
        f"{labels.stage(event.component)} {event.provider} {event.model}",
        event.fingerprint,
    ),
}
