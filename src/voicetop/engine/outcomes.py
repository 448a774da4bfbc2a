"""What an ended call counts for: outcome, abandonment, escalation, cost, frustration.

The protocol defines the terms. `settle` may be called again when something new is known about an ended call (a late
outcome, late usage): it replaces the previous counts.
"""

from __future__ import annotations

from voicetop.engine.calls import NOT_A_CONVERSATION, Call, sentiment_of, success_of
from voicetop.engine.config import EngineConfig
from voicetop.engine.frustration import FRUSTRATED
from voicetop.engine.windows.ledger import Ledger
from voicetop.formatting.numbers import known

_CONVERSATION = frozenset(
    [
        "talked",
        "known",
        "succeeded",
        "escalated",
        "decided",
        "abandoned",
        "moody",
        "sentiment_centi",
        "sentiments",
    ]
)

_SETTLED = _CONVERSATION | {"ended", "handled_ms", "priced", "cost_micro", "guessed"}
_SETTLED_BY = ("cost:", "from:", "left:")


def settle(call: Call, ledger: Ledger) -> None:
    """Count an ended call, in its last cell, at the time of its end."""
    ts = call.ended
    ledger.mark(call, "ended", ts)
    lasted_s = call.lasted_s(ts)
    if known(lasted_s):
        ledger.mark(call, "handled_ms", ts, round(lasted_s * 1000))
    else:
        ledger.unmark(call, "handled_ms")
    _cost(call, ledger, ts)
    if call.measured_from:
        ledger.mark(call, f"from:{call.measured_from}", ts)
    if call.reason in NOT_A_CONVERSATION:
        _unmark_conversation(call, ledger)
        return
    ledger.mark(call, "talked", ts)
    _mark_if(call, ledger, "known", success_of(call.opinions) in (0, 1))
    _mark_if(call, ledger, "succeeded", success_of(call.opinions) == 1)
    _mark_if(call, ledger, "escalated", escalated(call))
    _mark_if(call, ledger, "decided", call.abandoned >= 0)
    _mark_if(call, ledger, "abandoned", call.abandoned == 1)
    _mark_if(call, ledger, f"left:{call.left_at or 'unknown step'}", call.abandoned == 1)
    _mark_if(call, ledger, "moody", call.mood >= FRUSTRATED)
    sentiment = sentiment_of(call.opinions)
    if known(sentiment):
        ledger.mark(call, "sentiment_centi", ts, round(sentiment * 100))
        ledger.mark(call, "sentiments", ts)


def unsettle(call: Call, ledger: Ledger) -> None:
    """Take back what a call counts for that has not ended after all."""
    for kind in [kind for kind in call.marks if kind in _SETTLED or kind.startswith(_SETTLED_BY)]:
        ledger.unmark(call, kind)


def _mark_if(call: Call, ledger: Ledger, kind: str, condition: bool) -> None:
    if condition:
        ledger.mark(call, kind, call.ended)
    else:
        ledger.unmark(call, kind)


def _unmark_conversation(call: Call, ledger: Ledger) -> None:
    """Remove the counts of a lost call that turns out not to have been a conversation."""
    for kind in [kind for kind in call.marks if kind in _CONVERSATION or kind.startswith("left:")]:
        ledger.unmark(call, kind)


def _cost(call: Call, ledger: Ledger, ts: float) -> None:
    if not call.priced:
        return
    if "priced" not in call.marks:
        ledger.tick_counters.costs.append((call.cell, call.cost_micro))
    ledger.mark(call, "priced", ts)
    ledger.mark(call, "cost_micro", ts, call.cost_micro)
    _mark_if(call, ledger, "guessed", call.guessed)
    by_component: dict[str, int] = {}
    for key, micro in call.spent.items():
        component = key.split("/", 1)[0]
        by_component[component] = by_component.get(component, 0) + micro
    for component, micro in by_component.items():
        ledger.mark(call, f"cost:{component}", ts, micro)


def escalated(call: Call) -> bool:
    """Whether it was transferred, or any evaluator reported escalation."""
    return call.reason == "transferred" or any(o.escalated for o in call.opinions.values())


def may_be_abandoned(call: Call, config: EngineConfig) -> bool:
    """Whether the user hung up before a terminal step without a good outcome: abandoned unless one arrives in time."""
    hung_up = call.reason == "user_hangup" or (call.party == "user" and call.reason == "silence_timeout")
    return (
        hung_up
        and call.left_at.casefold() not in config.terminal_steps
        and success_of(call.opinions) != 1
        and not escalated(call)
    )
