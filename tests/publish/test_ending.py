"""How publishers end: what is waiting is delivered, the hub hears a farewell, and what is lost is said."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hub.clients import CountingSession, Watcher
from publish.stub_hub import stub_hub, until
from publish.tcp_proxy import tcp_proxy
from voicetop import AsyncPublisher, Publisher
from voicetop.hub import Hub, HubConfig
from voicetop.publish.publisher import ABSENT_S, EXIT_S
from voicetop.publish.undelivered import warn_of_undelivered
from voicetop.wire.events import CallEnd, TurnStart

ROOT = Path(__file__).parents[2]
CERTIFICATE = str(ROOT / "tests" / "hub" / "localhost-cert.pem")
KEY = str(ROOT / "tests" / "hub" / "localhost-key.pem")
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE: str = next(
    text for text in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "Publisher(" in text
)
KINDS = [
    "source.status",
    "call.start",
    "turn.start",
    "transcript",
    "turn",
    "turn",
    "call.end",
    "source.status",
]
START_UP_S = 20.0
"""What starting Python may take on a busy machine."""


def example(url: str) -> str:
    """The example of the README, for a hub at `url`."""
    assert "ws://127.0.0.1:8377" in EXAMPLE
    return EXAMPLE.replace("ws://127.0.0.1:8377", url)


def script(code: str, *words: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-W",
            "ignore::DeprecationWarning",
            "-c",
            code,
            *words,
        ],  # Python 3.12 warns of forks
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | env,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code, and what it wrote to standard error."""
    _, said = process.communicate(timeout=60)
    return process.returncode, said


async def ran(code: str, *words: str, **env: str) -> tuple[int, str]:
    return await asyncio.to_thread(lambda: ended(script(code, *words, **env)))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def turn(number: int) -> TurnStart:
    return TurnStart(call_id="c1", ts=1000.0 + number, turn=number)


StartHub = Callable[..., Awaitable[Hub]]


@pytest.fixture
async def start_hub() -> AsyncIterator[StartHub]:
    hubs: list[Hub] = []

    async def start(**options: Any) -> Hub:
        hub = Hub(HubConfig(port=0, **options), new_session=CountingSession)
        await hub.start()
        hubs.append(hub)
        return hub

    yield start
    for hub in hubs:
        await hub.close()


async def heard(watcher: Watcher) -> list[dict[str, Any]]:
    """The events up to the first farewell."""
    await watcher.read_until(lambda it: any(event.get("leaving") for event in it.events))
    await watcher.connection.close()
    return watcher.events


# The end of a process


async def test_the_readme_example_as_a_script_delivers_everything_and_leaves(start_hub: StartHub) -> None:
    hub = await start_hub()
    watcher = await Watcher.open(hub.url)
    assert await ran(example(hub.url)) == (0, "")
    events = await heard(watcher)
    assert [event["type"] for event in events] == KINDS
    assert "active_calls" not in events[-1]


async def test_so_it_does_by_name_and_with_tls(start_hub: StartHub) -> None:
    """Names are resolved and connections are made after the exit has begun."""
    hub = await start_hub(cert=CERTIFICATE, key=KEY)
    code = example(f"wss://localhost:{hub.port}")
    assert await ran(code, SSL_CERT_FILE=CERTIFICATE) == (0, "")
    assert hub.feed.validator.events == len(KINDS)


def test_without_a_hub_it_says_so_in_one_line_and_ends_soon() -> None:
    began = time.monotonic()
    code, said = ended(script(example("ws://127.0.0.1:9")))
    assert time.monotonic() - began < ABSENT_S + START_UP_S
    assert code == 0
    assert said == (
        "voicetop: 6 events were not delivered to ws://127.0.0.1:9/publish: nothing listens there; "
        "start a hub there with `voicetop serve`, or publish to the address of yours\n"
    )


def test_a_reason_that_says_what_to_do_is_not_told_to_start_a_hub(caplog: pytest.LogCaptureFixture) -> None:
    for why in ("HTTP status 502: a proxy answers, but no hub behind it", "should the URL be ws://?"):
        warn_of_undelivered(2, "ws://hub/publish", f"it failed: {why}")
    assert [record.message.partition("it failed")[2] for record in caplog.records] == [
        ": HTTP status 502: a proxy answers, but no hub behind it",
        ": should the URL be ws://?",
    ]


def test_a_hub_that_comes_up_a_moment_later_gets_everything() -> None:
    port = free_port()
    process = script(example(f"ws://127.0.0.1:{port}") + "\nprint('over', flush=True)\n")
    assert process.stdout is not None
    assert process.stdout.readline() == "over\n"
    with stub_hub(port) as hub:
        assert ended(process) == (0, "")
        until(lambda: len(hub.events) == 6)


def test_a_handshake_that_is_on_its_way_is_waited_for() -> None:
    with stub_hub() as hub, tcp_proxy(hub.port) as proxy:
        proxy.hold()
        process = script(example(proxy.url) + "\nprint('over', flush=True)\n")
        assert process.stdout is not None
        assert process.stdout.readline() == "over\n"
        until(lambda: proxy.accepted == 1)
        proxy.release()
        assert ended(process) == (0, "")
        until(lambda: len(hub.events) == 6)
        assert proxy.accepted == 1


def test_a_hub_that_never_answers_is_given_up_after_the_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"ws://127.0.0.1:{deaf.getsockname()[1]}"
        began = time.monotonic()
        code, said = ended(script(example(url)))
        assert EXIT_S < time.monotonic() - began < EXIT_S + START_UP_S
    assert code == 0
    assert said == (
        f"voicetop: 6 events were not delivered to {url}/publish: no answer within 5 s; "
        "close(timeout=...) waits longer\n"
    )


def test_a_name_that_is_not_resolved_in_time_holds_nothing_up() -> None:
    slow = "import socket, time\nsocket.getaddrinfo = lambda *_, **__: time.sleep(600)\n"
    began = time.monotonic()
    code, said = ended(script(slow + example("ws://slow:1")))
    assert time.monotonic() - began < EXIT_S + START_UP_S
    assert code == 0
    assert said == (
        "voicetop: 6 events were not delivered to ws://slow:1/publish: no answer within 5 s; "
        "close(timeout=...) waits longer\n"
    )


WAITING = """
import signal, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests themselves run in the background
join = threading.Thread.join
def joined(thread, timeout=None):
    print("waiting", flush=True)
    join(thread, timeout)
threading.Thread.join = joined
"""


def test_ctrl_c_ends_the_waiting_of_an_exit_and_what_is_lost_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"ws://127.0.0.1:{deaf.getsockname()[1]}"
        process = script(WAITING + example(url))
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        code, said = ended(process)
    assert code == 0
    assert said == f"voicetop: 6 events were not delivered to {url}/publish: interrupted\n"


def test_a_refused_token_is_said_at_once_with_what_to_do() -> None:
    with stub_hub(token="right") as hub:
        code, said = ended(script(example(hub.url)))
    assert code == 0
    assert said == (
        f"voicetop: 6 events were not delivered: {hub.url}/publish refused: no (set VOICETOP_TOKEN)\n"
    )


def test_an_exit_has_nothing_to_wait_for_if_nothing_was_told() -> None:
    assert ended(script("import voicetop; voicetop.Publisher('ws://127.0.0.1:9')")) == (0, "")


def test_several_publishers_wait_together() -> None:
    code = "import voicetop\np = [voicetop.Publisher('ws://127.0.0.1:9') for _ in range(20)]\n[q.call('c') for q in p]"
    began = time.monotonic()
    _, said = ended(script(code))
    assert said.count("1 event was not delivered") == 20
    assert time.monotonic() - began < 2 * ABSENT_S + START_UP_S


AGENT = """
import signal, sys, time
import voicetop
publisher = voicetop.Publisher(sys.argv[1], source="agent-7")
def stop(*_):
    {stop}
signal.signal(signal.SIGTERM, stop)
call = publisher.call("c1")
if {over}: call.end("completed")
while not publisher.report.connected: time.sleep(0.01)
print("up", flush=True)
while True: {work}
"""


@pytest.mark.parametrize("over", [True, False])
@pytest.mark.parametrize("stop", ["sys.exit(0)", "publisher.close(); publisher.close(); sys.exit(0)"])
@pytest.mark.parametrize("work", ["time.sleep(10)", "call.stage('llm', 'start')"])
def test_a_rolling_deploy_ends_with_a_farewell(over: bool, stop: str, work: str) -> None:
    """Also where the signal interrupts an event that is being told."""
    with stub_hub() as hub:
        process = script(AGENT.format(stop=stop, over=over, work=work), hub.url)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert ended(process) == (0, "")
        until(lambda: bool(hub.statuses and hub.statuses[-1].get("leaving")))
        assert hub.statuses[-1].get("active_calls", 0) == (0 if over else 1)
        assert hub.closed == [1000]


@pytest.mark.parametrize("how", ["os.fork() or (call('child'), sys.exit())", "worker(multiprocessing)"])
def test_a_forked_child_publishes_on_its_own(how: str) -> None:
    code = f"""
import multiprocessing, os, sys, voicetop
publisher = voicetop.Publisher(sys.argv[1], source="agent")
def call(name): publisher.call(name).end("completed")
def worker(m):
    child = m.get_context("fork").Process(target=call, args=("child",))
    child.start()
    child.join()
call("before")
{how}
call("parent")
"""
    with stub_hub() as hub:
        process = script(code, hub.url)
        assert ended(process) == (0, "")
        until(lambda: len([event for event in hub.events if event["type"] == "call.end"]) == 3)
        until(lambda: len([status for status in hub.statuses if status.get("leaving")]) == 2)
        starts = [event for event in hub.events if event["type"] == "call.start"]
        assert sorted(event["call_id"] for event in starts) == ["before", "child", "parent"]
        assert len({event["event_id"] for event in hub.events}) == 6
        sources = {event["call_id"]: event["source"] for event in starts}
        assert sources["before"] == sources["parent"] == "agent"
        assert re.fullmatch(r"agent-\d+", sources["child"])


def test_a_child_that_says_nothing_ends_without_a_word() -> None:
    code = "import os, sys, voicetop\np = voicetop.Publisher(sys.argv[1])\nif os.fork(): os.wait()\nelse: sys.exit()"
    with stub_hub() as hub:
        assert ended(script(code, hub.url)) == (0, "")
        assert len(hub.hellos) <= 1


ASYNC = """
import asyncio, sys, voicetop
async def main():
    publisher = voicetop.AsyncPublisher(sys.argv[1], source="async")
    publisher.call("c1").end("completed")
asyncio.run(main())
"""


def test_a_loop_that_ends_delivers_what_its_publisher_has() -> None:
    with stub_hub() as hub:
        assert ended(script(ASYNC, hub.url)) == (0, "")
        until(lambda: bool(hub.statuses and hub.statuses[-1].get("leaving")))
        assert [event["type"] for event in hub.events] == ["call.start", "call.end"]
    code, said = ended(script(ASYNC, "ws://127.0.0.1:9"))
    assert code == 0
    assert said.startswith(
        "voicetop: 2 events were not delivered to ws://127.0.0.1:9/publish: nothing listens"
    )
    assert said.count("\n") == 1


def test_a_loop_that_is_left_open_is_said_too() -> None:
    code = ASYNC.replace("asyncio.run(main())", "asyncio.new_event_loop().run_until_complete(main())")
    _, said = ended(script(code, "ws://127.0.0.1:9"))
    assert "voicetop: 2 events were not delivered to ws://127.0.0.1:9/publish" in said


# close()


def test_closing_says_goodbye_after_the_last_event_and_closes_with_1000() -> None:
    with stub_hub() as hub:
        publisher = Publisher(hub.url)
        for number in range(600):
            publisher.emit(turn(number))
        assert publisher.close()
        assert publisher.close(timeout=0)
        assert len(hub.events) == 600
        assert hub.frames[-1]["leaving"] is True
        assert hub.frames[-1].get("queue", 0) == 0
        until(lambda: hub.closed == [1000])


async def test_so_does_the_async_publisher() -> None:
    with stub_hub() as hub:
        async with AsyncPublisher(hub.url) as publisher:
            publisher.call("live")
        assert await publisher.close()
        assert (hub.frames[-1]["leaving"], hub.frames[-1]["active_calls"]) == (True, 1)
        until(lambda: hub.closed == [1000])


def test_closing_while_reconnecting_waits_for_the_hub_to_return() -> None:
    with stub_hub() as hub:
        publisher = Publisher(hub.url)
        until(lambda: publisher.report.connected)
    until(lambda: not publisher.report.connected)
    publisher.emit(turn(1))
    with stub_hub(hub.port) as again:
        assert publisher.close(timeout=20)
        assert len(again.events) == 1
        assert again.frames[-1]["leaving"] is True


def test_closing_gives_up_a_hub_that_is_gone_and_reports_it(caplog: pytest.LogCaptureFixture) -> None:
    with stub_hub() as hub:
        publisher = Publisher(hub.url)
        until(lambda: publisher.report.connected)
    until(lambda: bool(publisher.report.why))
    publisher.emit(turn(1))
    publisher.emit(turn(2))
    assert publisher.close(timeout=0.3) is False
    assert publisher.close() is False
    assert publisher.report.undelivered == publisher.dropped == 2
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"voicetop: 2 events were not delivered to {publisher.url}: ")


def test_events_after_the_close_are_lost_with_a_word(caplog: pytest.LogCaptureFixture) -> None:
    with stub_hub() as hub:
        with Publisher(hub.url, source="agent-7") as publisher:
            call = publisher.call("c1")
        call.end("completed")
        publisher.emit(turn(1))
        assert publisher.dropped == 2
    [line] = [record.getMessage() for record in caplog.records]
    assert line == "voicetop: an event came after agent-7 was closed, and is lost"


@pytest.mark.parametrize("timeout", [-1.0, 0.0, float("nan"), float("inf")])
def test_any_limit_will_do(timeout: float) -> None:
    with stub_hub() as hub:
        publisher = Publisher(hub.url)
        until(lambda: publisher.report.connected)
        assert publisher.close(timeout=timeout) in (True, False)


def test_a_hub_that_stops_reading_does_not_hold_up_the_end() -> None:
    with stub_hub() as hub, tcp_proxy(hub.port) as proxy:
        publisher = Publisher(proxy.url)
        until(lambda: publisher.report.connected)
        proxy.hold()
        publisher.emit(CallEnd(call_id="c", ts=1.0, reason="completed"))
        began = time.monotonic()
        assert publisher.close(timeout=0.2) is False
        assert time.monotonic() - began < 10.0
        assert publisher.report.why == "no answer within 0.2 s"
