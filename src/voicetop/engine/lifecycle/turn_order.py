"""Which turn an event belongs to.

Time decides, not the number: numbers begin again after a handoff, are skipped, or come late. A `turn` that was told
before amends that one: what it tells replaces, what it doesn't tell stays, and it counts once.
"""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING

from voicetop.engine import frustration
from voicetop.engine.call_events import MAX_SEARCHED, amended, place_of
from voicetop.engine.calls import Call
from voicetop.engine.lifecycle.lost_calls import PARKED
from voicetop.formatting.numbers import known
from voicetop.wire.events import Turn, TurnStart

if TYPE_CHECKING:
    from voicetop.engine.state import EngineState

UNCOUNTED = ("cancelled", "noise")
"""Turns without a reply that nobody waited for in the end: the caller spoke again, or had said nothing."""
TOLERANCE_S = 1.0
"""How far an amendment may be told before its turn: a publisher's clock is corrected anew every 30 s."""
MAX_UNTOLD = 64
MAX_AMENDMENTS = 2_000
"""Maximum number of skipped turns and of amendments per call, to bound memory and time."""


def begins_wait(state: EngineState, call: Call, event: TurnStart, ts: float) -> bool:
    """Whether the caller waits since `ts`: not if that turn has its reply, or the caller waits since later."""
    index = event.turn
    answered = index <= call.turn and (ts < call.replied or (ts == call.replied and index == call.turn >= 0))
    parked_since = call.state_at if call.state in PARKED else 0.0
    if not call.live or answered or ts < max(call.wait_since, parked_since):
        state.feed.ignore(event.source, "late turn.start")
        return False
    if 0 <= index <= call.turn and index not in call.untold:
        _begin_numbers(call, index, ts)
    return True


def is_new(state: EngineState, call: Call, event: Turn, ts: float) -> bool:
    """Whether a turn of a number told before is another turn. If not, it has amended the one told before."""
    index = event.turn
    if index < 0:
        return True
    if index in call.untold and ts > call.numbered_from:
        call.untold.remove(index)
        return True
    place = place_of(
        call, index, min(ts + TOLERANCE_S, call.numbered_from) if ts <= call.numbered_from else 0.0
    )
    if place < 0 and ts <= call.numbered_from:
        return True
    if place < 0 and _has_all_turns(call):
        if ts > max(call.replied, call.wait_since):
            _begin_numbers(call, index, call.replied)
        return True
    if place < 0 or len(call.amendments) >= MAX_AMENDMENTS:
        state.feed.ignore(event.source, "amends an unknown turn")
        return False
    before = state.amended.turn(call, place)
    if ts > call.numbered_from and _is_another(call, before, event, ts):
        _begin_numbers(call, index, call.replied)
        return True
    _amend(state, call, event, place, before)
    return False


def _has_all_turns(call: Call) -> bool:
    """Whether no turn of the call was dropped, so that one that isn't there was never told."""
    stored = sum(type(event) is Turn for event in call.story)
    return stored - len(call.amendments) == call.turns and len(call.story) <= MAX_SEARCHED


def skip(call: Call, index: int) -> None:
    """Turn `index` came before some with lower numbers."""
    skipped = range(max(call.turn + 1, index - MAX_UNTOLD), index)
    call.untold = [*call.untold, *skipped][-MAX_UNTOLD:]


def counts_as_wait(turn: Turn) -> bool:
    """Whether a turn counts as a wait without a reply."""
    return not known(turn.e2e_ms) and turn.status not in UNCOUNTED


def _begin_numbers(call: Call, index: int, ts: float) -> None:
    """Turn numbers begin again with `index`, and the reply that the caller waits for has that number."""
    call.turn_base += call.turn + 1 - index
    call.numbered_from, call.wait_turn = ts, index
    call.turn, call.untold = index - 1, []


def _is_another(call: Call, before: Turn, event: Turn, ts: float) -> bool:
    """Whether a turn with the number of `before` is another one: the caller spoke after the agent's last reply.

    An amendment may have the time when it is sent rather than that of the reply. So other words have to be told, too,
    or another response time of a turn that isn't the latest.
    """
    e2e = event.e2e_ms
    if not known(e2e) or ts - e2e / 1000 <= call.replied:
        return False
    if _differ(event.user_text, before.user_text) or _follows_greeting(before, event):
        return True
    return event.turn < call.turn and e2e != before.e2e_ms


def _follows_greeting(before: Turn, event: Turn) -> bool:
    """Whether `before` is a greeting, to which nobody had spoken, and the agent now says something else."""
    is_greeting = not (known(before.e2e_ms) or before.user_text)
    return is_greeting and _differ(event.agent_text, before.agent_text)


def _differ(words: str, earlier: str) -> bool:
    """Whether both are told, and neither is the other, its beginning, or nearly the same."""
    alike = words.startswith(earlier) or earlier.startswith(words) or frustration.repeats(words, earlier)
    return bool(words and earlier) and not alike


def _amend(state: EngineState, call: Call, event: Turn, place: int, before: Turn) -> None:
    after = amended(before, event)
    if (after.e2e_ms, after.latency, after.status) != (before.e2e_ms, before.latency, before.status):
        state.count_turns()
        state.ledger.correct_turn(call, before, after)
        if counts_as_wait(before) and not counts_as_wait(after):
            state.ledger.forget_wait(call, before.ts)
        frustration.correct_wait(call, before.e2e_ms, after.e2e_ms)
    stored = len(call.story)
    state.roster.record(call, event)
    if len(call.story) > stored:
        call.amendments.append((stored, place))
        state.amended.keep(call, place, after)
    if event.turn == call.turn:
        _amend_latest(call, before, after)
    if after.step and after.step != before.step:
        state.reach(call, after.step, before.ts)


def _amend_latest(call: Call, before: Turn, after: Turn) -> None:
    """Keep what the call knows of its latest turn up to date."""
    if known(after.e2e_ms):
        call.e2e = after.e2e_ms
    call.measured_from = intern(after.measured_from or call.measured_from)
    if before.user_text:
        call.last_words = after.user_text
    elif after.user_text:
        hear(call, after.user_text)


def hear(call: Call, words: str) -> None:
    """The caller's words of a turn, compared with those of the turn before."""
    before = call.last_words
    if words[:4] == before[:4] and frustration.repeats(words, before):
        frustration.count_repeat(call)
    call.last_words = words
