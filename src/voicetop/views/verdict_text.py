"""The verdict's text: the most important first, so that a narrow screen can cut the end."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from voicetop.alerts import trouble_text
from voicetop.engine.snapshot import Trouble

MOST = 2
"""Troubles stated in full; the rest are in their panels."""


class Statement(Struct, frozen=True):
    """A trouble in words: what is wrong, the segment that explains it, and details."""

    trouble: Trouble
    headline: str
    segment: str = ""
    details: tuple[str, ...] = ()


def of_trouble(trouble: Trouble) -> Statement:
    """The statement of a trouble's figures."""
    details = tuple(trouble_text.details(trouble))
    return Statement(trouble, trouble_text.headline(trouble), trouble_text.segment(trouble), details)


def ranked_statements(statements: Sequence[Statement]) -> list[Statement]:
    """The worst first; a segment's trouble is omitted while the whole fleet has it."""
    fleet_wide = {statement.trouble.kind for statement in statements if not statement.trouble.local}
    shown = [
        statement
        for statement in statements
        if not (statement.trouble.local and statement.trouble.kind in fleet_wide)
    ]
    return sorted(
        shown, key=lambda statement: (statement.trouble.severity != "down", statement.trouble.since)
    )


def sentence(statements: Sequence[Statement]) -> str:
    """What is wrong, for whom and in which stage, trouble by trouble; remaining details last.

    "P95 response 3,910 ms = 2.4× normal (n 312) · billing × es explain 91 % · LLM +1,900 ms · errors 4.1 %"
    """
    first: list[str] = []
    last: list[str] = []
    for index, statement in enumerate(statements[:MOST]):
        first_details = 1 if index == 0 else 0
        first += (statement.headline, statement.segment, *statement.details[:first_details])
        last += statement.details[first_details:]
    return " · ".join(dict.fromkeys(part for part in (*first, *last) if part))
