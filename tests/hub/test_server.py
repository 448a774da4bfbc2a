from __future__ import annotations

import asyncio
import socket
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hub.clients import CountingSession, Watcher, publisher, send, turn, until
from hub.conftest import StartHub
from voicetop.errors import UsageError
from voicetop.hub import Hub, HubConfig
from voicetop.hub.backlog import Backlog


async def test_a_console_receives_a_publishers_events_in_order_and_stamped(start_hub: StartHub) -> None:
    hub = await start_hub()
    watcher = await Watcher.open(hub.url)
    await watcher.read()
    agent = await publisher(hub.url)
    await send(agent, turn(1), turn(2))
    await agent.send(msgspec.json.encode(turn(3)).decode())
    await watcher.read_until(lambda it: len(it.ids) == 3)
    assert watcher.events == [turn(1), turn(2), turn(3)]
    assert all(
        earlier <= later
        for batch in watcher.frames
        if batch["type"] == "batch"
        for (earlier, _), (later, _) in zip(batch["at"], batch["at"][1:], strict=False)
    )
    await watcher.connection.close()
    await agent.close()


async def test_heartbeats_come_every_quarter_second_without_events(
    start_hub: StartHub,
) -> None:
    hub = await start_hub()
    watcher = await Watcher.open(hub.url)
    await watcher.read_until(lambda it: it.seq >= 5)
    batches = [frame for frame in watcher.frames if frame["type"] == "batch"][-4:]
    beats = [batch["events"][0] for batch in batches]
    assert [beat["type"] for beat in beats] == ["heartbeat"] * 4
    assert [beat["seq"] for beat in beats] == [batch["seq"] - 1 for batch in batches]
    assert 0.6 < beats[-1]["ts"] - beats[0]["ts"] < 1.5
    await watcher.connection.close()


async def test_a_late_joiner_begins_with_the_state_of_all_earlier_batches(start_hub: StartHub) -> None:
    hub = await start_hub()
    agent = await publisher(hub.url)
    watchers = []
    for first in range(0, 500, 50):
        await send(agent, *[turn(number) for number in range(first, first + 50)])
        watchers.append(await Watcher.open(hub.url))
    for watcher in watchers:
        await watcher.read_until(lambda it: len(it.ids) == 500)
        assert watcher.ids == [f"e{number}" for number in range(500)]
        await watcher.connection.close()
    await agent.close()


async def test_a_console_that_lost_its_connection_resumes_without_loss_or_repeat(start_hub: StartHub) -> None:
    hub = await start_hub()
    agent = await publisher(hub.url)
    watcher = await Watcher.open(hub.url)
    await send(agent, *[turn(number) for number in range(20)])
    await watcher.read_until(lambda it: len(it.ids) >= 20)
    watcher.connection.transport.abort()
    await send(agent, *[turn(number) for number in range(20, 60)])
    again = await Watcher.open(hub.url, resume=watcher.resume)
    again.seq, again.ids = watcher.seq, watcher.ids
    await again.read_until(lambda it: len(it.ids) >= 60)
    assert again.frames[0]["type"] == "welcome"
    assert not again.frames[0].get("state")
    assert again.ids == [f"e{number}" for number in range(60)]
    await again.connection.close()
    await agent.close()


async def test_a_resume_from_the_middle_of_a_batch_gets_its_rest(start_hub: StartHub) -> None:
    hub = await start_hub()
    agent = await publisher(hub.url)
    watcher = await Watcher.open(hub.url)
    await send(agent, *[turn(number) for number in range(10)])
    await watcher.read_until(lambda it: len(it.ids) >= 10)
    middle = next(
        frame for frame in watcher.frames if frame["type"] == "batch" and len(frame["events"]) >= 10
    )
    again = await Watcher.open(hub.url, resume={"epoch": watcher.epoch, "seq": middle["seq"] + 3})
    await again.read_until(lambda it: len(it.ids) >= 6)
    assert again.ids[:6] == [f"e{number}" for number in range(4, 10)]
    for each in (watcher.connection, again.connection, agent):
        await each.close()


async def test_after_a_restart_a_console_gets_the_new_epoch_and_its_state(
    start_hub: StartHub,
) -> None:
    first = await start_hub(epoch="one")
    watcher = await Watcher.open(first.url)
    await watcher.read_until(lambda it: it.seq > 1)
    port = first.port
    await first.close()
    second = await start_hub(epoch="two", port=port)
    again = await Watcher.open(second.url, resume=watcher.resume)
    gap, welcome = await again.read(), await again.read()
    assert (gap["type"], gap["why"], gap["from_seq"]) == ("gap", "epoch", watcher.seq + 1)
    assert welcome["epoch"] == "two"
    assert welcome["state"]
    await again.connection.close()


async def test_resuming_from_an_evicted_event_gives_a_gap_and_the_state(
    start_hub: StartHub,
) -> None:
    hub = await start_hub(backlog_events=50)
    watcher = await Watcher.open(hub.url)
    await watcher.read_until(lambda it: it.seq > 0)
    agent = await publisher(hub.url)
    for first in range(0, 200, 20):
        await send(agent, *[turn(number) for number in range(first, first + 20)])
        await watcher.read_until(lambda it, first=first: len(it.ids) == first + 20)  # type: ignore[misc]
    again = await Watcher.open(hub.url, resume={"epoch": watcher.epoch, "seq": 1})
    gap = await again.read()
    assert (gap["type"], gap["why"], gap["from_seq"]) == ("gap", "evicted", 2)
    await again.read_until(lambda it: len(it.ids) == 200)
    assert gap["to_seq"] == again.frames[1]["seq"]
    assert again.ids == [f"e{number}" for number in range(200)]
    for each in (watcher.connection, again.connection, agent):
        await each.close()


async def test_a_stuck_console_gets_a_gap_and_restarts_without_affecting_others(
    start_hub: StartHub,
) -> None:
    log: list[str] = []
    hub = await start_hub(backlog_bytes=600_000, log=log)
    stuck = await Watcher.open(hub.url)
    await stuck.read()
    stuck.connection.transport.pause_reading()
    lively = await Watcher.open(hub.url)
    agent = await publisher(hub.url)
    text = "x" * 2_000
    total = 6_000
    for first in range(0, total, 50):
        await send(agent, *[turn(number, agent_text=text) for number in range(first, first + 50)])
        await lively.read_until(lambda it, first=first: len(it.ids) >= first + 50)  # type: ignore[misc]
    assert not any(frame["type"] == "gap" for frame in lively.frames)
    held = max(console.client.transport.get_write_buffer_size() for console in hub.consoles)
    assert 0 < held < 300_000
    stuck.connection.transport.resume_reading()
    seen = 0
    while True:
        frame = msgspec.json.decode(await stuck.connection.recv())
        if frame["type"] == "gap":
            break
        seen = frame["seq"] + len(frame["events"]) - 1
    assert (frame["why"], frame["from_seq"]) == ("slow", seen + 1)
    await stuck.read_until(lambda it: len(it.ids) == total)
    assert stuck.ids == lively.ids
    assert any("too slowly" in line for line in log)
    for each in (stuck.connection, lively.connection, agent):
        await each.close()


async def test_twenty_consoles_share_one_state_and_one_encoding(start_hub: StartHub) -> None:
    sessions: list[CountingSession] = []

    def new_session() -> CountingSession:
        sessions.append(CountingSession())
        return sessions[-1]

    hub = await start_hub(new_session=new_session)
    agent = await publisher(hub.url)
    await send(agent, *[turn(number) for number in range(100)])
    await until(lambda: len(sessions[0].ids) == 100)
    watchers = await asyncio.gather(*[Watcher.open(hub.url) for _ in range(20)])
    await asyncio.gather(*[watcher.read() for watcher in watchers])
    assert sessions[0].checkpoints <= 3
    await send(agent, *[turn(number) for number in range(100, 200)])
    await asyncio.gather(*[watcher.read_until(lambda it: len(it.ids) == 200) for watcher in watchers])
    for each in (*[watcher.connection for watcher in watchers], agent):
        await each.close()


async def test_duplicates_are_dropped_and_counted(start_hub: StartHub) -> None:
    hub = await start_hub()
    watcher = await Watcher.open(hub.url)
    agent = await publisher(hub.url)
    await send(agent, *[turn(number) for number in range(10)])
    agent.transport.abort()
    again = await publisher(hub.url)
    await send(again, *[turn(number) for number in range(5, 15)])
    await send(again, turn(15), turn(15), turn(16))
    await watcher.read_until(lambda it: "e16" in it.ids)
    assert watcher.ids == [f"e{number}" for number in range(17)]
    assert hub.feed.validator.duplicates == 6
    for each in (watcher.connection, again):
        await each.close()


async def test_garbage_is_stamped_and_does_not_close_the_connection(start_hub: StartHub) -> None:
    hub = await start_hub()
    watcher = await Watcher.open(hub.url)
    agent = await publisher(hub.url)
    await agent.send("{nonsense")
    await agent.send(b"\xff\xfe\x00")
    await agent.send("[1, 2]")
    await agent.send('{"type":"heartbeat","ts":1,"seq":99}')
    await send(agent, {"type": "turn", "ts": "yesterday", "call_id": "c"}, turn(1))
    await agent.send('[{"type":"turn","ts":1e999,"call_id":"c"}]')
    await send(agent, turn(2))
    await watcher.read_until(lambda it: "e2" in it.ids)
    types = [event["type"] for event in watcher.events if event["type"] != "repaired"]
    assert types == ["malformed"] * 5 + ["turn"] * 4
    assert hub.feed.validator.malformed == 5
    assert msgspec.json.decode(msgspec.json.encode(watcher.events[0]["payload"]), type=bytes) == b"{nonsense"
    assert sum(kinds["refused"].count for kinds in hub.feed.validator.faults.values()) == 5
    for each in (watcher.connection, agent):
        await each.close()


async def test_an_unknown_type_passes_unchanged(start_hub: StartHub) -> None:
    hub = await start_hub()
    watcher = await Watcher.open(hub.url)
    agent = await publisher(hub.url)
    novelty = {"type": "hologram", "ts": 1.0, "event_id": "h1", "depth": [1, {"x": None}]}
    await send(agent, novelty, turn(1), novelty)
    await watcher.read_until(lambda it: "e1" in it.ids)
    assert watcher.events == [novelty, turn(1)]
    assert hub.feed.validator.malformed == 0
    for each in (watcher.connection, agent):
        await each.close()


async def test_a_frame_above_the_limit_closes_its_connection_with_a_reason(start_hub: StartHub) -> None:
    hub = await start_hub()
    agent = await publisher(hub.url)
    with pytest.raises(ConnectionClosed) as closed:
        await asyncio.gather(agent.send("[" + " " * 5_000_000 + "]"), agent.recv())
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    assert "exceeds limit" in closed.value.rcvd.reason


async def test_browser_connections_are_refused(start_hub: StartHub) -> None:
    hub = await start_hub()
    with pytest.raises(InvalidStatus) as refused:
        await connect(hub.url, origin="http://127.0.0.1:8377", proxy=None)  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ('{"type":"turn","ts":1,"call_id":"c"}', "first"),
        ('{"type":"hello","role":"boss"}', "no role 'boss'"),
        ('{"type":"hello","protocol":2}', "protocol 1, not 2"),
        ("\x00", "first"),
    ],
)
async def test_a_bad_hello_is_answered_with_one_clear_reason(
    start_hub: StartHub, words: str, reason: str
) -> None:
    hub = await start_hub()
    client = await connect(hub.url, proxy=None)
    await client.send(words)
    with pytest.raises(ConnectionClosed) as closed:
        await client.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    assert reason in closed.value.rcvd.reason


async def test_a_client_without_a_hello_is_closed(start_hub: StartHub) -> None:
    hub = await start_hub(hello_s=0.1)
    client = await connect(hub.url, proxy=None)
    with pytest.raises(ConnectionClosed) as closed:
        await client.recv()
    assert closed.value.rcvd is not None
    assert "no hello within 0.1 s" in closed.value.rcvd.reason


async def test_a_publisher_may_use_any_path_if_its_hello_says_so(start_hub: StartHub) -> None:
    hub = await start_hub()
    watcher = await Watcher.open(hub.url)
    agent = await connect(hub.url, proxy=None)
    await agent.send('{"type":"hello","role":"publisher","source":"agent-7"}')
    await agent.send("?")
    await watcher.read_until(lambda it: bool(it.events))
    assert watcher.events[0]["source"] == "agent-7"
    for each in (watcher.connection, agent):
        await each.close()


async def test_health_is_served_on_the_same_port(start_hub: StartHub) -> None:
    hub = await start_hub(epoch="e")
    agent = await publisher(hub.url)
    watcher = await Watcher.open(hub.url)
    await send(agent, turn(1), {"type": "source.status", "ts": 1.0, "source": "a", "dropped": 3})
    await watcher.read_until(lambda it: "e1" in it.ids)
    health = await _healthz(hub)
    assert health["status"] == "ok"
    assert (health["epoch"], health["publishers"], health["consoles"]) == ("e", 1, 1)
    assert (health["events"], health["dropped_by_publishers"], health["live_calls"]) == (2, 3, 7)
    assert health["seq"] >= 2
    for each in (watcher.connection, agent):
        await each.close()


async def _healthz(hub: Hub) -> dict[str, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    assert b"application/json" in head
    health: dict[str, Any] = msgspec.json.decode(body)
    return health


async def test_a_hello_is_recognised_wherever_its_type_stands(start_hub: StartHub) -> None:
    hub = await start_hub()
    async with connect(hub.url) as client:
        await client.send(f'{{"source":"{"x" * 300}","role":"viewer","type":"hello"}}')
        assert msgspec.json.decode(await client.recv())["type"] == "welcome"
    async with connect(hub.url + "/publish") as client:
        await client.send(
            '{"type":"call.start","call_id":"hello","ts":1,"segments":{"intent":"\\"hello\\""}}'
        )
        await until(lambda: hub.feed.validator.events == 1)


async def test_a_status_line_is_logged_every_minute(start_hub: StartHub) -> None:
    log: list[str] = []
    hub = await start_hub(report_s=0.05, log=log)
    watcher = await Watcher.open(hub.url)
    await until(lambda: any("1 console," in line for line in log))
    assert any("0 publishers" in line and "events/s" in line and "seq" in line for line in log)
    await watcher.connection.close()


async def test_shutdown_closes_all_connections_even_those_that_do_not_read(
    start_hub: StartHub,
) -> None:
    hub = await start_hub()
    watcher = await Watcher.open(hub.url)
    await watcher.read()
    stuck = await Watcher.open(hub.url)
    stuck.connection.transport.pause_reading()
    agent = await publisher(hub.url)
    for first in range(0, 1_000, 50):
        await send(agent, *[turn(number, agent_text="x" * 2_000) for number in range(first, first + 50)])
    await watcher.read_until(lambda it: len(it.ids) == 1_000)
    await send(agent, turn(1_000))
    await until(lambda: hub.feed.validator.events == 1_001)
    async with asyncio.timeout(30):
        await hub.close()
    with pytest.raises(ConnectionClosed) as closed:
        await watcher.read_until(lambda _: False)
    assert watcher.ids[-1] == "e1000"
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "the hub is shutting down")
    stuck.connection.transport.abort()
    await agent.close()


async def test_a_session_that_fails_doesnt_stop_the_feed(start_hub: StartHub) -> None:
    class Broken(CountingSession):
        def feed(self, frame: bytes) -> None:
            raise ZeroDivisionError("engine")

        def checkpoint(self) -> bytes:
            raise ZeroDivisionError("engine")

    log: list[str] = []
    hub = await start_hub(new_session=Broken, log=log)
    watcher = await Watcher.open(hub.url)
    agent = await publisher(hub.url)
    await send(agent, turn(1))
    await watcher.read_until(lambda it: "e1" in it.ids)
    assert any("ZeroDivisionError" in line for line in log)
    for each in (watcher.connection, agent):
        await each.close()


async def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"127.0.0.1:{port} is in use"):
            await Hub(HubConfig(port=port), new_session=CountingSession).start()


async def test_the_backlog_is_bounded_in_bytes_and_in_events(start_hub: StartHub) -> None:
    hub = await start_hub(backlog_bytes=100_000, backlog_events=200)
    agent = await publisher(hub.url)
    watcher = await Watcher.open(hub.url)
    for first in range(0, 1_000, 20):
        await send(agent, *[turn(number, agent_text="x" * 500) for number in range(first, first + 20)])
        await watcher.read_until(lambda it, first=first: len(it.ids) >= first + 20)  # type: ignore[misc]
    backlog: Backlog = hub.feed.backlog
    assert backlog.bytes <= 100_000
    assert backlog.events <= 200
    assert backlog.oldest_seq > 500
    for each in (watcher.connection, agent):
        await each.close()
