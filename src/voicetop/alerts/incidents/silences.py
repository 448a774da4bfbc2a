"""Silences: a matcher, an end and an author. They keep notifiers quiet; the screens go on telling the truth.

A matcher is words of the form key=value that must all hold, the keys being id, family, rule, tier or a segment:
"family=latency language=es". A value with spaces stands in quotes, as on a command line: 'intent=close account'. An
incident's id alone matches that incident.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from msgspec import Struct

from voicetop.alerts.incidents.incident import Incident

MOST_S = 30 * 86400.0
"""Whoever wants more than 30 days wants another rule."""


class Silence(Struct, frozen=True):
    """`matcher` is sorted (key, value); from `since` until `until`, stamp time."""

    number: int
    matcher: tuple[tuple[str, str], ...]
    since: float
    until: float
    by: str
    text: str = ""

    @property
    def id(self) -> str:
        return f"s{self.number}"

    @property
    def said(self) -> str:
        """The matcher as it is typed."""
        return written(self.matcher)

    def matches(self, incident: Incident) -> bool:
        """Whether every part of the matcher holds."""
        own = {"id": incident.id, "family": incident.family, "rule": incident.rule, "tier": incident.tier}
        segment = dict(incident.where) | dict(incident.segment)
        return all(own.get(key, segment.get(key)) == value for key, value in self.matcher)


def matcher_of(target: str) -> tuple[tuple[str, str], ...]:
    """The matcher that `target` says; empty where it says none.

    >>> matcher_of("language=es family=latency")
    (('family', 'latency'), ('language', 'es'))
    >>> matcher_of("i12")
    (('id', 'i12'),)
    """
    try:
        words = shlex.split(target)
    except ValueError:  # a quote that nobody closed
        return ()
    if len(words) == 1 and "=" not in target:
        return (("id", target),)
    parts = [word.partition("=") for word in words]
    if not all(key and sign and value for key, sign, value in parts):
        return ()
    return tuple(sorted((key, value) for key, _, value in parts))


def written(matcher: Iterable[tuple[str, str]]) -> str:
    """A matcher as `matcher_of` reads it.

    >>> written([("intent", "close account"), ("tier", "gold")])
    "'intent=close account' tier=gold"
    """
    return shlex.join(f"{key}={value}" for key, value in matcher)
