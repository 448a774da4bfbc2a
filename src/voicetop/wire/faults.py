"""What was wrong with events: the kinds of faults, and counts of them by source."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from msgspec import Struct

from voicetop.formatting.numbers import counted

FaultKind: TypeAlias = Literal["cut", "dropped", "converted", "character", "filled", "json", "refused"]

MEANINGS: dict[FaultKind, tuple[str, str]] = {
    "cut": ("text", "cut"),
    "dropped": ("value", "left out"),
    "converted": ("value", "taken as text"),
    "character": ("text", "with a broken character, now U+FFFD"),
    "filled": ("required field", "filled in"),
    "json": ("event", "read as far as possible"),
    "refused": ("event", "refused"),
}
"""What happened to what, by kind."""


def happened(kind: str, count: int = 1) -> str:
    """What happened, so many times.

    >>> happened("cut", 3)
    '3 texts cut'
    """
    what, done = MEANINGS.get(kind, ("event", kind))  # type: ignore[call-overload]  # kinds of a later version
    return f"{counted(count, what)} {done}"


REMEDIES: dict[FaultKind, str] = {
    "cut": "send at most 20,000 characters of text, and 512 of a name",
    "dropped": "leave out what you don't know: no null, NaN, -1 or text in place of a number",
    "converted": "send names and ids as strings, and arguments and results as JSON in a string",
    "character": "cut texts between whole characters, and encode them as UTF-8",
    "filled": "send every required field of docs/protocol.md",
    "json": "write events with a JSON library, several as an array: no NaN, trailing commas or comments",
    "refused": "see the reason; docs/protocol.md describes every event and field",
}
"""What to do about it, by kind."""

MAX_SOURCES = 200
OTHERS = "other sources"
"""What those that don't fit are counted under."""

MAX_WHY = 200
MAX_SAMPLE = 400

_KINDS = frozenset(get_args(FaultKind))


class FaultCount(Struct):
    """How many faults of one kind a source had; `at` (epoch s), `why` and `sample` are of the latest, safe to print."""

    count: int = 0
    at: float = 0.0
    why: str = ""
    sample: str = ""


Faults: TypeAlias = dict[str, dict[str, FaultCount]]
"""By source ("" for one without a name), then by `FaultKind`."""


def note_fault(
    faults: Faults, source: str, kind: str, *, at: float, why: str, sample: str, count: int = 1
) -> None:
    """Count faults and keep the latest. Texts must be safe; they are cut. Unknown kinds count as "dropped"."""
    if source not in faults and len(faults) >= MAX_SOURCES:
        source = OTHERS
    kinds = faults.setdefault(source, {})
    fault = kinds.setdefault(kind if kind in _KINDS else "dropped", FaultCount())
    fault.count += count
    fault.at, fault.why, fault.sample = at, why[:MAX_WHY], sample[:MAX_SAMPLE]
