"""The words of the lint of a feed: what is said of each fault, and what to do about it."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Level: TypeAlias = Literal["FIX", "note"]

NAMES: dict[str, frozenset[str]] = {
    "turn.status": frozenset({"ok", "failed", "no_reply", "cancelled", "noise"}),
    "turn.measured_from": frozenset({"vad_stop", "turn_end", "transcript"}),
    "stage.name": frozenset({"vad", "stt", "eou", "llm", "tool", "tts", "output"}),
    "stage.state": frozenset({"start", "end", "failed"}),
    "tool.state": frozenset({"start", "ok", "error", "timeout", "cancelled"}),
}


class Rule(NamedTuple):
    """What is said of a fault that was seen: `text` goes on from "12 of 40 turns"; `of` is what could have it."""

    of: str
    text: str
    remedy: str
    level: Level = "FIX"


RULES: dict[str, Rule] = {
    "old ts": Rule(
        "event",
        "have a `ts` before 2001",
        "`ts` is in seconds since 1970, UTC: not since the start of something",
    ),
    "no event_id": Rule(
        "event",
        "have no event_id: what is sent again counts twice",
        "give every event an `event_id` that is unique in your fleet",
        "note",
    ),
    "empty id": Rule(
        "event",
        "have an empty call_id: they look like one call",
        "give each call an id of its own",
    ),
    "id again": Rule(
        "call",
        "use a call_id again after its end",
        "give each call an id of its own",
    ),
    "no start": Rule(
        "call",
        "have events before any call.start",
        "send call.start first, or the call has no segments and no age",
    ),
    "end only": Rule(
        "call",
        "end without a start",
        "send call.start when the call connects",
    ),
    "greeting": Rule(
        "call",
        "number the greeting 0",
        "the agent's own greeting is no turn: the first turn is the caller's first",
    ),
    "restart": Rule(
        "call",
        "number their turns from the start again, or backwards",
        "go on counting when an agent hands over, so that turn numbers are unique in a call",
    ),
    "no number": Rule(
        "turn",
        "have no `turn`",
        "number the turns of a call from 0, the same in turn.start and turn",
    ),
    "no turn.start": Rule(
        "turn",
        "have no turn.start, so nobody can be seen waiting",
        "send turn.start when the caller stops speaking",
    ),
    "with reply": Rule(
        "turn",
        "have a turn.start that comes with the reply, so nobody can be seen waiting",
        "send turn.start when the caller stops speaking, not with the turn",
    ),
    "negative wait": Rule(
        "turn",
        "are before their turn.start",
        "`ts` of turn.start is when the caller stopped speaking; of turn, when the reply began",
    ),
    "no e2e": Rule(
        "turn",
        "have neither e2e_ms nor a status: they have no response time",
        "send e2e_ms, from the caller's end of speech to the first audio",
    ),
    "no measured_from": Rule(
        "turn",
        "have e2e_ms without measured_from: fleets that measure differently look different",
        "send measured_from: vad_stop, turn_end or transcript",
        "note",
    ),
    "seconds": Rule(
        "turn",
        "have times that look like seconds",
        "send milliseconds: 0.9 s is 900",
    ),
    "negative": Rule(
        "turn",
        "have a negative time, which doesn't count",
        "leave out what you don't know instead of sending −1",
    ),
    "sum": Rule(
        "turn",
        "are additive, but their stages add up to something else than e2e_ms",
        "set `additive` only if all stages but llm_total add up to e2e_ms",
    ),
    "duration": Rule(
        "call",
        "are longer than six hours",
        "duration_s is in seconds",
    ),
    "no segments": Rule(
        "call",
        "have no segments: nothing can be filtered or compared",
        "send intent, language, version, … in call.start or call.update",
        "note",
    ),
}
"""By kind of fault, in the order in which they are told."""
