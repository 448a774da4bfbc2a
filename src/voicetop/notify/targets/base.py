"""What all targets share: the protocol, its message types and its errors.

A target sends one message at a time and blocks; `delivery` runs it on a thread, retries failures, and keeps the order
within an incident.
"""

from __future__ import annotations

import logging
from typing import Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from voicetop.alerts.signals import Effect, Tier
from voicetop.notify.quiet_hours import QuietHours

TIMEOUT_S = 10.0
"""For a whole request and its response."""


class IncidentChange(Struct, frozen=True):
    """A deploy, model update or other marker: not an alert, but its possible cause."""

    key: str
    at: float
    kind: str
    label: str
    version: str = ""
    source: str = ""


class Digest(Struct, frozen=True):
    """What fired and resolved in a target's quiet hours."""

    key: str
    at: float
    title: str
    lines: tuple[str, ...]


class DeliveryFailed(Exception):
    """A message did not arrive, or may not have. `after_s`: wait at least this long before a retry (0: no constraint).

    `refused`: the target rejected it; a retry won't help until somebody fixes something. `busy`: applies to the whole
    target, not only to this message. `unsure`: the message may have arrived.
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
    """A service or channel that is notified."""

    name: str
    """As in the config: "pagerduty.oncall"."""
    tiers: tuple[Tier, ...]
    deployment: str
    """The deployment's name; final once the hub has sent it."""
    quiet: QuietHours | None
    """When it gets critical alerts only."""

    def send(self, effect: Effect, ref: str) -> str:
        """Send an effect. `ref` is what the last message of this incident returned. Raises DeliveryFailed."""

    def send_change(self, change: IncidentChange) -> None:
        """Send a change, if the target supports it. Raises DeliveryFailed."""

    def send_digest(self, digest: Digest) -> None:
        """Send the digest of quiet hours. Raises DeliveryFailed."""

    def close(self) -> None:
        """Close its connections."""

    @property
    def takes_changes(self) -> bool: ...

    @property
    def updates_in_place(self) -> bool:
        """Whether an update edits the earlier message, and alerts nobody."""


def silence_loggers(*loggers: str) -> None:
    """Keep a library's log off standard error: DeliveryFailed has what matters, without secrets."""
    for name in loggers:
        logger = logging.getLogger(name)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


def seconds_of(retry_after: str | None) -> float:
    """The seconds of a `Retry-After` header, at most an hour; 0 for a date or nonsense.

    >>> seconds_of("30"), seconds_of("soon"), seconds_of(None)
    (30.0, 0.0, 0.0)
    """
    try:
        return min(3600.0, max(0.0, float(retry_after or 0)))
    except ValueError:
        return 0.0


def unreachable(url: str, why: str) -> DeliveryFailed:
    """The failure when no response arrived; the message may have."""
    return DeliveryFailed(
        f"no response from {urlsplit(url).netloc} ({why}): check the network, and HTTPS_PROXY if needed",
        unsure=True,
    )


def http_failure(status: int, reason: str, retry_after: str | None, *, fix: str) -> DeliveryFailed:
    """The failure of a non-2xx HTTP status. `fix` says what to do about a rejection."""
    if status == 429:
        after = seconds_of(retry_after)
        return DeliveryFailed(f"rate limited (HTTP 429), retrying in {after:.0f} s", after_s=after, busy=True)
    if status >= 500 or status in (408, 425):
        return DeliveryFailed(f"server error (HTTP {status})", after_s=seconds_of(retry_after))
    return DeliveryFailed(f"rejected (HTTP {status}{': ' + reason if reason else ''}): {fix}", refused=True)
