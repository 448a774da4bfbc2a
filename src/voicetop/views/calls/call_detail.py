"""One call in full: its turns, each with the events that belong to it."""

from __future__ import annotations

from collections.abc import Sequence

from voicetop.engine import frustration
from voicetop.engine.calls import Call
from voicetop.engine.snapshot import CallDetail, KnownSegment
from voicetop.engine.waiting import Waits
from voicetop.formatting.numbers import known
from voicetop.views import call_list
from voicetop.views.calls.call_turns import turns_of
from voicetop.wire.events import CallStart, Operator


def detail(call: Call, waits: Waits, stuck_after: float, acts: Sequence[Operator] = ()) -> CallDetail:
    """Everything known about a call; `acts` are what people did about it."""
    turns, before = turns_of(call, waits, acts)
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
