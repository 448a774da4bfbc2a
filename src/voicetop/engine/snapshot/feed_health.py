"""Feed health: what each source sends, and what is wrong with it."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from voicetop.engine.snapshot.view import NAN

SourceState: TypeAlias = Literal["silent", "attention", "note", "fine", "left"]
"""Worst first. "attention": something is wrong now; "note": something was, or could be better."""


class SourceTrouble(Struct, frozen=True):
    """One thing that is wrong with a source, in words, and what to do about it.

    `sample` is the latest event with this fault (epoch s `at`), or a part of it; empty if there is none, or if what
    people say is withheld. `now`: it needs attention.
    """

    text: str
    remedy: str
    now: bool = False
    sample: str = ""
    at: float = NAN


class SourceHealth(Struct, frozen=True):
    """One source. Times are stamp times, `skew_s` is what its clock is behind the hub's, 0 if it is right.

    `calls_told` is how many calls it says it has, -1 if it doesn't say; `calls_held` how many of its calls are live
    here. `refused`, `repaired` and `ignored` are events, `queue` and `dropped` what it says of itself. `troubles` are
    worst first; `kinds` are the kinds of faults and of ignored events with their counts.
    """

    name: str
    state: SourceState = "fine"
    since: float = NAN
    seen: float = NAN
    events: int = 0
    events_per_s: float = 0.0
    skew_s: float = 0.0
    calls_told: int = -1
    calls_held: int = 0
    refused: int = 0
    repaired: int = 0
    ignored: int = 0
    queue: int = 0
    dropped: int = 0
    troubles: tuple[SourceTrouble, ...] = ()
    kinds: tuple[tuple[str, int], ...] = ()


class FeedHealthPanel(Struct, frozen=True):
    """The sources, worst first, at most `views.feed_health.MAX_SHOWN` of `of`; how many of all are in each state."""

    sources: tuple[SourceHealth, ...] = ()
    of: int = 0
    silent: int = 0
    attention: int = 0
    left: int = 0
