"""Everybody else, by Apprise: e-mail, Opsgenie, Splunk On-Call, Jira, Teams workflows, webhooks and 100 more.

A target is one of Apprise's URLs. Apprise says only whether it worked; the reason goes to a log, which is read here.

Pagers among them know a key by which a later word finds its incident. Apprise takes one key a URL, so that one resolve
would end all of them, or a title, which changes: each word gets the incident's own key here, and an acknowledgement is
one.
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
    """Which attribute of a plugin of Apprise is the key, and what its action for taking an incident is called."""

    key: str
    acknowledge: str


_PAGERS = {
    "NotifySplunk": _Pager("entity_id", "acknowledgement"),
    "NotifyOpsgenie": _Pager("alias", "acknowledge"),
    "NotifyJira": _Pager("alias", "acknowledge"),
}
_BY_MAP = "map"
"""The action that stands for whatever fits the kind of a message; any other was asked for in the URL."""
_one_at_a_time = threading.Lock()
"""Apprise has one log for all, so what it says can be told apart only while one of them speaks."""


class AppriseServices:
    """A `Target`. Raises NotifyError where the secret or the library is missing, or Apprise can't read the URL."""

    takes_changes = False
    changes_in_place = False

    def __init__(self, name: str, config: AppriseTarget, vault: SecretStore, deployment: str) -> None:
        self.name = f"apprise.{name}"
        self.tiers = config.tiers
        self.deployment = deployment
        self.quiet: QuietHours | None = None
        self._vault = vault
        self._where = config.url
        url = vault.get(config.url)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its plugins, about their age
            try:
                import apprise  # noqa: PLC0415 - an optional extra
            except ImportError:
                raise NotifyError(f"{self.name} needs Apprise: pip install 'voicetop[watch]'") from None
            # what pagers called their alerts, so that the next process can close them
            asset = apprise.AppriseAsset(storage_path=str(state_dir() / "apprise"))
            self._apprise = apprise.Apprise(asset=asset)
            known = self._apprise.add(url)
        if not known:
            raise NotifyError(
                f"{self.name}: Apprise doesn't understand the URL in {config.url}; see its wiki"
            )

    def tell(self, effect: Effect, ref: str) -> str:
        kind = "success" if effect.reason == "resolved" else _TYPES[effect.tier]
        text = "\n".join(message_text.body(effect)) or effect.summary
        self._notify(
            message_text.title(effect), text, kind, effect.key, taken=effect.reason == "acknowledged"
        )
        return ref

    def tell_digest(self, digest: Digest) -> None:
        self._notify(digest.title, "\n".join(digest.lines), "info", digest.key)

    def _notify(self, title: str, text: str, kind: str, key: str, *, taken: bool = False) -> None:
        name = f"[{self.deployment}] " if self.deployment else ""
        with _one_at_a_time, _Said() as said, self._about(key, taken=taken):
            try:
                arrived = self._apprise.notify(title=f"{name}{title}", body=text, notify_type=kind)
            except Exception as error:  # noqa: BLE001 - 100 plugins, each with errors of its own
                raise DeliveryFailed(self._clean(f"{type(error).__name__}: {error}")) from None
        if not arrived:
            why = self._clean(said.last).rstrip(".") or "Apprise could not deliver it and gives no reason"
            raise DeliveryFailed(
                f"{why}: check the URL in {self._where}, and that this machine can reach it", unsure=True
            )

    @contextmanager
    def _about(self, key: str, *, taken: bool) -> Iterator[None]:
        """For one message: whose it is, and whether it says that somebody took it."""
        mapped: list[Any] = []
        plugins: Iterator[Any] = iter(self._apprise)
        for plugin in plugins:
            pager = _PAGERS.get(type(plugin).__name__)
            if pager is None:
                continue
            setattr(plugin, pager.key, key)
            if taken and plugin.action == _BY_MAP:
                mapped.append(plugin)
                plugin.action = pager.acknowledge
        try:
            yield
        finally:
            for plugin in mapped:
                plugin.action = _BY_MAP

    def tell_change(self, change: IncidentChange) -> None:
        """Few of them have a place for it."""

    def close(self) -> None:
        """It keeps none open."""

    def _clean(self, text: str) -> str:
        return safe_text(self._vault.scrub(text), 300)


class _Said(logging.Handler):
    """Listens to Apprise's log for the first warning or error. Nothing of it reaches any other log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""
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
        self.last = self.last or record.getMessage()
