"""The shape of a language's phrase book."""

from __future__ import annotations

from msgspec import Struct


class Phrases(Struct, frozen=True):
    """What callers and agents say in one language.

    `openings` and `answers` go by intent: why callers call, and what the agent finds. `caller` and `agent` go by
    step of the conversation. `unheard` and `unavailable` are what the agent says when speech recognition or a tool
    failed; `again` is a caller who got no answer.
    """

    openings: dict[str, tuple[str, ...]]
    answers: dict[str, tuple[str, ...]]
    caller: dict[str, tuple[str, ...]]
    agent: dict[str, tuple[str, ...]]
    unheard: tuple[str, ...]
    unavailable: tuple[str, ...]
    again: tuple[str, ...]
