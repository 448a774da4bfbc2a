"""The requests to PagerDuty, Slack and Apprise, and how each response is handled."""

from __future__ import annotations

import gc
import importlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from notify.receivers import Receiver, effect
from voicetop.errors import NotifyError
from voicetop.notify.secrets import SecretStore
from voicetop.notify.settings import AppriseTarget, NotifyConfig, PagerDutyTarget, SlackTarget
from voicetop.notify.targets.base import DeliveryFailed, IncidentChange, Target
from voicetop.notify.targets.registry import named, targets_of

pytest.importorskip("pagerduty")
pytest.importorskip("slack_sdk")
pytest.importorskip("apprise")

pytestmark = [  # Slack's and PagerDuty's libraries leave their connections to the collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

KEY, TOKEN = "R0UT1NGK3YR0UT1NGK3Y", "xoxb-very-secret-token"


def target(kind: str, receiver: Receiver, **options: Any) -> Target:
    address = receiver.url.removeprefix("https://")
    env = {"KEY": KEY, "TOKEN": TOKEN, "HOOK": f"jsons://user:{TOKEN}@{address}/hook"}
    config = NotifyConfig(
        pagerduty={"x": PagerDutyTarget("env:KEY", receiver.url, **options)} if kind == "pagerduty" else {},
        slack={"x": SlackTarget("env:TOKEN", "#ops", f"{receiver.url}/api/", **options)}
        if kind == "slack"
        else {},
        apprise={"x": AppriseTarget("env:HOOK", **options)} if kind == "apprise" else {},
    )
    (made,) = targets_of(config, SecretStore(env), "acme-prod")
    _made.append(made)
    return made


_made: list[Target] = []


@pytest.fixture(autouse=True)
def _close_all() -> Iterator[None]:
    yield
    while _made:
        _made.pop().close()


def test_pagerduty_gets_trigger_acknowledge_and_resolve_under_one_key(receiver: Receiver) -> None:
    pager = target("pagerduty", receiver)
    pager.send(effect(links=("https://runbooks.example.com/llm",)), "")
    path, sent = receiver.requests[-1]
    assert path == "/v2/enqueue"
    assert sent["routing_key"] == KEY
    assert sent["dedup_key"] == "voicetop-1"
    assert sent["links"] == [
        {"href": "https://runbooks.example.com/llm", "text": "https://runbooks.example.com/llm"}
    ]
    payload = sent["payload"]
    assert payload["summary"] == "[acme-prod] LLM errors 41 % (normal 0.4 %, n 312), incident 1"
    assert payload["severity"] == "critical"
    assert payload["timestamp"] == "2023-11-14T22:15:00.000Z"
    assert payload["custom_details"]["blame"] == "82 % in LLM · billing × es"
    assert payload["custom_details"]["segment"] == "intent=billing"
    pager.send(effect("acknowledged", by="ana"), "")
    assert receiver.acknowledged == {"voicetop-1"}
    pager.send(effect("resolved"), "")
    assert receiver.open == {}


def test_a_deploy_is_a_change_event(receiver: Receiver) -> None:
    target("pagerduty", receiver).send_change(
        IncidentChange("c1", 1_700_000_000.0, "deploy", "billing v42", "v42", "ci")
    )
    assert receiver.changes == [
        {
            "summary": "deploy: billing v42",
            "source": "ci",
            "timestamp": "2023-11-14T22:13:20.000Z",
            "custom_details": {"kind": "deploy", "version": "v42"},
        }
    ]


def test_slack_has_one_message_per_incident_and_edits_it(receiver: Receiver) -> None:
    slack = target("slack", receiver)
    ref = slack.send(effect(tier="warning", summary="P95 <b> & more"), "")
    ref = slack.send(effect("worse"), ref)
    ref = slack.send(effect("acknowledged", by="ana"), ref)
    ref = slack.send(effect("resolved", at=1_700_000_460.0), ref)
    slack.send(effect("returned", by="ben"), ref)
    assert len(receiver.messages) == 1
    texts = [message["text"] for message in next(iter(receiver.messages.values()))]
    assert texts[0] == "[acme-prod] ▲ WARNING · P95 &lt;b&gt; &amp; more"
    assert texts[1].startswith("[acme-prod] ■ CRITICAL · LLM errors")
    assert "acknowledged by ana" in texts[2]
    assert texts[3].startswith("[acme-prod] ● RESOLVED")
    assert "■ CRITICAL, unacknowledged by ben" in texts[4]
    assert receiver.authorization[0] == f"Bearer {TOKEN}"


def test_slack_posts_again_if_its_message_was_deleted(receiver: Receiver) -> None:
    slack = target("slack", receiver)
    ref = slack.send(effect(), "")
    receiver.messages.clear()
    assert slack.send(effect("worse"), ref) == ref
    assert len(receiver.messages) == 1


def test_slack_ignores_the_resolution_of_an_unknown_incident(receiver: Receiver) -> None:
    assert target("slack", receiver).send(effect("resolved"), "") == ""
    assert receiver.requests == []


def test_apprise_calls_a_webhook(receiver: Receiver) -> None:
    target("apprise", receiver).send(effect(), "")
    path, sent = receiver.requests[-1]
    assert path == "/hook"
    assert sent["title"].startswith("[acme-prod] ■ CRITICAL · LLM errors")
    assert "82 % in LLM" in sent["message"]
    assert sent["type"] == "failure"


def pager(url: str) -> Target:
    (made,) = targets_of(NotifyConfig(apprise={"x": AppriseTarget("env:P")}), SecretStore({"P": url}))
    _made.append(made)
    return made


def test_splunk_on_call_gets_each_incident_under_its_own_key(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from apprise.plugins.splunk import NotifySplunk

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(NotifySplunk, "notify_url", f"{receiver.url}/splunk/{{apikey}}/{{routing_key}}")
    monkeypatch.setattr(NotifySplunk, "request_rate_per_sec", 0)
    splunk = pager("splunk://team@134b8gh0-eba0-4fa9-ab9c-257ced0e8221")
    for one in (effect(), effect(number=2), effect("acknowledged", by="ana"), effect("resolved")):
        splunk.send(one, "")
    assert [(body["entity_id"], body["message_type"]) for _, body in receiver.requests] == [
        ("voicetop-1", "CRITICAL"),
        ("voicetop-2", "CRITICAL"),
        ("voicetop-1", "ACKNOWLEDGEMENT"),
        ("voicetop-1", "RECOVERY"),
    ]


@pytest.mark.parametrize("kind", ["opsgenie", "jira"])
def test_opsgenie_and_jira_close_the_incidents_own_alert_after_a_restart_too(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    plugin = importlib.import_module(f"apprise.plugins.{kind}")
    addresses = getattr(plugin, f"{kind.upper()}_API_LOOKUP")
    for region in list(addresses):
        monkeypatch.setitem(addresses, region, f"{receiver.url}/alerts")
    monkeypatch.setattr(getattr(plugin, f"Notify{kind.title()}"), "request_rate_per_sec", 0)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    url = f"{kind}://a-secret-key-of-{kind}"
    first = pager(url)
    first.send(effect(), "")
    first.send(effect(number=2), "")
    del first
    _made.pop()
    gc.collect()
    second = pager(url)
    second.send(effect("acknowledged", by="ana"), "")
    second.send(effect("resolved"), "")
    paths = [path.partition("?")[0] for path, _ in receiver.requests]
    assert paths == ["/alerts", "/alerts", "/alerts/r1/acknowledge", "/alerts/r1/close"]
    assert [body["alias"] for _, body in receiver.requests[:2]] == ["voicetop-1", "voicetop-2"]
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"secret" not in kept


@pytest.mark.parametrize("kind", ["pagerduty", "slack", "apprise"])
@pytest.mark.parametrize("failure", ["500", "503 2", "reset", "silence", "late reset"])
def test_a_server_error_may_be_retried(
    receiver: Receiver, kind: str, failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = __import__(f"voicetop.notify.targets.{kind}", fromlist=["x"])
    if failure == "silence":
        if kind == "apprise":
            pytest.skip("Apprise has its own limits")
        monkeypatch.setattr(module, "TIMEOUT_S", 1.0)
    receiver.fails = [failure] * 2
    with pytest.raises(DeliveryFailed) as failed:
        target(kind, receiver).send(effect(), "")
    assert not failed.value.refused
    assert failed.value.after_s == (2.0 if failure == "503 2" and kind != "apprise" else 0.0)
    assert TOKEN not in str(failed.value)
    assert KEY not in str(failed.value)


@pytest.mark.parametrize("kind", ["pagerduty", "slack"])
def test_a_rate_limit_is_respected(receiver: Receiver, kind: str) -> None:
    receiver.fails = ["429 7"]
    began = time.monotonic()
    with pytest.raises(DeliveryFailed) as failed:
        target(kind, receiver).send(effect(), "")
    assert failed.value.busy
    assert failed.value.after_s == 7.0
    assert time.monotonic() - began < 3.0
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("kind", "failure", "reason"),
    [
        (
            "pagerduty",
            "400",
            "rejected (HTTP 400: Invalid routing key): check the integration's key in PagerDuty",
        ),
        ("pagerduty", "403", "rejected (HTTP 403): check the integration's key"),
        (
            "slack",
            '{"ok": false, "error": "invalid_auth"}',
            "rejected by Slack (invalid_auth): check the token",
        ),
        (
            "slack",
            '{"ok": false, "error": "not_in_channel"}',
            "rejected by Slack (not_in_channel): the bot isn't a member",
        ),
        ("slack", "404", "rejected (HTTP 404): check the target's url"),
    ],
)
def test_a_rejection_is_one_line_with_the_fix(
    receiver: Receiver, kind: str, failure: str, reason: str
) -> None:
    receiver.fails = [failure]
    with pytest.raises(DeliveryFailed) as failed:
        target(kind, receiver).send(effect(), "")
    assert failed.value.refused
    assert str(failed.value).startswith(reason)
    assert "\n" not in str(failed.value)


def test_a_webhook_rejection_hides_the_password(receiver: Receiver) -> None:
    receiver.fails = ["403"]
    with pytest.raises(DeliveryFailed) as failed:
        target("apprise", receiver).send(effect(), "")
    assert "403" in str(failed.value)
    assert TOKEN not in str(failed.value)


def test_a_missing_secret_is_named_and_none_is_shown() -> None:
    config = NotifyConfig(pagerduty={"oncall": PagerDutyTarget("env:NOT_THERE")})
    with pytest.raises(NotifyError, match="NOT_THERE isn't set"):
        targets_of(config, SecretStore({}))
    secrets = SecretStore({"A": TOKEN})
    assert secrets.get("env:A") == TOKEN
    assert secrets.scrub(f"https://x/{TOKEN}?a") == "https://x/***?a"
    assert TOKEN not in repr(secrets)


def test_an_invalid_apprise_url_is_refused_without_being_shown(receiver: Receiver) -> None:
    config = NotifyConfig(apprise={"mail": AppriseTarget("env:MAIL")})
    with pytest.raises(NotifyError, match="Apprise doesn't understand the URL in env:MAIL"):
        targets_of(config, SecretStore({"MAIL": "nonsense-secret"}))


def test_a_missing_library_is_named_with_what_to_install(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in ("pagerduty", "slack_sdk", "apprise"):
        monkeypatch.setitem(__import__("sys").modules, library, None)
    for kind in ("pagerduty", "slack", "apprise"):
        with pytest.raises(NotifyError, match=r"pip install 'voicetop\[watch\]'"):
            target(kind, receiver)
    assert named(NotifyConfig()) == []
