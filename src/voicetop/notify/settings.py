"""`[notify]` of the config: who is notified of what. It names secrets, and never contains them.

[notify]
desktop = true                  # pop-ups of the desktop that a console runs on
terminal = "auto"               # auto, bell, osc9, osc777, osc99 or none
title = true                    # the verdict in the terminal's title
progress = "auto"               # OSC 9;4 in the taskbar or tab: auto, on, off
least = "warning"               # the lowest tier that a console shows
quiet = "22:00-07:00"           # only critical alerts reach consoles and chats
blind_after_s = 30              # `watch` alerts after this long without a feed
heartbeat_url = "env:HEARTBEAT_URL"   # a dead man's switch, pinged while `watch` works
heartbeat_s = 60

[notify.pagerduty.oncall]
routing_key = "env:PAGERDUTY_KEY"     # or "keyring:voicetop/pagerduty"

[notify.slack.ops]
token = "env:SLACK_TOKEN"
channel = "#voice-ops"
tiers = ["critical", "warning"]
quiet = "20:00-08:00"                 # its own quiet hours; "" for none

[notify.apprise.mail]                 # e-mail, Opsgenie, Jira, Teams, webhooks and 100 more
url = "env:MAIL_URL"
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

from voicetop.alerts.signals import Tier
from voicetop.toml_reader import TomlTable

Secret: TypeAlias = Annotated[str, Meta(description="env:NAME or keyring:SERVICE/NAME")]
TerminalWay: TypeAlias = Literal["auto", "bell", "osc9", "osc777", "osc99", "none"]

PAGERDUTY_URL = "https://events.pagerduty.com"
SLACK_URL = "https://slack.com/api/"

_SECRET = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|keyring:[^/\s]+/\S+")
_QUIET = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]):([0-5]\d)")


class PagerDutyTarget(Struct, frozen=True):
    """`[notify.pagerduty.NAME]`: an Events API v2 integration; in Europe, `url` is https://events.eu.pagerduty.com."""

    routing_key: Secret = ""
    url: str = PAGERDUTY_URL
    tiers: tuple[Tier, ...] = ("critical",)
    changes: bool = True


class SlackTarget(Struct, frozen=True):
    """`[notify.slack.NAME]`: a bot's token with chat:write, and a channel that the bot is a member of."""

    token: Secret = ""
    channel: str = ""
    url: str = SLACK_URL
    tiers: tuple[Tier, ...] = ("critical", "warning")
    quiet: str | None = None


class AppriseTarget(Struct, frozen=True):
    """`[notify.apprise.NAME]`: any service that Apprise supports. Its URL contains secrets, so it is one."""

    url: Secret = ""
    tiers: tuple[Tier, ...] = ("critical",)
    quiet: str | None = None


class NotifyConfig(Struct, frozen=True):
    """`[notify]`. Times in seconds; `quiet` is local time, or UTC where `utc = true`.

    `quiet` applies to targets without their own, except PagerDuty, which has support hours of its own.
    """

    desktop: bool = True
    terminal: TerminalWay = "auto"
    title: bool = True
    progress: Literal["auto", "on", "off"] = "auto"
    least: Tier = "warning"
    quiet: str = ""
    blind_after_s: Annotated[float, Meta(ge=1, le=3600)] = 30.0
    heartbeat_url: Secret = ""
    heartbeat_s: Annotated[float, Meta(ge=1, le=86_400)] = 60.0
    pagerduty: dict[str, PagerDutyTarget] = {}
    slack: dict[str, SlackTarget] = {}
    apprise: dict[str, AppriseTarget] = {}


KINDS: dict[str, type[PagerDutyTarget | SlackTarget | AppriseTarget]] = {
    "pagerduty": PagerDutyTarget,
    "slack": SlackTarget,
    "apprise": AppriseTarget,
}
NEEDED = {"pagerduty": ("routing_key",), "slack": ("token", "channel"), "apprise": ("url",)}
SECRETS = {"pagerduty": "routing_key", "slack": "token", "apprise": "url"}


def parse_quiet_hours(quiet: str) -> tuple[int, int] | None:
    """Quiet hours as minutes of the day, (from, to); None if `quiet` is malformed.

    >>> minutes_of("22:00-07:30")
    (1320, 450)
    """
    match = _QUIET.fullmatch(quiet.replace(" ", "").replace("–", "-"))
    if match is None:
        return None
    hours = [int(part) for part in match.groups()]
    return hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]


def parse_notify(table: TomlTable) -> NotifyConfig:
    """Reads `[notify]`; errors are collected with their file and line."""
    read = table.fields(NotifyConfig, but=KINDS)
    _check_quiet(table, read)
    _check_secret(table, "heartbeat_url", read)
    for kind in KINDS:
        targets = {
            name: _target(kind, target)
            for name, target in table.tables(kind, f"[notify.{kind}.NAME]").items()
        }
        read[kind] = {name: target for name, target in targets.items() if target is not None}
    return NotifyConfig(**read)


def _target(kind: str, table: TomlTable) -> PagerDutyTarget | SlackTarget | AppriseTarget | None:
    """A target; None if a required key is missing."""
    if kind == "pagerduty" and "quiet" in table:
        del table.values["quiet"]
        table.wrong(
            "quiet", "is an unknown key: pages are never held back, and PagerDuty has its own support hours"
        )
    read = table.fields(KINDS[kind])
    _check_quiet(table, read)
    missing = [key for key in NEEDED[kind] if not table.values.get(key)]
    if missing:
        table.wrong("", f"needs {' and '.join(missing)}")
        return None
    return KINDS[kind](**read) if _check_secret(table, SECRETS[kind], read) else None


def _check_quiet(table: TomlTable, read: dict[str, Any]) -> None:
    minutes = parse_quiet_hours(read["quiet"]) if read.get("quiet") else (0, 1)
    if minutes is None or minutes[0] == minutes[1]:
        table.wrong("quiet", 'has to be two times of day, like "22:00-07:00"')
        del read["quiet"]


def _check_secret(table: TomlTable, key: str, read: dict[str, Any]) -> bool:
    """Whether the key refers to a secret. A literal secret is an error, and dropped."""
    if read.get(key) and not _SECRET.fullmatch(read[key]):
        table.wrong(
            key,
            'has to say where the secret is stored, "env:NAME" or "keyring:SERVICE/NAME": '
            "do not write secrets into a config",
        )
        del read[key]
    return key in read
