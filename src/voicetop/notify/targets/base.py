"""What every target has in common: it tells one thing at a time, and says why where it can't.

A target blocks; `delivery` runs it on a thread of its own, repeats what fails, and keeps the order of what belongs to
one incident.
"""

from __future__ import annotations

import logging
from typing import Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from voicetop.alerts.signals import Effect, Tier
from voicetop.notify.quiet_hours import QuietHours

TIMEOUT_S = 10.0
"""For a whole request and its answer."""


class IncidentChange(Struct, frozen=True):
    """A change in the world (a deploy, a model update): no alert, but what an alert may be blamed on."""

    key: str
    at: float
    kind: str
    label: str
    version: str = ""
    source: str = ""


class Digest(Struct, frozen=True):
    """What fired and resolved in quiet hours, for a target that was told nothing of it then."""

    key: str
    at: float
    title: str
    lines: tuple[str, ...]


class DeliveryFailed(Exception):
    """It did not arrive, or nobody knows whether it did. `after_s`: not before so many seconds (0: as you like).

    `refused`: the other end understood and said no; the same again would not help until somebody mends something.
    `busy`: this holds for the whole target, not for this one thing. `unsure`: it may have arrived all the same.
    """

    def __init__(
        self,
        why: str,
        *,
        after_s: float = 0.0,
        refused: bool = False,
        busy: bool = False,
        unsure: bool = False,
    ) -> None:
        super().__init__(why)
        self.unsure = unsure
        self.after_s = after_s
        self.refused = refused
        self.busy = busy


class Target(Protocol):
    """Somebody to be told."""

    name: str
    """As in the config: "pagerduty.oncall"."""
    tiers: tuple[Tier, ...]
    deployment: str
    """What the feed is called; known for sure once the hub has said it."""
    quiet: QuietHours | None
    """When it is told of critical alerts only."""

    def tell(self, effect: Effect, ref: str) -> str:
        """Tell it; `ref` is what the last telling of this incident gave, and what is given is kept. Raises Failed."""

    def tell_change(self, change: IncidentChange) -> None:
        """Tell of a change, where the target has a place for it. Raises Failed."""

    def tell_digest(self, digest: Digest) -> None:
        """Tell what quiet hours held back. Raises Failed."""

    def close(self) -> None:
        """Let go of its connections."""

    @property
    def takes_changes(self) -> bool: ...

    @property
    def changes_in_place(self) -> bool:
        """Whether more of what it was told of changes what is there, and rings nobody."""


def hush(*loggers: str) -> None:
    """Keep a library's own log off the standard error: what matters of it is in Failed, without secrets."""
    for name in loggers:
        logger = logging.getLogger(name)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


def seconds_of(retry_after: str | None) -> float:
    """What a `Retry-After` header asks for; 0 where it is a date or nonsense, and at most an hour.

    >>> seconds_of("30"), seconds_of("soon"), seconds_of(None)
    (30.0, 0.0, 0.0)
    """
    try:
        return min(3600.0, max(0.0, float(retry_after or 0)))
    except ValueError:
        return 0.0


def unreachable(url: str, why: str) -> DeliveryFailed:
    """There was no answer, or nobody knows which: what to look at first."""
    return DeliveryFailed(
        f"no response from {urlsplit(url).netloc} ({why}): check the network, and HTTPS_PROXY if needed",
        unsure=True,
    )


def failure_of(status: int, said: str, retry_after: str | None, *, mend: str) -> DeliveryFailed:
    """What an HTTP status other than 2xx means for who sent. `mend` says what to do where it was a no."""
    if status == 429:
        after = seconds_of(retry_after)
        return DeliveryFailed(f"rate limited (HTTP 429), retrying in {after:.0f} s", after_s=after, busy=True)
    if status >= 500 or status in (408, 425):
        return DeliveryFailed(f"server error (HTTP {status})", after_s=seconds_of(retry_after))
    return DeliveryFailed(f"rejected (HTTP {status}{': ' + said if said else ''}): {mend}", refused=True)
