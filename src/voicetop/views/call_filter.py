"""The filter of the call list: words, `field:value`, `field>number`, `field<number`; `!` negates.

es stuck             the row contains both words
intent:bill lang:es  the intent contains "bill", and the language "es"
wait>5 !tier:gold    waiting for over 5 s, and not gold
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from voicetop.engine import frustration
from voicetop.engine.calls import Call
from voicetop.engine.waiting import Waits

Predicate: TypeAlias = Callable[[Call], bool]

_TERM = re.compile(r"(?P<field>[A-Za-z_][\w.]*)(?P<op>[:<>=])(?P<value>.*)")
NUMBERS = ("age", "turn", "wait", "e2e", "errors", "cost", "frustration")
TEXTS = ("id", "call", "state", "step", "stage", "caller", "reason", "provider")
_SHORT = {"lang": "language", "ver": "version", "waiting": "wait", "err": "errors", "mood": "frustration"}


def predicate(text: str, waits: Waits) -> tuple[Predicate | None, str]:
    """Parse a filter: (predicate, error text). The predicate is None if every call passes."""
    terms: list[Predicate] = []
    for word in text.split():
        test, error = _term(word, waits)
        if error:
            return None, error
        if test is not None:
            terms.append(test)
    if not terms:
        return None, ""
    return (lambda call: all(term(call) for term in terms)), ""


def _term(word: str, waits: Waits) -> tuple[Predicate | None, str]:
    negated = word.startswith("!")
    word = word[1:] if negated else word
    if not word:
        return None, ""
    test, error = _positive_term(word, waits)
    if test is None or not negated:
        return test, error
    return (lambda call: not test(call)), ""


def _positive_term(word: str, waits: Waits) -> tuple[Predicate | None, str]:
    match = _TERM.fullmatch(word)
    if match is None:
        text = word.casefold()
        return (lambda call: text in _all_text(call, waits)), ""
    name = _SHORT.get(match["field"].casefold(), match["field"].casefold())
    value = match["value"].casefold()
    if match["op"] in "<>":
        return _compare(name, match["op"], value, waits)
    return (lambda call: value in text_of(call, name)), ""


def _compare(name: str, op: str, value: str, waits: Waits) -> tuple[Predicate | None, str]:
    if name not in NUMBERS:
        return None, f"{name} is not numeric; numeric fields: {', '.join(NUMBERS)}"
    if not value:
        return None, ""
    try:
        limit = float(value)
    except ValueError:
        return None, f"{value} is not a number"
    if op == ">":
        return (lambda call: number_of(call, name, waits) > limit), ""
    return (lambda call: number_of(call, name, waits) < limit), ""


def text_of(call: Call, name: str) -> str:
    """A field or segment of a call, as lowercase text."""
    if name in ("id", "call"):
        return call.call_id.casefold()
    if name in TEXTS:
        return str(getattr(call, name)).casefold()
    return call.segments.get(name, "").casefold()


def number_of(call: Call, name: str, waits: Waits) -> float:
    """A number of a call: seconds for age and wait, ms for e2e, dollars for cost; NaN compares false."""
    if name == "age":
        return call.lasted_s(waits.at)
    if name == "wait":
        return waits.seconds(call)
    if name == "cost":
        return call.cost_micro / 1e6
    if name == "frustration":
        return frustration.current_score(call, waits.seconds(call))
    return float(getattr(call, name))


def _all_text(call: Call, waits: Waits) -> str:
    """All texts of a row, for words without a field."""
    waiting = "stuck waiting" if waits.known(call) else "unknown"
    state = waiting if call.wait_since else call.state
    parts = (call.call_id, call.caller, state, call.step, call.stage, call.reason, call.provider)
    return " ".join((*parts, *call.segments.values())).casefold()
