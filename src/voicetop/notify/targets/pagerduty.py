"""PagerDuty, Events API v2: trigger, acknowledge and resolve by dedup key; deploys as change events.

PagerDuty drops a repeated event by its key, so that what was sent twice after a crash pages nobody twice. Its library
would repeat a 429 without end and keeps no order between events: each call here is one request, and `delivery` repeats.
"""

from __future__ import annotations

from typing import Any

from voicetop.alerts.signals import Effect
from voicetop.errors import NotifyError
from voicetop.formatting import times
from voicetop.notify.quiet_hours import QuietHours
from voicetop.notify.secrets import SecretStore
from voicetop.notify.settings import PagerDutyTarget
from voicetop.notify.targets.base import (
    TIMEOUT_S,
    DeliveryFailed,
    Digest,
    IncidentChange,
    failure_of,
    hush,
    unreachable,
)
from voicetop.wire.text import safe_text

MOST_SUMMARY, MOST_KEY = 1024, 255
FIX = "check the integration's key in PagerDuty (Services, Integrations, Events API v2) and the region of its url"
_SEVERITY = {"critical": "critical", "warning": "warning", "info": "info"}


class PagerDuty:
    """A `Target`. Raises NotifyError where the secret or the library is missing."""

    takes_changes = True
    changes_in_place = True

    def __init__(self, name: str, config: PagerDutyTarget, vault: SecretStore, deployment: str) -> None:
        self.name = f"pagerduty.{name}"
        self.tiers = config.tiers
        self.takes_changes = config.changes
        self.deployment = deployment
        self.quiet: QuietHours | None = None
        try:
            import pagerduty  # noqa: PLC0415 - an optional extra
        except ImportError:
            raise NotifyError(
                f"{self.name} needs PagerDuty's library: pip install 'voicetop[watch]'"
            ) from None
        self._library: Any = pagerduty
        hush("pagerduty")
        self._vault = vault
        if not config.url.startswith("https://"):
            raise NotifyError(f"{self.name}: its url has to begin with https://")
        self._client = pagerduty.EventsApiV2Client(
            vault.get(config.routing_key), base_url=config.url.rstrip("/")
        )
        self._client.retry = {429: 1}
        self._client.max_http_attempts = -1  # so that a 429 comes back at once, with how long to wait
        self._client.max_network_attempts = 0
        self._client.timeout = int(TIMEOUT_S)

    def tell(self, effect: Effect, ref: str) -> str:
        key = effect.key[:MOST_KEY]
        if effect.reason == "resolved":
            self._send("resolve", key)
        elif effect.reason == "acknowledged":
            self._send("acknowledge", key)
        elif effect.reason != "returned":  # which it has no event for
            self._send("trigger", key, payload=self._payload(effect), links=_links(effect), client="voicetop")
        return ref

    def tell_change(self, change: IncidentChange) -> None:
        details = {"kind": change.kind, "version": change.version}
        payload = {
            "summary": f"{change.kind}: {change.label}"[:MOST_SUMMARY],
            "source": change.source or self.deployment or "voicetop",
            "timestamp": times.iso(change.at),
            "custom_details": {key: value for key, value in details.items() if value},
        }
        self._ask(lambda: self._client.send_change_event(payload=payload))

    def tell_digest(self, digest: Digest) -> None:
        """It has no quiet hours here: it has urgencies and support hours of its own."""

    def close(self) -> None:
        self._client.close()

    def _payload(self, effect: Effect) -> dict[str, Any]:
        details = {
            "blame": effect.blame,
            "segment": " × ".join(f"{name}={value}" for name, value in effect.where) or "all calls",
            "began": times.iso(effect.onset),
            "to detect": times.span(effect.to_detect_s) if effect.fired_at else "",
            "incident": effect.incident_id,
            "runbook": effect.runbook,
        }
        return {
            "summary": f"[{self.deployment or 'voicetop'}] {effect.summary}"[:MOST_SUMMARY],
            "source": self.deployment or "voicetop",
            "severity": _SEVERITY[effect.tier],
            "timestamp": times.iso(effect.at),
            "group": effect.family,
            "class": effect.rule,
            "custom_details": {key: value for key, value in details.items() if value},
        }

    def _send(self, action: str, key: str, **properties: Any) -> None:
        self._ask(lambda: self._client.send_event(action, dedup_key=key, **properties))

    def _ask(self, request: Any) -> None:
        """One request. Raises Failed for whatever came of it but a yes."""
        try:
            request()
        except self._library.Error as error:
            raise self._failure(error) from None

    def _failure(self, error: Any) -> DeliveryFailed:
        response = error.response
        if response is None:
            return unreachable(str(self._client.url), _trouble(error.__cause__))
        if response.is_success:
            return DeliveryFailed("the response is not from PagerDuty: check the url")
        said = safe_text(self._vault.scrub(_said(response)), 200)
        return failure_of(response.status_code, said, response.headers.get("Retry-After"), mend=FIX)


def _trouble(cause: BaseException | None) -> str:
    """What the network did, in words.

    >>> _trouble(None)
    'the network failed'
    """
    name = type(cause).__name__
    if "Timeout" in name:
        return f"no response within {TIMEOUT_S:.0f} s"
    return {"ConnectError": "no connection", "RemoteProtocolError": "it closed the connection"}.get(
        name, "the network failed"
    )


def _said(response: Any) -> str:
    """What PagerDuty says of an event that it doesn't take."""
    try:
        told = response.json()
    except ValueError:
        return ""
    if not isinstance(told, dict):
        return ""
    errors = told.get("errors")
    return (
        "; ".join(map(str, errors)) if isinstance(errors, list) and errors else str(told.get("message", ""))
    )


def _links(effect: Effect) -> list[dict[str, str]]:
    return [{"href": url, "text": url} for url in effect.links if url.startswith(("https://", "http://"))]
