"""`[notify]` of the config: every mistake names file, line and key; secrets are named, hidden, and never written."""

from __future__ import annotations

import pytest

from voicetop import config
from voicetop.alerts.notifiers.secrets import Vault
from voicetop.alerts.notifiers.settings import SlackTarget
from voicetop.errors import ConfigError

WHOLE = """\
[notify]
quiet = "22:00-07:00"
heartbeat_url = "env:BEAT"

[notify.pagerduty.oncall]
routing_key = "keyring:voicetop/pagerduty"

[notify.slack.ops]
token = "env:SLACK_TOKEN"
channel = "#ops"
tiers = ["critical"]

[notify.apprise.mail]
url = "env:MAIL_URL"
"""


def test_a_whole_section_is_understood() -> None:
    notify = config.parse(WHOLE, "c.toml").notify
    assert notify.slack == {"ops": SlackTarget("env:SLACK_TOKEN", "#ops", tiers=("critical",))}
    assert notify.pagerduty["oncall"].tiers == ("critical",)
    assert notify.apprise["mail"].url == "env:MAIL_URL"
    assert notify.quiet == "22:00-07:00"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[notify]\ndesktp = true",
            "c.toml, line 2: 'notify.desktp' is no key here; did you mean 'desktop'?",
        ),
        ('[notify]\nquiet = "at night"', "c.toml, line 2: 'notify.quiet' has to be two times of the day"),
        (
            '[notify]\nterminal = "ocs9"',
            "c.toml, line 2: 'notify.terminal' 'ocs9' is no choice; did you mean 'osc9'?",
        ),
        ("[notify]\nblind_after_s = 0", "c.toml, line 2: 'notify.blind_after_s' has to be"),
        (
            '[notify]\nheartbeat_url = "https://x"',
            "line 2: 'notify.heartbeat_url' has to name where the secret is",
        ),
        ('[notify.slack.ops]\ntoken = "env:A"', "c.toml, line 1: 'notify.slack.ops' needs channel"),
        (
            '[notify.pagerduty.p]\nrouting_key = "R0UT1NG"',
            "line 2: 'notify.pagerduty.p.routing_key' has to name",
        ),
        (
            '[notify.apprise.m]\nurl = "env:A"\ntiers = ["critcal"]',
            "line 3: 'notify.apprise.m.tiers' 'critcal' is no choice",
        ),
        ('[notify.pager.p]\nurl = "env:A"', "'notify.pager' is no key here; did you mean 'pagerduty'?"),
        ("[notify]\nslack = 3", "line 2: 'notify.slack' has to be tables, like [notify.slack.NAME]"),
        ("notify = 3", "line 1: 'notify' has to be a table"),
    ],
)
def test_a_mistake_names_file_line_and_key(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        config.parse(text, "c.toml")
    assert said in str(error.value)
    assert "R0UT1NG" not in str(error.value)


def test_a_secret_is_hidden_wherever_it_stands() -> None:
    vault = Vault({"URL": "mailtos://me:p4ss@smtp.example.com/T0KENT0KENT0KEN?to=ana"})
    vault.get("env:URL")
    said = vault.scrub("login me/p4ss failed at smtp.example.com with T0KENT0KENT0KEN")
    assert "p4ss" not in said
    assert "T0KEN" not in said
    assert "failed at" in said
