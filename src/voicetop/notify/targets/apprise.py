"""All other services, through Apprise: e-mail, Opsgenie, Splunk On-Call, Jira, Teams workflows, webhooks and 100 more.

A target is one Apprise URL. Apprise only reports success; the reason of a failure goes to its log, which is read here.

Pagers find the incident of a later message by a key. Apprise has one key per URL, so one resolve would close all
incidents, or uses the title, which changes. Here each message gets its incident's key, and acknowledgements are sent as
such.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

from voicetop.alerts.signals import Effect
from voicetop.errors import NotifyError
from voicetop.locations import state_dir
from voicetop.notify import message_text
from voicetop.notify.quiet_hours import QuietHours
from voicetop.notify.secrets import SecretStore
from voicetop.notify.settings import AppriseTarget
from voicetop.notify.targets.base import DeliveryFailed, Digest, IncidentChange
from voicetop.wire.text import safe_text

_TYPES = {"critical": "failure", "warning": "warning", "info": "info"}


class _Pager(NamedTuple):
    """The key attribute of an Apprise plugin, and the name of its action to acknowledge an incident."""

    key: str
    acknowledge: str


_PAGERS = {
    "NotifySplunk": _Pager("entity_id", "acknowledgement"),
    "NotifyOpsgenie": _Pager("alias", "acknowledge"),
    "NotifyJira": _Pager("alias", "acknowledge"),
}
_DEFAULT_ACTION = "map"
"""The default action, chosen by the type of a message; any other was set in the URL."""
_send_lock = threading.Lock()
"""Apprise has one log for all URLs: to attribute its lines, only one target sends at a time."""


class AppriseServices:
    """A `Target`. Raises NotifyError if the secret or library is missing, or Apprise can't read the URL."""

    takes_changes = False
    updates_in_place = False

    def __init__(self, name: str, config: AppriseTarget, secrets: SecretStore, deployment: str) -> None:
        self.name = f"apprise.{name}"
        self.tiers = config.tiers
        self.deployment = deployment
        self.quiet: QuietHours | None = None
        self._secrets = secrets
        self._where = config.url
        url = secrets.get(config.url)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations in its plugins
            try:
                import apprise  # noqa: PLC0415 - an optional extra
            except ImportError:
                raise NotifyError(f"{self.name} needs Apprise: pip install 'voicetop[watch]'") from None
            # remembers the pagers' alert ids, so that the next process can close them
            asset = apprise.AppriseAsset(storage_path=str(state_dir() / "apprise"))
            self._apprise = apprise.Apprise(asset=asset)
            known = self._apprise.add(url)
        if not known:
            raise NotifyError(
                f"{self.name}: Apprise doesn't understand the URL in {config.url}; see its wiki"
            )

    def send(self, effect: Effect, ref: str) -> str:
        kind = "success" if effect.reason == "resolved" else _TYPES[effect.tier]
        text = "\n".join(message_text.body(effect)) or effect.summary
        self._notify(
            message_text.title(effect), text, kind, effect.key, acknowledges=effect.reason == "acknowledged"
        )
        return ref

    def send_digest(self, digest: Digest) -> None:
        self._notify(digest.title, "\n".join(digest.lines), "info", digest.key)

    def _notify(self, title: str, text: str, kind: str, key: str, *, acknowledges: bool = False) -> None:
        name = f"[{self.deployment}] " if self.deployment else ""
        with _send_lock, _FirstError() as error_log, self._addressed(key, acknowledges=acknowledges):
            try:
                arrived = self._apprise.notify(title=f"{name}{title}", body=text, notify_type=kind)
            except Exception as error:  # noqa: BLE001 - 100 plugins, each with errors of its own
                raise DeliveryFailed(self._clean(f"{type(error).__name__}: {error}")) from None
        if not arrived:
            why = (
                self._clean(error_log.first).rstrip(".") or "Apprise could not deliver it and gives no reason"
            )
            raise DeliveryFailed(
                f"{why}: check the URL in {self._where}, and that this machine can reach it", unsure=True
            )

    @contextmanager
    def _addressed(self, key: str, *, acknowledges: bool) -> Iterator[None]:
        """Set key and action for one message; `acknowledges` if it is an acknowledgement."""
        mapped: list[Any] = []
        plugins: Iterator[Any] = iter(self._apprise)
        for plugin in plugins:
            pager = _PAGERS.get(type(plugin).__name__)
            if pager is None:
                continue
            setattr(plugin, pager.key, key)
            if acknowledges and plugin.action == _DEFAULT_ACTION:
                mapped.append(plugin)
                plugin.action = pager.acknowledge
        try:
            yield
        finally:
            for plugin in mapped:
                plugin.action = _DEFAULT_ACTION

    def send_change(self, change: IncidentChange) -> None:
        """Not sent: few services support changes."""

    def close(self) -> None:
        """Has no open connections."""

    def _clean(self, text: str) -> str:
        return safe_text(self._secrets.scrub(text), 300)


class _FirstError(logging.Handler):
    """Captures the first warning or error of Apprise's log, and keeps it out of other logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.first = ""
        self._logger = logging.getLogger("apprise")

    def __enter__(self) -> Self:
        self._before = self._logger.propagate
        self._logger.propagate = False
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._before

    def emit(self, record: logging.LogRecord) -> None:
        self.first = self.first or record.getMessage()
