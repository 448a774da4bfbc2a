"""The events of a call as lines beside its turns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from voicetop.engine.snapshot import CallEventItem
from voicetop.formatting import labels
from voicetop.formatting.numbers import known
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
)


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
