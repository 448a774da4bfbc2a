"""The verdict's words: the most important first, so that a narrow screen may cut the end."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from voicetop.alerts import trouble_text
from voicetop.engine.snapshot import Trouble

MOST = 2
"""Troubles that are told in full; the rest have their panels."""


class Statement(Struct, frozen=True):
    """A trouble with what is said of it: what is wrong, the segment that explains it, and the details."""

    trouble: Trouble
    headline: str
    segment: str = ""
    details: tuple[str, ...] = ()


def of_trouble(trouble: Trouble) -> Statement:
    """What the figures of a trouble say."""
    details = tuple(trouble_text.details(trouble))
    return Statement(trouble, trouble_text.headline(trouble), trouble_text.segment(trouble), details)


def standing(statements: Sequence[Statement]) -> list[Statement]:
    """The worst first; a trouble of a segment is left out while everybody has it."""
    everybody = {one.trouble.kind for one in statements if not one.trouble.local}
    kept = [one for one in statements if not (one.trouble.local and one.trouble.kind in everybody)]
    return sorted(kept, key=lambda one: (one.trouble.severity != "down", one.trouble.since))


def sentence(statements: Sequence[Statement]) -> str:
    """What is wrong, for whom and in which stage, trouble by trouble; what is left of the details last.

    "P95 response 3,910 ms = 2.4× normal (n 312) · billing × es explain 91 % · LLM +1,900 ms · errors 4.1 %"
    """
    first: list[str] = []
    last: list[str] = []
    for place, one in enumerate(statements[:MOST]):
        told = 1 if place == 0 else 0
        first += (one.headline, one.segment, *one.details[:told])
        last += one.details[told:]
    return " · ".join(dict.fromkeys(part for part in (*first, *last) if part))
