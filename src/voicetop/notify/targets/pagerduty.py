"""PagerDuty, Events API v2: trigger, acknowledge and resolve by dedup key; deploys as change events.

PagerDuty deduplicates events by key, so an event sent twice after a crash pages nobody twice. Its library would retry a
429 forever and doesn't order events: each call here is one request, and `delivery` retries.
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
    http_failure,
    silence_loggers,
    unreachable,
)
from voicetop.wire.text import safe_text

MOST_SUMMARY, MOST_KEY = 1024, 255
FIX = "check the integration's key in PagerDuty (Services, Integrations, Events API v2) and the region of its url"
_SEVERITY = {"critical": "critical", "warning": "warning", "info": "info"}


class PagerDuty:
    """A `Target`. Raises NotifyError if the secret or the library is missing."""

    takes_changes = True
    updates_in_place = True

    def __init__(self, name: str, config: PagerDutyTarget, secrets: SecretStore, deployment: str) -> None:
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
        silence_loggers("pagerduty")
        self._secrets = secrets
        if not config.url.startswith("https://"):
            raise NotifyError(f"{self.name}: its url has to begin with https://")
        self._client = pagerduty.EventsApiV2Client(
            secrets.get(config.routing_key), base_url=config.url.rstrip("/")
        )
        self._client.retry = {429: 1}
        self._client.max_http_attempts = -1  # so that a 429 is raised at once, with its Retry-After
        self._client.max_network_attempts = 0
        self._client.timeout = int(TIMEOUT_S)

    def send(self, effect: Effect, ref: str) -> str:
        key = effect.key[:MOST_KEY]
        if effect.reason == "resolved":
            self._send("resolve", key)
        elif effect.reason == "acknowledged":
            self._send("acknowledge", key)
        elif effect.reason != "returned":  # PagerDuty has no event to unacknowledge
            self._send("trigger", key, payload=self._payload(effect), links=_links(effect), client="voicetop")
        return ref

    def send_change(self, change: IncidentChange) -> None:
        details = {"kind": change.kind, "version": change.version}
        payload = {
            "summary": f"{change.kind}: {change.label}"[:MOST_SUMMARY],
            "source": change.source or self.deployment or "voicetop",
            "timestamp": times.iso(change.at),
            "custom_details": {key: value for key, value in details.items() if value},
        }
        self._request(lambda: self._client.send_change_event(payload=payload))

    def send_digest(self, digest: Digest) -> None:
        """Never called: pages are not held in quiet hours."""

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
        self._request(lambda: self._client.send_event(action, dedup_key=key, **properties))

    def _request(self, request: Any) -> None:
        """Send one request. Raises DeliveryFailed if it isn't accepted."""
        try:
            request()
        except self._library.Error as error:
            raise self._failure(error) from None

    def _failure(self, error: Any) -> DeliveryFailed:
        response = error.response
        if response is None:
            return unreachable(str(self._client.url), _network_error(error.__cause__))
        if response.is_success:
            return DeliveryFailed("the response is not from PagerDuty: check the url")
        reason = safe_text(self._secrets.scrub(_reason(response)), 200)
        return http_failure(response.status_code, reason, response.headers.get("Retry-After"), fix=FIX)


def _network_error(cause: BaseException | None) -> str:
    """A network error in words.

    >>> _trouble(None)
    'the network failed'
    """
    name = type(cause).__name__
    if "Timeout" in name:
        return f"no response within {TIMEOUT_S:.0f} s"
    return {"ConnectError": "no connection", "RemoteProtocolError": "it closed the connection"}.get(
        name, "the network failed"
    )


def _reason(response: Any) -> str:
    """PagerDuty's reason for rejecting an event."""
    try:
        body = response.json()
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    errors = body.get("errors")
    return (
        "; ".join(map(str, errors)) if isinstance(errors, list) and errors else str(body.get("message", ""))
    )


def _links(effect: Effect) -> list[dict[str, str]]:
    return [{"href": url, "text": url} for url in effect.links if url.startswith(("https://", "http://"))]
