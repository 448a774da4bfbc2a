"""The turns of one call, each with the events that belong to it.

Turn numbers begin again where another agent takes over; here they go on, so that no two turns have the same. If no turn
of a call has a number, they are counted; else those without one, such as a greeting, stand between the others.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import inf
from typing import TypeAlias

from msgspec import Struct

from voicetop.engine.call_events import told_events
from voicetop.engine.calls import Call
from voicetop.engine.snapshot import NAN, CallEventItem, TurnRow
from voicetop.engine.waiting import Waits
from voicetop.formatting.numbers import known
from voicetop.views.calls.call_items import item_of
from voicetop.wire.events import AnyEvent, Interruption, Operator, Transcript, Turn

STAGES = (
    "vad", "stt", "eou", "hook", "llm_ttft", "tool", "aggregation", "tts_ttfb", "tts_leading_silence", "output",
)  # fmt: skip
"""Stages in sequence; `llm_total` runs alongside them and is not part of the sum."""

_JUST_BEFORE_S = 1e-6

Events: TypeAlias = Sequence[AnyEvent]
Place: TypeAlias = tuple[int, int]
"""Where a turn stands: its number and 0, or the number before it and its own place after that."""
NO_PLACE: Place = (-1, 0)


class _Part(Struct):
    """A part of a call with turn numbers of its own, to which `base` is added.

    Its first reply came at `replied`, what comes after `until` belongs to the next part (epoch s).
    """

    base: int
    replied: float
    last: int
    until: float = 0.0


class _Gathered(Struct):
    """What is known of one turn."""

    turn: Turn | None = None
    items: list[CallEventItem] = []
    user_text: str = ""
    agent_text: str = ""


def turns_of(
    call: Call, waits: Waits, acts: Sequence[Operator]
) -> tuple[tuple[TurnRow, ...], tuple[CallEventItem, ...]]:
    """The turns with their events, and events before the first turn; `acts` are what people did about the call.

    An event belongs to the turn of its number, else to the turn before it.
    """
    events = sorted([*told_events(call), *acts], key=lambda event: event.ts)
    parts = _parts(call, events)
    numbered = _has_numbers(call, events)
    gathered: dict[Place, _Gathered] = {}
    before: list[CallEventItem] = []
    for event in events:
        place = _place(event, parts, gathered, numbered=numbered)
        if type(event) is Turn:
            gathered.setdefault(place, _Gathered()).turn = event
        elif type(event) is Transcript:
            _hear(gathered.setdefault((0, 0) if place == NO_PLACE else place, _Gathered()), event)
        elif (item := item_of(event)) is not None:
            (before if place == NO_PLACE else gathered.setdefault(place, _Gathered()).items).append(item)
    waiting = _waiting_place(call, parts, gathered)
    if waiting != NO_PLACE:
        gathered.setdefault(waiting, _Gathered())
    unnumbered = [place for place in sorted(gathered) if place[1]]
    rows = (
        _row(
            -2 - unnumbered.index(place) if place[1] else place[0], gathered[place], call, waits,
            is_waiting=place == waiting,
        )
        for place in sorted(gathered)
    )  # fmt: skip
    return tuple(rows), tuple(before)


def _has_numbers(call: Call, events: Events) -> bool:
    """Whether any turn has a number: also the one that is waited for."""
    waiting = call.live and call.wait_since > 0 and call.wait_turn >= 0
    return waiting or any(type(event) is Turn and event.turn >= 0 for event in events)


def _parts(call: Call, events: Events) -> list[_Part]:
    """The parts of a call by their turn numbers: another begins with a number that was used since the last began."""
    parts: list[_Part] = []
    numbers: set[int] = set()
    end = 0.0
    for turn in (event for event in events if type(event) is Turn and event.turn >= 0):
        if not parts or turn.turn in numbers:
            numbers = set()
            _begin_part(parts, turn.turn, turn.ts, _border(call, end, turn.ts))
        numbers.add(turn.turn)
        parts[-1].last, end = max(parts[-1].last, turn.turn), turn.ts
    if call.wait_since >= end and call.wait_turn in numbers:
        _begin_part(parts, call.wait_turn, inf, _border(call, end, call.wait_since))
    return parts or [_Part(0, 0.0, -1)]


def _border(call: Call, end: float, replied: float) -> float:
    """When a part ended: its last reply, unless it is known when the next began."""
    return call.numbered_from - _JUST_BEFORE_S if end < call.numbered_from <= replied else end


def _begin_part(parts: list[_Part], first: int, replied: float, border: float) -> None:
    base = 0
    if parts:
        parts[-1].until = border
        base = parts[-1].base + parts[-1].last + 1 - first
    parts.append(_Part(base, replied, first))


def _place(event: AnyEvent, parts: list[_Part], gathered: dict[Place, _Gathered], *, numbered: bool) -> Place:
    """The place of the turn that an event belongs to, `NO_PLACE` if none."""
    number = getattr(event, "turn", -1)
    if number >= 0:
        return max(0, _part_of(event, parts).base + number), 0
    latest = max(gathered, default=NO_PLACE)
    if numbered and type(event) is Turn:
        return latest[0], latest[1] + 1
    return (latest[0] + 1, 0) if _begins_turn(event, gathered.get(latest)) else latest


def _begins_turn(event: AnyEvent, latest: _Gathered | None) -> bool:
    """Whether an event without a number is of the next turn: a reply, or the caller's words after one."""
    begins = type(event) is Turn or (type(event) is Transcript and event.role == "user")
    return begins and (latest is None or latest.turn is not None)


def _part_of(event: AnyEvent, parts: list[_Part]) -> _Part:
    if type(event) is Interruption:  # it comes after the reply of its turn
        return parts[max(0, bisect_right([part.replied for part in parts], event.ts) - 1)]
    return parts[bisect_left([part.until for part in parts[:-1]], event.ts)]


def _hear(gathered: _Gathered, event: Transcript) -> None:
    if event.role == "user":
        gathered.user_text = f"{gathered.user_text} {event.text}".strip()
    else:
        gathered.agent_text = f"{gathered.agent_text} {event.text}".strip()


def _waiting_place(call: Call, parts: list[_Part], gathered: dict[Place, _Gathered]) -> Place:
    """The place of the turn whose reply the caller waits for, never one that has its reply; `NO_PLACE` if none."""
    if not call.live or not call.wait_since:
        return NO_PLACE
    latest = max(gathered, default=NO_PLACE)
    place = (max(0, parts[-1].base + call.wait_turn), 0) if call.wait_turn >= 0 else latest
    answered = place == NO_PLACE or (place in gathered and gathered[place].turn is not None)
    return (latest[0] + 1, 0) if answered else place


def _row(number: int, gathered: _Gathered, call: Call, waits: Waits, *, is_waiting: bool) -> TurnRow:
    turn, items = gathered.turn, tuple(gathered.items)
    if turn is None and is_waiting:
        return _pending(number, gathered, call, waits)
    if turn is None:
        at = items[0].at if items else call.started
        return TurnRow(number, at, status="no_reply", user_text=gathered.user_text, items=items)
    if turn.interrupted and not any(item.kind == "barge-in" for item in items):
        items = (*items, CallEventItem(turn.ts, "barge-in", "barge-in"))
    times = turn.latency
    stages = (
        tuple((name, getattr(times, name)) for name in STAGES if getattr(times, name) > 0) if times else ()
    )
    return TurnRow(
        index=number,
        at=turn.ts - turn.e2e_ms / 1000 if known(turn.e2e_ms) else turn.ts,
        e2e_ms=turn.e2e_ms,
        status=turn.status,
        stages=stages,
        additive=turn.additive,
        user_text=turn.user_text or gathered.user_text,
        agent_text=turn.agent_text or gathered.agent_text,
        step=turn.step,
        measured_from=turn.measured_from,
        confidence=turn.confidence,
        items=items,
    )


def _pending(number: int, gathered: _Gathered, call: Call, waits: Waits) -> TurnRow:
    """A turn that is waited for, for all that is known."""
    is_known = waits.known(call)
    return TurnRow(
        number, call.wait_since, status="waiting" if is_known else "unknown",
        user_text=call.heard or gathered.user_text, waiting_s=waits.seconds(call) if is_known else NAN,
        stage=call.stage, unknown_since=waits.unknown_since(call), items=tuple(gathered.items),
    )  # fmt: skip
