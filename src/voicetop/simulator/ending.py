"""How calls end, and how they are evaluated some 40 seconds later."""

from __future__ import annotations

import math

from msgspec import Struct

from voicetop.simulator.call_state import CallState
from voicetop.simulator.incidents import Effects
from voicetop.simulator.reply import Reply
from voicetop.wire.events import CallOutcome

_BASE_HANG_UP = 0.0031
_EVALUATED = 0.97
_EVALUATOR_ERROR = 0.015
_BASE_TRANSFER = 0.022


class CallEnding(Struct, frozen=True):
    """The call ends at `at`, decided at `decided` (epoch s); `gave_up`: the caller's case was not answered."""

    at: float
    decided: float
    reason: str
    party: str
    gave_up: bool = False


def hung_up_waiting(at: float) -> CallEnding:
    """The caller hung up while waiting for a reply."""
    return CallEnding(at, at, "user_hangup", "user", gave_up=True)


def after_reply(
    call: CallState, step: str, reply: Reply, effects: Effects, replied: float, *, spoken: float
) -> CallEnding | None:
    """How the call ends after this reply, if it does; `spoken` is when the agent finishes speaking."""
    dice = call.settings.dice
    if dice.uniform() < _hang_up_chance(call, step, reply, effects):
        return CallEnding(
            call.after(replied, dice.between(0.4, 2.5)), replied, "user_hangup", "user", gave_up=True
        )
    if call.failed >= 4:
        return CallEnding(call.after(replied, 0.5), replied, "error", "platform", gave_up=True)
    if call.failed in (2, 3) and dice.uniform() < 0.25:
        return CallEnding(call.after(replied, 3.0), replied, "transferred", "agent")
    if step == "resolve" and dice.uniform() < _transfer_chance(call):
        return CallEnding(call.after(spoken, 4.0), spoken, "transferred", "agent")
    if call.index >= len(call.plan) - 1 and not reply.silent:
        return _regular_ending(call, spoken)
    if dice.uniform() < 0.0003:
        return CallEnding(call.after(spoken, 20.0), spoken, "silence_timeout", "platform", gave_up=True)
    return None


def _hang_up_chance(call: CallState, step: str, reply: Reply, effects: Effects) -> float:
    """The chance that the caller hangs up on this reply: slowness, failures and frustration raise it."""
    chance = (
        _BASE_HANG_UP + 0.012 * (reply.e2e > 3000.0) + 0.012 * call.frustration + 0.01 * effects.agitation
    )
    if step == "ask_account":
        chance += 0.007 + effects.abandon
    if step == "close":
        chance *= 0.2
    return chance + 0.07 * reply.silent + 0.04 * (reply.failure is not None)


def _transfer_chance(call: CallState) -> float:
    return (
        _BASE_TRANSFER * (0.5 if call.kind.intent.turns < 5.0 else 1.0)
        + 0.06 * call.errors
        - 0.03 * call.handicap
    )


def _regular_ending(call: CallState, spoken: float) -> CallEnding:
    chance = call.settings.dice.uniform()
    at = call.after(spoken, 0.8)
    if chance < 0.8:
        return CallEnding(at, spoken, "completed", "agent")
    return (
        CallEnding(at, spoken, "agent_hangup", "agent")
        if chance < 0.93
        else CallEnding(at, spoken, "user_hangup", "user")
    )


def evaluate(call: CallState, ending: CallEnding, effects: Effects) -> CallOutcome | None:
    """The evaluator's outcome: success by what happened, sentiment from 1 to 5; None if it wasn't asked."""
    dice = call.settings.dice
    if dice.uniform() >= _EVALUATED:
        return None
    escalated = ending.reason == "transferred"
    logit = call.kind.success + call.handicap + effects.success_logit - 1.2 * call.errors - 0.35 * call.slow
    good = dice.uniform() < effects.success / (1.0 + math.exp(-logit))
    success = good and not ending.gave_up and not (escalated and dice.uniform() < 0.8)
    sentiment = _sentiment(call, effects, success=success)
    if dice.uniform() < _EVALUATOR_ERROR:
        success = not success
    lag = 25.0 + dice.lognormal(13.0, 0.6)
    at = call.after(ending.at, lag)
    if effects.outcomes_at > at:
        at = round(effects.outcomes_at + dice.between(0.0, 60.0), 3)
    label = (
        "abandoned"
        if ending.gave_up
        else "escalated"
        if escalated
        else "resolved"
        if success
        else "unresolved"
    )
    return call.outcome(at, label, sentiment, success=success, escalated=escalated)


def _sentiment(call: CallState, effects: Effects, *, success: bool) -> float:
    score = 4.1 if success else 3.2
    score += effects.sentiment - 0.35 * min(call.errors, 3) - 0.5 * call.frustration - 0.4 * effects.agitation
    return float(min(5, max(1, round(score + 0.8 * call.settings.dice.normal()))))
