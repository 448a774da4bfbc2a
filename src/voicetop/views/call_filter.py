"""The filter above a list of calls: words, `field:value`, `field>number`, `field<number`, each turned round by `!`.

es stuck             both words occur somewhere in the row
intent:bill lang:es  the intent contains "bill", and the language "es"
wait>5 !tier:gold    waiting for over 5 s, and not gold
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from voicetop.engine import frustration
from voicetop.engine.calls import Call

Predicate: TypeAlias = Callable[[Call], bool]

_TERM = re.compile(r"(?P<field>[A-Za-z_][\w.]*)(?P<op>[:<>=])(?P<value>.*)")
NUMBERS = ("age", "turn", "wait", "e2e", "errors", "cost", "frustration")
TEXTS = ("id", "call", "state", "step", "stage", "caller", "reason", "provider")
_SHORT = {"lang": "language", "ver": "version", "waiting": "wait", "err": "errors", "mood": "frustration"}


def predicate(text: str, at: float) -> tuple[Predicate | None, str]:
    """(what a call must fulfil, what is wrong with the text); None lets every call pass."""
    terms: list[Predicate] = []
    for word in text.split():
        made, error = _term(word, at)
        if error:
            return None, error
        if made is not None:
            terms.append(made)
    if not terms:
        return None, ""
    return (lambda call: all(term(call) for term in terms)), ""


def _term(word: str, at: float) -> tuple[Predicate | None, str]:
    turned = word.startswith("!")
    word = word[1:] if turned else word
    if not word:
        return None, ""
    made, error = _bare(word, at)
    if made is None or not turned:
        return made, error
    return (lambda call: not made(call)), ""


def _bare(word: str, at: float) -> tuple[Predicate | None, str]:
    found = _TERM.fullmatch(word)
    if found is None:
        wanted = word.casefold()
        return (lambda call: wanted in everything(call)), ""
    name = _SHORT.get(found["field"].casefold(), found["field"].casefold())
    value = found["value"].casefold()
    if found["op"] in "<>":
        return _compare(name, found["op"], value, at)
    return (lambda call: value in text_of(call, name)), ""


def _compare(name: str, op: str, value: str, at: float) -> tuple[Predicate | None, str]:
    if name not in NUMBERS:
        return None, f"{name} is not numeric; numeric fields: {', '.join(NUMBERS)}"
    if not value:
        return None, ""
    try:
        limit = float(value)
    except ValueError:
        return None, f"{value} is not a number"
    if op == ">":
        return (lambda call: number_of(call, name, at) > limit), ""
    return (lambda call: number_of(call, name, at) < limit), ""


def text_of(call: Call, name: str) -> str:
    """A field or segment of a call, as text to look into."""
    if name in ("id", "call"):
        return call.call_id.casefold()
    if name in TEXTS:
        return str(getattr(call, name)).casefold()
    return call.segments.get(name, "").casefold()


def number_of(call: Call, name: str, at: float) -> float:
    """A number of a call: seconds for age and wait, ms for e2e, dollars for cost; NaN compares false."""
    if name == "age":
        return (call.ended or at) - call.started
    if name == "wait":
        return at - call.wait_since if call.wait_since else 0.0
    if name == "cost":
        return call.cost_micro / 1e6
    if name == "frustration":
        return frustration.felt(call, at)
    return float(getattr(call, name))


def everything(call: Call) -> str:
    """All the texts of a row, for words without a field."""
    state = "stuck waiting" if call.wait_since else call.state
    parts = (call.call_id, call.caller, state, call.step, call.stage, call.reason, call.provider)
    return " ".join((*parts, *call.segments.values())).casefold()
