"""Silences: a matcher, an end and an author. They suppress notifications only; screens still show the incidents.

A matcher is a list of key=value words that must all match; keys are id, family, rule, tier or a segment name:
"family=latency language=es". Values with spaces are quoted as in a shell: 'intent=close account'. An incident's id
alone matches that incident.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from msgspec import Struct

from voicetop.alerts.incidents.incident import Incident

MAX_S = 30 * 86400.0
"""For longer than 30 days, change the rule instead."""


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
    def expression(self) -> str:
        """The matcher as an operator types it."""
        return format_matcher(self.matcher)

    def matches(self, incident: Incident) -> bool:
        """Whether every part of the matcher matches."""
        own = {"id": incident.id, "family": incident.family, "rule": incident.rule, "tier": incident.tier}
        segment = dict(incident.where) | dict(incident.segment)
        return all(own.get(key, segment.get(key)) == value for key, value in self.matcher)


def matcher_of(target: str) -> tuple[tuple[str, str], ...]:
    """Parse a matcher; empty if `target` isn't one.

    >>> matcher_of("language=es family=latency")
    (('family', 'latency'), ('language', 'es'))
    >>> matcher_of("i12")
    (('id', 'i12'),)
    """
    try:
        words = shlex.split(target)
    except ValueError:  # unbalanced quotes
        return ()
    if len(words) == 1 and "=" not in target:
        return (("id", target),)
    parts = [word.partition("=") for word in words]
    if not all(key and sign and value for key, sign, value in parts):
        return ()
    return tuple(sorted((key, value) for key, _, value in parts))


def format_matcher(matcher: Iterable[tuple[str, str]]) -> str:
    """Format a matcher so that `matcher_of` can parse it.

    >>> written([("intent", "close account"), ("tier", "gold")])
    "'intent=close account' tier=gold"
    """
    return shlex.join(f"{key}={value}" for key, value in matcher)
