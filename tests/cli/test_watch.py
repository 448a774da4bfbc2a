"""`voicetop watch`: real processes on a real hub, paging servers that speak PagerDuty's and Slack's API."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from hub.clients import publisher, send
from notify.receivers import CERT, Receiver, receiving
from voicetop.cli import parse, run
from voicetop.history.incidents import incidents_since
from voicetop.history.store import Store
from voicetop.hub import Hub, HubConfig, Token
from voicetop.notify.queue import DeliveryQueue
from voicetop.session import Session

pytest.importorskip("pagerduty")
pytest.importorskip("slack_sdk")

Process = asyncio.subprocess.Process
SERVICE = Path(__file__).parents[2] / "examples" / "voicetop-watch.service"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub(HubConfig(port=0, deployment="acme-prod"), new_session=Session)
    await hub.start()
    yield hub
    await hub.close()


class Watchers:
    """Starts `voicetop watch` with a config of the test's own, and kills what is left at the end."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.folder = folder
        self.receiver = receiver
        self.processes: list[Process] = []
        self.configure()

    def configure(self, more: str = "", notify: str = "blind_after_s = 1.0") -> None:
        path = self.folder / "config" / "voicetop" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f'[notify]\n{notify}\n[notify.pagerduty.p]\nrouting_key = "env:KEY"\nurl = "{self.receiver.url}"\n'
            f'[notify.slack.s]\ntoken = "env:KEY"\nchannel = "#ops"\nurl = "{self.receiver.url}/api/"\n{more}'
        )

    async def start(self, *words: str, state: str = "state", **env: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "voicetop", *words),
            env={
                **os.environ,
                "XDG_CONFIG_HOME": str(self.folder / "config"),
                "XDG_STATE_HOME": str(self.folder / state),
                "SSL_CERT_FILE": str(CERT),
                "KEY": "a-very-secret-key",
                **env,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self.processes.append(process)
        return process

    async def end(self) -> None:
        for process in self.processes:
            if process.returncode is None:
                process.kill()
            await process.communicate()


@pytest.fixture
async def watchers(tmp_path: Path, receiver: Receiver) -> AsyncIterator[Watchers]:
    watchers = Watchers(tmp_path, receiver)
    yield watchers
    await watchers.end()


async def until(true: Callable[[], object], seconds: float = 25.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what it waits for is elsewhere
            await asyncio.sleep(0.05)


async def says(process: Process, words: str) -> str:
    """The first line on its standard error that has these words."""
    assert process.stderr is not None
    heard = ""
    async with asyncio.timeout(60):
        while line := (await process.stderr.readline()).decode():
            heard += line
            if words in line:
                return line
    raise AssertionError(heard)


async def happen(hub: Hub, *events: dict[str, object]) -> None:
    connection = await publisher(hub.url)
    await send(connection, *({"ts": time.time(), **event} for event in events))
    await connection.close()


def security(label: str) -> dict[str, object]:
    return {"type": "security", "kind": f"leak-{label}", "label": label, "severity": "critical"}


def violation() -> list[dict[str, object]]:
    """A call that broke a rule."""
    return [
        {"type": "call.start", "call_id": "c1"},
        {"type": "call.end", "call_id": "c1", "reason": "completed"},
        {"type": "call.outcome", "call_id": "c1", "evaluator": "judge", "compliance_violation": True},
    ]


async def ended(process: Process, number: signal.Signals = signal.SIGTERM) -> str:
    process.send_signal(number)
    _, said = await asyncio.wait_for(process.communicate(), 40)
    return said.decode()


async def test_what_cannot_wait_pages_and_what_a_person_resolves_is_resolved(
    hub: Hub, watchers: Watchers, receiver: Receiver, tmp_path: Path
) -> None:
    path = tmp_path / "history.db"
    process = await watchers.start("watch", hub.url, "--history", str(path))
    await says(process, "live")
    await happen(hub, {"type": "marker", "kind": "deploy", "label": "billing", "version": "v42"})
    await happen(hub, security("token in a prompt"))
    await until(lambda: receiver.open and receiver.messages)
    payload = next(iter(receiver.open.values()))
    assert payload["summary"].startswith("[acme-prod] security")
    assert payload["summary"].endswith(": token in a prompt")
    await happen(hub, {"type": "operator", "act": "ack", "target": "i1", "by": "ana"})
    await until(lambda: receiver.acknowledged)
    await happen(hub, {"type": "operator", "act": "resolve", "target": "i1", "by": "ana"})
    await until(lambda: not receiver.open)
    await until(lambda: "RESOLVED" in next(iter(receiver.messages.values()))[-1]["text"])
    said = await ended(process)
    assert process.returncode == 0
    assert "stopped; all notifications sent" in said
    assert "secret" not in said
    assert [change["summary"] for change in receiver.changes] == ["deploy: billing"]
    store = Store(path)
    (incident,) = incidents_since(store, 0.0)
    store.close()
    assert (incident.family, incident.acked_by, incident.resolved_by) == ("security", "ana", "ana")
    assert 0 <= incident.to_detect_s <= incident.to_resolve_s


async def test_what_came_while_the_watcher_was_dead_is_told_by_the_next(
    hub: Hub, watchers: Watchers, receiver: Receiver
) -> None:
    receiver.chance = lambda: "500"
    process = await watchers.start("watch", hub.url)
    await says(process, "live")
    await happen(hub, security("one"))
    await says(process, "server error")
    process.kill()
    await process.wait()
    await happen(hub, {"type": "operator", "act": "resolve", "target": "i1", "by": "ana"})
    receiver.chance = lambda: ""
    second = await watchers.start("watch", hub.url)
    await says(second, "live")
    await until(lambda: receiver.opened)
    await until(lambda: not receiver.open)
    second.kill()
    await second.wait()
    await happen(hub, *violation())
    third = await watchers.start("watch", hub.url)
    await says(third, "live")
    await until(lambda: len(receiver.opened) == 2)
    assert set(receiver.opened.values()) == {1}
    said = await ended(third)
    with contextlib.closing(DeliveryQueue(watchers.folder / "state" / "voicetop" / "outbox.db")) as queue:
        repeats = queue.counts().repeats
    assert ("may have been sent twice" in said) == (repeats > 0)


def heard_elsewhere(queue: Path) -> int:
    """How much a watcher knows that another one has told."""
    with contextlib.closing(sqlite3.connect(queue)) as db:
        return int(db.execute("SELECT count(*) FROM elsewhere").fetchone()[0])


async def test_of_two_watchers_one_tells_and_the_other_takes_over(
    hub: Hub, watchers: Watchers, receiver: Receiver
) -> None:
    first = await watchers.start("watch", hub.url, state="one")
    await says(first, "live")
    second = await watchers.start("watch", hub.url, state="two")
    await says(second, "standing by")
    await happen(hub, security("one"))
    await until(lambda: receiver.open and receiver.messages)
    told = len(receiver.requests)
    await until(lambda: heard_elsewhere(watchers.folder / "two" / "voicetop" / "outbox.db") == 2)
    first.kill()
    await first.wait()
    await says(second, "this one is active now")
    await happen(hub, security("two"))
    await until(lambda: len(receiver.open) == 2 and len(receiver.requests) > told)
    await until(lambda: len(receiver.messages) == 2)
    for incident in ("i1", "i2"):
        await happen(hub, {"type": "operator", "act": "resolve", "target": incident, "by": "ana"})
    await until(lambda: not receiver.open)
    assert set(receiver.opened.values()) == {1}
    await until(lambda: all("RESOLVED" in message[-1]["text"] for message in receiver.messages.values()))
    assert len(receiver.messages) == 2, "what the first posted is changed by the second, not posted again"


async def test_of_two_on_one_machine_the_second_waits_for_the_queue(
    hub: Hub, watchers: Watchers, receiver: Receiver
) -> None:
    first = await watchers.start("watch", hub.url)
    await says(first, "live")
    second = await watchers.start("watch", hub.url)
    assert "another watcher on this machine" in await says(second, "standing by")
    first.kill()
    await first.wait()
    await says(second, "live")
    await happen(hub, security("one"))
    await until(lambda: receiver.open)
    third = await watchers.start("watch", hub.url)
    await says(third, "standing by")
    await ended(third)
    assert third.returncode == 0


async def test_without_a_feed_we_are_blind_and_it_is_told_when_it_is_back(
    watchers: Watchers, receiver: Receiver
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    hub = Hub(HubConfig(port=port, deployment="acme-prod"), new_session=Session)
    await hub.start()
    process = await watchers.start("watch", hub.url)
    await says(process, "live")
    await hub.close()
    await until(lambda: receiver.open)
    (key,) = receiver.open
    assert receiver.open[key]["summary"].startswith("[acme-prod] blind: no feed from acme-prod")
    hub = Hub(HubConfig(port=port, deployment="acme-prod"), new_session=Session)
    await hub.start()
    try:
        await until(lambda: not receiver.open)
    finally:
        await hub.close()
    assert list(receiver.opened) == [key]


async def test_a_dead_mans_switch_is_pressed_while_all_is_well_and_not_when_blind(
    hub: Hub, watchers: Watchers, receiver: Receiver
) -> None:
    watchers.configure(notify='blind_after_s = 60.0\nheartbeat_s = 1.0\nheartbeat_url = "env:BEAT"')
    process = await watchers.start("watch", hub.url, BEAT=f"{receiver.url}/beat")
    await says(process, "live")
    await until(lambda: sum(path == "/beat" for path, _ in receiver.requests) >= 2)
    await hub.close()
    await says(process, "reconnecting")
    count = len(receiver.requests)
    await asyncio.sleep(1.5)
    assert len(receiver.requests) <= count + 1


@pytest.mark.parametrize(
    ("config", "env", "line"),
    [
        (
            "",
            {},
            "no notification targets configured: add PagerDuty, Slack or others to [notify], see docs/notify.md",
        ),
        ('[notify.pagerduty.p]\nrouting_key = "env:NOT_THERE"', {}, "NOT_THERE isn't set"),
        (
            '[notify.pagerduty.p]\nrouting_key = "R0UT1NG"',
            {},
            "line 2: 'notify.pagerduty.p.routing_key' has to say where",
        ),
        (
            '[notify.pagerduty.p]\nrouting_key = "env:K"\nurl = "http://x"',
            {"K": "x" * 9},
            "begin with https://",
        ),
        (
            '[notify.apprise.m]\nurl = "env:K"',
            {"K": "no-such-scheme"},
            "Apprise doesn't understand the URL in env:K",
        ),
    ],
)
def test_what_cannot_work_is_one_line_before_anything_begins(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    config: str,
    env: dict[str, str],
    line: str,
) -> None:
    (tmp_path / "voicetop").mkdir()
    (tmp_path / "voicetop" / "config.toml").write_text(config)
    for name, value in {**env, "XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    assert run(["watch", "ws://127.0.0.1:1"]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert line in said
    assert "R0UT1NG" not in said


async def test_notify_test_proves_each_target_and_says_what_to_do(
    watchers: Watchers, receiver: Receiver
) -> None:
    process = await watchers.start("notify", "test", "pagerduty.p", "slack.s", SSH_CONNECTION="1")
    out, err = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode == 0, err
    assert [line.split()[:2] for line in out.decode().splitlines()] == [
        ["ok", "pagerduty.p"],
        ["ok", "slack.s"],
    ]
    assert receiver.open == {}
    assert len(receiver.messages) == 1
    receiver.fails = ["400", '{"ok": false, "error": "not_in_channel"}']
    process = await watchers.start("notify", "test", SSH_CONNECTION="1")
    out, _ = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode == 1
    lines = out.decode().splitlines()
    assert "skipped: the desktop is on another machine" in lines[0]
    assert lines[2].startswith(
        "FAIL  pagerduty.p  rejected (HTTP 400: Invalid routing key): check the integration's key"
    )
    assert lines[3].startswith(
        "FAIL  slack.s      rejected by Slack (not_in_channel): the bot isn't a member"
    )
    assert "secret" not in out.decode()


def test_the_unit_for_systemd_starts_it_with_options_that_there_are() -> None:
    line = next(line for line in SERVICE.read_text().splitlines() if line.startswith("ExecStart="))
    args = parse(["watch", *line.partition("voicetop watch ")[2].split()])
    assert args.url == "${HUB}"
    assert args.queue == "${STATE_DIRECTORY}/outbox.db"
    assert args.history == "${STATE_DIRECTORY}/history.db"


async def test_systemd_is_told_that_it_is_ready(hub: Hub, watchers: Watchers, tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(address))
        systemd.settimeout(20)
        process = await watchers.start("watch", hub.url, NOTIFY_SOCKET=str(address))
        assert await asyncio.to_thread(systemd.recv, 100) == b"READY=1"
        await ended(process)
    assert process.returncode == 0


async def test_a_hub_that_refuses_is_one_line_and_exit_2(watchers: Watchers) -> None:
    config = HubConfig(port=0, tokens=(Token("viewer", "a-viewers-secret-token"),))
    hub = Hub(config, new_session=Session)
    await hub.start()
    try:
        process = await watchers.start("watch", hub.url, VOICETOP_TOKEN="a-viewers-secret-token")
        _, said = await asyncio.wait_for(process.communicate(), 40)
    finally:
        await hub.close()
    assert process.returncode == 2
    assert "no role 'watcher' for this token" in said.decode().splitlines()[-1]
    assert "a-viewers-secret-token" not in said.decode()
