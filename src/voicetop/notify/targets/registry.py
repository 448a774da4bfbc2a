"""Opens the targets of a config by kind; a library is imported only if a target needs it."""

from __future__ import annotations

from collections.abc import Mapping

from voicetop.notify.quiet_hours import QuietHours
from voicetop.notify.secrets import SecretStore
from voicetop.notify.settings import NotifyConfig
from voicetop.notify.targets.base import Target


def targets_of(
    config: NotifyConfig, secrets: SecretStore, deployment: str = "", *, utc: bool = False
) -> list[Target]:
    """All targets of the config. Raises NotifyError for the first that lacks a secret or a library."""
    return [open_target(kind, name, config, secrets, deployment, utc=utc) for kind, name in named(config)]


def named(config: NotifyConfig) -> list[tuple[str, str]]:
    """The targets of the config, as (kind, name)."""
    kinds: dict[str, Mapping[str, object]] = {
        "pagerduty": config.pagerduty,
        "slack": config.slack,
        "apprise": config.apprise,
    }
    return [(kind, name) for kind, tables in kinds.items() for name in tables]


def open_target(
    kind: str, name: str, config: NotifyConfig, secrets: SecretStore, deployment: str, *, utc: bool = False
) -> Target:
    """One target. Raises NotifyError."""
    target = _open(kind, name, config, secrets, deployment)
    if kind != "pagerduty":
        own = (config.slack if kind == "slack" else config.apprise)[name].quiet
        target.quiet = QuietHours.of(config.quiet if own is None else own, utc=utc)
    return target


def _open(kind: str, name: str, config: NotifyConfig, secrets: SecretStore, deployment: str) -> Target:
    if kind == "pagerduty":
        from voicetop.notify.targets.pagerduty import PagerDuty  # noqa: PLC0415 - its library is an extra

        return PagerDuty(name, config.pagerduty[name], secrets, deployment)
    if kind == "slack":
        from voicetop.notify.targets.slack import Slack  # noqa: PLC0415

        return Slack(name, config.slack[name], secrets, deployment)
    from voicetop.notify.targets.apprise import AppriseServices  # noqa: PLC0415

    return AppriseServices(name, config.apprise[name], secrets, deployment)
