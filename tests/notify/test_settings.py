"""`[notify]` of the config: every mistake names file, line and key; secrets are named, hidden, and never written."""

from __future__ import annotations

from datetime import datetime

import pytest

from voicetop import config
from voicetop.errors import ConfigError
from voicetop.notify.quiet_hours import QuietHours
from voicetop.notify.secrets import SecretStore
from voicetop.notify.settings import SlackTarget
from voicetop.notify.targets.registry import targets_of
from zones import machine_zone

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


def test_a_complete_section_is_parsed() -> None:
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
            "c.toml, line 2: 'notify.desktp' is an unknown key; did you mean 'desktop'?",
        ),
        ('[notify]\nquiet = "at night"', "c.toml, line 2: 'notify.quiet' has to be two times of day"),
        ('[notify]\nquiet = "7:00-7:00"', "line 2: 'notify.quiet' has to be two times of day"),
        (
            '[notify.slack.ops]\ntoken = "env:A"\nchannel = "#x"\nquiet = "25:00-07:00"',
            "line 4: 'notify.slack.ops.quiet' has to be two times of day",
        ),
        (
            '[notify.apprise.m]\nurl = "env:A"\nquiet = 7',
            "line 3: 'notify.apprise.m.quiet' has to be text, not a whole number",
        ),
        (
            '[notify.pagerduty.p]\nrouting_key = "env:A"\nquiet = "22:00-07:00"',
            "line 3: 'notify.pagerduty.p.quiet' is an unknown key: pages are never held back",
        ),
        (
            '[notify]\nterminal = "ocs9"',
            "osc777, osc99, none, not 'ocs9'; did you mean 'osc9'?",
        ),
        ("[notify]\nblind_after_s = 0", "c.toml, line 2: 'notify.blind_after_s' has to be"),
        (
            '[notify]\nheartbeat_url = "https://x"',
            "line 2: 'notify.heartbeat_url' has to say where the secret is stored",
        ),
        ('[notify.slack.ops]\ntoken = "env:A"', "c.toml, line 1: 'notify.slack.ops' needs channel"),
        (
            '[notify.pagerduty.p]\nrouting_key = "R0UT1NG"',
            "line 2: 'notify.pagerduty.p.routing_key' has to say where",
        ),
        (
            '[notify.apprise.m]\nurl = "env:A"\ntiers = ["critcal"]',
            "line 3: 'notify.apprise.m.tiers' has to be one of critical, warning, info, not 'critcal'",
        ),
        ('[notify.pager.p]\nurl = "env:A"', "'notify.pager' is an unknown key; did you mean 'pagerduty'?"),
        ("[notify]\nslack = 3", "line 2: 'notify.slack' has to be tables, like [notify.slack.NAME]"),
        ("notify = 3", "line 1: 'notify' has to be a table"),
    ],
)
def test_a_mistake_names_file_line_and_key(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        config.parse(text, "c.toml")
    assert said in str(error.value)
    assert "R0UT1NG" not in str(error.value)


def test_secrets_are_scrubbed_everywhere() -> None:
    secrets = SecretStore({"URL": "mailtos://me:p4ss@smtp.example.com/T0KENT0KENT0KEN?to=ana"})
    secrets.get("env:URL")
    said = secrets.scrub("login me/p4ss failed at smtp.example.com with T0KENT0KENT0KEN")
    assert "p4ss" not in said
    assert "T0KEN" not in said
    assert "failed at" in said


def test_a_target_has_its_own_quiet_hours_the_default_or_none() -> None:
    text = (
        '[notify]\nquiet = "22:00-07:00"\n[notify.pagerduty.p]\nrouting_key = "env:K"\n'
        '[notify.slack.all]\ntoken = "env:K"\nchannel = "#x"\n'
        '[notify.slack.own]\ntoken = "env:K"\nchannel = "#x"\nquiet = "20:00-08:00"\n'
        '[notify.slack.none]\ntoken = "env:K"\nchannel = "#x"\nquiet = ""\n'
    )
    pytest.importorskip("pagerduty")
    pytest.importorskip("slack_sdk")
    targets = targets_of(config.parse(text, "c.toml").notify, SecretStore({"K": "a-secret-key"}), utc=True)
    assert {target.name: target.quiet for target in targets} == {
        "pagerduty.p": None,
        "slack.all": QuietHours(22 * 60, 7 * 60, utc=True),
        "slack.own": QuietHours(20 * 60, 8 * 60, utc=True),
        "slack.none": None,
    }
    for target in targets:
        target.close()


@pytest.mark.parametrize(
    ("said", "now", "until"),
    [
        ("22:00-07:00", "21:59", ""),
        ("22:00-07:00", "22:00", "31:00"),
        ("22:00-07:00", "06:59", "07:00"),
        ("22:00-07:00", "07:00", ""),
        ("13:00-14:30", "13:30", "14:30"),
        ("13:00-14:30", "15:00", ""),
    ],
)
def test_quiet_hours_end_on_time(said: str, now: str, until: str) -> None:
    def seconds(text: str) -> float:
        hours, _, minutes = text.partition(":")
        return 1_700_006_400.0 + int(hours) * 3600 + int(minutes) * 60

    hours = QuietHours.of(said, utc=True)
    assert hours is not None
    assert hours.until(seconds(now)) == (seconds(until) if until else 0.0)


@pytest.mark.parametrize(
    ("zone", "quiet", "now", "until"),
    [
        ("Europe/Berlin", "22:00-07:00", "2026-03-29T00:00+01:00", "2026-03-29T07:00+02:00"),
        ("Europe/Berlin", "22:00-07:00", "2026-10-25T00:00+02:00", "2026-10-25T07:00+01:00"),
        ("Europe/Berlin", "22:00-02:30", "2026-03-29T01:50+01:00", "2026-03-29T03:00+02:00"),
        ("Europe/Berlin", "22:00-02:30", "2026-10-25T02:10+02:00", "2026-10-25T02:30+02:00"),
        ("Europe/Berlin", "22:00-02:30", "2026-10-25T02:10+01:00", "2026-10-25T02:30+01:00"),
        ("America/New_York", "22:00-07:00", "2026-03-07T23:00-05:00", "2026-03-08T07:00-04:00"),
        ("America/New_York", "22:00-07:00", "2026-10-31T23:00-04:00", "2026-11-01T07:00-05:00"),
        ("Australia/Lord_Howe", "22:00-07:00", "2026-10-03T23:00+10:30", "2026-10-04T07:00+11:00"),
        ("Australia/Lord_Howe", "22:00-07:00", "2026-04-04T23:00+11:00", "2026-04-05T07:00+10:30"),
        ("Asia/Kolkata", "22:00-07:00", "2026-10-24T23:00+05:30", "2026-10-25T07:00+05:30"),
    ],
)
def test_local_quiet_hours_follow_daylight_saving_time(zone: str, quiet: str, now: str, until: str) -> None:
    hours = QuietHours.of(quiet)
    assert hours is not None
    with machine_zone(zone):
        assert (
            hours.until(datetime.fromisoformat(now).timestamp()) == datetime.fromisoformat(until).timestamp()
        )
