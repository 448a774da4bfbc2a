"""Slack: one message for an incident, changed as it gets worse, is taken and is over.

Slack knows no key to drop a repeated message by: after a crash between sending and noting it, an incident may have two
messages. `outbox` counts how often that may have been.
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
    failure_of,
    hush,
    seconds_of,
    unreachable,
)
from voicetop.wire.text import safe_text

COLOURS = {"critical": "#d32f2f", "warning": "#f2a900", "info": "#607d8b"}
CALM = "#2e7d32"
_PASSING = {
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
_NOT_LET_IN = "check the token: reinstall the app and store its bot token (xoxb-…) where the config says"


class Slack:
    """A `Target`. Its `ref` is "CHANNEL TS" of the message. Raises NotifyError where secret or library is missing."""

    takes_changes = False
    changes_in_place = True

    def __init__(self, name: str, config: SlackTarget, vault: SecretStore, deployment: str) -> None:
        self.name = f"slack.{name}"
        self.tiers = config.tiers
        self.deployment = deployment
        self.quiet: QuietHours | None = None
        self._channel = config.channel
        self._vault = vault
        try:
            from slack_sdk import WebClient, errors  # noqa: PLC0415 - an optional extra
        except ImportError:
            raise NotifyError(f"{self.name} needs Slack's library: pip install 'voicetop[watch]'") from None
        hush("slack_sdk")
        self._error: Any = errors.SlackApiError
        self._client = WebClient(
            vault.get(config.token), base_url=config.url, timeout=int(TIMEOUT_S), retry_handlers=[]
        )

    def tell(self, effect: Effect, ref: str) -> str:
        if not ref and effect.reason in ("acknowledged", "returned", "resolved"):
            return ref  # nobody was told of it
        channel, _, stamp = ref.partition(" ")
        if stamp:
            try:
                self._ask(self._client.chat_update, channel=channel, ts=stamp, **self._message(effect))
            except _MessageGone:
                stamp = ""
            else:
                return ref
        return self._post(effect)

    def tell_change(self, change: IncidentChange) -> None:
        """A channel would drown in deploys."""

    def tell_digest(self, digest: Digest) -> None:
        lines = "\n".join(_escaped(line) for line in digest.lines)
        self._ask(
            self._client.chat_postMessage,
            channel=self._channel,
            text=_escaped(f"{self._called}{digest.title}"),
            attachments=[{"color": CALM, "text": lines, "fallback": lines}],
            unfurl_links=False,
            unfurl_media=False,
        )

    @property
    def _called(self) -> str:
        return f"[{self.deployment}] " if self.deployment else ""

    def close(self) -> None:
        """It keeps none open."""

    def _post(self, effect: Effect) -> str:
        told = self._ask(self._client.chat_postMessage, channel=self._channel, **self._message(effect))
        return f"{told.get('channel') or self._channel} {told.get('ts') or ''}".strip()

    def _message(self, effect: Effect) -> dict[str, Any]:
        text = _escaped(f"{self._called}{message_text.title(effect)}")
        lines = "\n".join(_escaped(line) for line in message_text.body(effect))
        colour = CALM if effect.reason == "resolved" else COLOURS[effect.tier]
        return {
            "text": text,
            "attachments": [{"color": colour, "text": lines, "fallback": lines}],
            "unfurl_links": False,
            "unfurl_media": False,
        }

    def _ask(self, call: Any, **arguments: Any) -> Any:
        """One request. Raises Failed, or _MessageGone where the message to change is not there any more."""
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
        ) as error:  # urllib's, and json's where a proxy answers in HTML
            why = safe_text(self._vault.scrub(str(getattr(error, "reason", error))), 200)
            raise unreachable(self._client.base_url, why) from None

    def _failure(self, response: Any, *, changing: bool) -> DeliveryFailed:
        headers = {str(key).lower(): value for key, value in (response.headers or {}).items()}
        data = response.data if isinstance(response.data, dict) else {}
        said = str(data.get("error", ""))
        if response.status_code == 429 or said in _PASSING:
            return DeliveryFailed(
                f"rate limited by Slack ({said or 'HTTP 429'})",
                after_s=seconds_of(headers.get("retry-after")),
                busy=response.status_code == 429,
            )
        if changing and said in _GONE:
            return _MessageGone(said)
        if said:
            return DeliveryFailed(
                f"rejected by Slack ({safe_text(said, 80)}): {_FIX.get(said, _NOT_LET_IN)}", refused=True
            )
        return failure_of(response.status_code, "", headers.get("retry-after"), mend="check the target's url")


class _MessageGone(DeliveryFailed):
    """The message was deleted, or may not be changed any more: a new one tells it."""


def _escaped(text: str) -> str:
    """Slack's three control characters, as its manual wants them ("Formatting text for app surfaces")."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
