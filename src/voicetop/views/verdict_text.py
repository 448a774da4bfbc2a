"""The verdict's words: the most important first, so that a narrow screen may cut the end."""

from __future__ import annotations

from collections.abc import Sequence

from voicetop.engine.attribution import Attribution, in_words
from voicetop.engine.snapshot import Trouble

MOST = 2
"""Troubles that are told in full; the rest have their panels."""
LOCAL = "local "


def standing(troubles: Sequence[Trouble]) -> list[Trouble]:
    """The troubles worst first; one of a part is left out while everybody has it, and so has one of the same part."""
    everybody = {trouble.kind for trouble in troubles}
    kept = [
        trouble for trouble in troubles if trouble.kind.removeprefix(LOCAL) not in everybody - {trouble.kind}
    ]
    return sorted(kept, key=lambda trouble: (trouble.severity != "down", trouble.since))


def sentence(troubles: Sequence[Trouble]) -> str:
    """What is wrong, for whom and in which stage, trouble by trouble; what is left of the details last.

    "P95 response 3,910 ms = 2.4× normal (n 312) · billing × es explain 91 % · LLM +1,900 ms · errors 4.1 %"
    """
    first: list[str] = []
    last: list[str] = []
    for trouble in troubles[:MOST]:
        head, *details = trouble.text.split(" · ")
        who = in_words(Attribution(trouble.where, trouble.explains)).removeprefix(" · ")
        told = [who] if who in details else []
        details = [detail for detail in details if detail != who]
        if len(troubles) == 1 or trouble is troubles[0]:
            told += details[:1]
            details = details[1:]
        first += [part for part in (head, *told) if part not in first]
        last += [detail for detail in details if detail not in last]
    return " · ".join([*first, *(detail for detail in last if detail not in first)])
