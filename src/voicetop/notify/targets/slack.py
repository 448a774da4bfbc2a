"""Slack: one message per incident, edited as it gets worse, is acknowledged and is resolved.

Slack has no deduplication key: after a crash between sending and recording it, an incident may have two messages. The
queue counts how often that may have happened.
"""

from __future__ import annotations

from typing import Any

from voicetop.alerts.signals import Effect
from voicetop.errors import NotifyError
from voicetop.notify import message_text
from voicetop.notify.quiet_hours import QuietHours
from voicetop.notify.secrets import SecretStore
from voicetop.notify.settings import SlackTarget
from voicetop.notify.targets.base import (
    TIMEOUT_S,
    DeliveryFailed,
    Digest,
    IncidentChange,
    http_failure,
    seconds_of,
    silence_loggers,
    unreachable,
)
from voicetop.wire.text import safe_text

COLOURS = {"critical": "#d32f2f", "warning": "#f2a900", "info": "#607d8b"}
RESOLVED_COLOUR = "#2e7d32"
_TRANSIENT = {
    "ratelimited",
    "rate_limited",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
}
_GONE = {"message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found"}
_FIX = {
    "channel_not_found": "no such channel, or the bot isn't a member: /invite the bot",
    "not_in_channel": "the bot isn't a member of the channel: /invite it",
    "is_archived": "the channel is archived: use another",
    "missing_scope": "the bot lacks a scope: grant chat:write and reinstall it",
}
_CHECK_ACCESS = "check the token: reinstall the app and store its bot token (xoxb-…) where the config says"


class Slack:
    """A `Target`. Its `ref` is "CHANNEL TS" of the message. Raises NotifyError if secret or library is missing."""

    takes_changes = False
    updates_in_place = True

    def __init__(self, name: str, config: SlackTarget, secrets: SecretStore, deployment: str) -> None:
        self.name = f"slack.{name}"
        self.tiers = config.tiers
        self.deployment = deployment
        self.quiet: QuietHours | None = None
        self._channel = config.channel
        self._secrets = secrets
        try:
            from slack_sdk import WebClient, errors  # noqa: PLC0415 - an optional extra
        except ImportError:
            raise NotifyError(f"{self.name} needs Slack's library: pip install 'voicetop[watch]'") from None
        silence_loggers("slack_sdk")
        self._error: Any = errors.SlackApiError
        self._client = WebClient(
            secrets.get(config.token), base_url=config.url, timeout=int(TIMEOUT_S), retry_handlers=[]
        )

    def send(self, effect: Effect, ref: str) -> str:
        if not ref and effect.reason in ("acknowledged", "returned", "resolved"):
            return ref  # the incident was never posted
        channel, _, stamp = ref.partition(" ")
        if stamp:
            try:
                self._request(self._client.chat_update, channel=channel, ts=stamp, **self._message(effect))
            except _MessageGone:
                stamp = ""
            else:
                return ref
        return self._post(effect)

    def send_change(self, change: IncidentChange) -> None:
        """Not sent: deploys would flood a channel."""

    def send_digest(self, digest: Digest) -> None:
        lines = "\n".join(_escaped(line) for line in digest.lines)
        self._request(
            self._client.chat_postMessage,
            channel=self._channel,
            text=_escaped(f"{self._prefix}{digest.title}"),
            attachments=[{"color": RESOLVED_COLOUR, "text": lines, "fallback": lines}],
            unfurl_links=False,
            unfurl_media=False,
        )

    @property
    def _prefix(self) -> str:
        return f"[{self.deployment}] " if self.deployment else ""

    def close(self) -> None:
        """Has no open connections."""

    def _post(self, effect: Effect) -> str:
        response = self._request(
            self._client.chat_postMessage, channel=self._channel, **self._message(effect)
        )
        return f"{response.get('channel') or self._channel} {response.get('ts') or ''}".strip()

    def _message(self, effect: Effect) -> dict[str, Any]:
        text = _escaped(f"{self._prefix}{message_text.title(effect)}")
        lines = "\n".join(_escaped(line) for line in message_text.body(effect))
        colour = RESOLVED_COLOUR if effect.reason == "resolved" else COLOURS[effect.tier]
        return {
            "text": text,
            "attachments": [{"color": colour, "text": lines, "fallback": lines}],
            "unfurl_links": False,
            "unfurl_media": False,
        }

    def _request(self, call: Any, **arguments: Any) -> Any:
        """Send one request. Raises DeliveryFailed, or _MessageGone if the message to edit no longer exists."""
        if call == self._client.chat_update:
            arguments = {key: value for key, value in arguments.items() if not key.startswith("unfurl")}
        try:
            return call(**arguments)
        except self._error as error:
            raise self._failure(error.response, changing=call == self._client.chat_update) from None
        except (
            OSError,
            ValueError,
            RuntimeError,
        ) as error:  # of urllib, or of json if a proxy answers in HTML
            why = safe_text(self._secrets.scrub(str(getattr(error, "reason", error))), 200)
            raise unreachable(self._client.base_url, why) from None

    def _failure(self, response: Any, *, changing: bool) -> DeliveryFailed:
        headers = {str(key).lower(): value for key, value in (response.headers or {}).items()}
        data = response.data if isinstance(response.data, dict) else {}
        reason = str(data.get("error", ""))
        if response.status_code == 429 or reason in _TRANSIENT:
            return DeliveryFailed(
                f"rate limited by Slack ({reason or 'HTTP 429'})",
                after_s=seconds_of(headers.get("retry-after")),
                busy=response.status_code == 429,
            )
        if changing and reason in _GONE:
            return _MessageGone(reason)
        if reason:
            return DeliveryFailed(
                f"rejected by Slack ({safe_text(reason, 80)}): {_FIX.get(reason, _CHECK_ACCESS)}",
                refused=True,
            )
        return http_failure(
            response.status_code, "", headers.get("retry-after"), fix="check the target's url"
        )


class _MessageGone(DeliveryFailed):
    """The message was deleted or can't be edited any more; a new one replaces it."""


def _escaped(text: str) -> str:
    """Escapes Slack's three control characters ("Formatting text for app surfaces" in its manual)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
