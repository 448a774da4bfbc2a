from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection, serve

from hub.clients import CountingSession, Json, publisher, send, turn, until
from voicetop.connection.address import client_tls
from voicetop.connection.backoff import Backoff
from voicetop.errors import FeedLost, FeedRefused
from voicetop.hub import Hub, HubConfig, Token
from voicetop.sources.socket import SocketSource
from voicetop.wire.events import Operator

HUB_TESTS = Path(__file__).parent.parent / "hub"
CERTIFICATE = str(HUB_TESTS / "localhost-cert.pem")
KEY = str(HUB_TESTS / "localhost-key.pem")


class Console:
    """Runs a source and keeps its frames; `ids` are the events in them."""

    def __init__(self, source: SocketSource) -> None:
        self.source = source
        self.frames: list[Json] = []
        self.ids: list[str] = []
        self.error: Exception | None = None
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            async with contextlib.aclosing(self.source.frames()) as frames:
                async for frame in frames:
                    self._take(msgspec.json.decode(frame))
        except FeedRefused as error:
            self.error = error

    def _take(self, frame: Json) -> None:
        self.frames.append(frame)
        if frame["type"] == "welcome" and frame.get("state"):
            state: bytes = msgspec.convert(frame["state"], bytes)
            self.ids = msgspec.json.decode(state)
        for event in frame.get("events", ()):
            if "event_id" in event:
                self.ids.append(event["event_id"])

    @property
    def local(self) -> list[Json]:
        return [frame for frame in self.frames if frame.get("local")]

    async def refused(self) -> str:
        await asyncio.wait_for(self._task, 40)
        return str(self.error)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


Open = Callable[..., Console]
StartHub = Callable[..., Awaitable[Hub]]


@pytest.fixture
async def open_console() -> AsyncIterator[Open]:
    consoles: list[Console] = []

    def start(url: str, token: str | None = None, **options: Any) -> Console:
        options.setdefault("backoff", Backoff(first=0.05, limit=0.2))
        consoles.append(Console(SocketSource(url, token, **options)))
        return consoles[-1]

    yield start
    for console in consoles:
        await console.close()


@pytest.fixture
async def start_hub() -> AsyncIterator[StartHub]:
    hubs: list[Hub] = []

    async def start(**options: Any) -> Hub:
        hub = Hub(HubConfig(**{"port": 0, **options}), new_session=CountingSession)
        await hub.start()
        hubs.append(hub)
        return hub

    yield start
    for hub in hubs:
        await hub.close()


async def publish(agent: ClientConnection, numbers: range) -> None:
    await send(agent, *[turn(number) for number in numbers])


def expected(count: int) -> list[str]:
    return [f"e{number}" for number in range(count)]


async def test_it_yields_the_welcome_and_batches_unchanged(start_hub: StartHub, open_console: Open) -> None:
    hub = await start_hub()
    console = open_console(hub.url)
    agent = await publisher(hub.url)
    await publish(agent, range(5))
    await until(lambda: len(console.ids) == 5)
    assert console.frames[0]["type"] == "welcome"
    assert {frame["type"] for frame in console.frames[1:]} == {"batch"}
    assert console.source.link.phase == "live"
    assert console.source.link.where == hub.url.removeprefix("ws://")
    await agent.close()


async def test_connections_cut_mid_stream_lose_and_repeat_nothing(
    start_hub: StartHub, open_console: Open
) -> None:
    hub = await start_hub()
    console = open_console(hub.url)
    agent = await publisher(hub.url)
    for part in range(12):
        await publish(agent, range(part * 50, part * 50 + 50))
        await asyncio.sleep(0.03)
        if part % 3 == 2:
            for each in list(hub.consoles):
                each.client.transport.abort()
    await until(lambda: len(console.ids) >= 600)
    assert console.ids == expected(600)
    welcomes = [frame for frame in console.frames if frame["type"] == "welcome"]
    assert len(welcomes) >= 3
    assert not any(welcome.get("state") for welcome in welcomes[1:])
    assert not any(event["type"] == "gap" for frame in console.frames for event in frame.get("events", ()))
    await agent.close()


async def test_after_a_hub_restart_it_yields_a_gap_and_the_new_state(
    start_hub: StartHub, open_console: Open
) -> None:
    first = await start_hub(epoch="one")
    console = open_console(first.url)
    agent = await publisher(first.url)
    await publish(agent, range(10))
    await until(lambda: len(console.ids) == 10)
    last, port = console.source.seq, first.port
    await agent.close()
    await first.close()
    await until(lambda: "shutting down" in console.source.link.why)
    second = await start_hub(epoch="two", port=port)
    await until(lambda: console.source.epoch == "two" and console.source.link.phase == "live")
    gaps = [event for frame in console.local for event in frame["events"] if event["type"] == "gap"]
    assert [(gap["why"], gap["from_seq"] > last) for gap in gaps] == [("epoch", True)]
    assert console.ids == []
    agent = await publisher(second.url)
    await publish(agent, range(3))
    await until(lambda: console.ids == expected(3))
    await agent.close()


async def test_a_slow_console_yields_a_gap_and_everything_after_it(
    start_hub: StartHub,
) -> None:
    hub = await start_hub(backlog_bytes=400_000)
    frames = SocketSource(hub.url).frames()
    await anext(frames)
    agent = await publisher(hub.url)
    total = 40_000
    for first in range(0, total, 200):
        await send(agent, *[turn(number, agent_text="x" * 400) for number in range(first, first + 200)])
    await until(lambda: hub.feed.validator.events == total, seconds=20)
    seen: list[Json] = []
    while not (seen and f"e{total - 1}" in _known(seen[-1])):
        seen.append(msgspec.json.decode(await asyncio.wait_for(anext(frames), 40)))
    kinds = [frame["events"][0]["type"] if frame.get("local") else frame["type"] for frame in seen]
    gap, welcome = seen[kinds.index("gap")]["events"][0], seen[kinds.index("gap") + 1]
    assert gap["why"] == "slow"
    assert (welcome["type"], welcome["seq"]) == ("welcome", gap["to_seq"])
    await frames.aclose()
    await agent.close()


def _known(frame: Json) -> set[str]:
    """The events of a frame, or of its state."""
    if frame["type"] == "welcome":
        return set(msgspec.json.decode(msgspec.convert(frame["state"], bytes)))
    return {event.get("event_id") for event in frame["events"]}


async def test_local_heartbeats_continue_while_the_hub_is_silent(open_console: Open) -> None:
    silent = asyncio.Event()

    async def dumb_hub(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"type":"welcome","epoch":"x","seq":7,"at":1000.0}')
        beat = '{"type":"heartbeat","ts":1000.25,"seq":7}'
        await connection.send(f'{{"type":"batch","seq":8,"at":[[1000.25,1]],"events":[{beat}]}}')
        await silent.wait()

    async with serve(dumb_hub, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        console = open_console(f"ws://127.0.0.1:{port}", silent_after_s=0.4)
        await until(lambda: len(console.local) >= 3)
        silent.set()
    beats = [frame["events"][0] for frame in console.local[:3]]
    assert [(beat["type"], beat["local"], beat["seq"]) for beat in beats] == [("heartbeat", True, 8)] * 3
    assert [frame["seq"] for frame in console.local[:3]] == [8, 8, 8]
    assert 1000.6 < beats[0]["ts"] < beats[1]["ts"] < beats[2]["ts"] < 1003.0
    assert beats[0]["ts"] == console.local[0]["at"][0][0]


async def test_after_local_heartbeats_it_requests_the_hubs_state_once(open_console: Open) -> None:
    requests: list[bytes] = []
    resume = asyncio.Event()

    def beat(seq: int, at: float) -> str:
        event = f'{{"type":"heartbeat","ts":{at},"seq":{seq}}}'
        return f'{{"type":"batch","seq":{seq},"at":[[{at},1]],"events":[{event}]}}'

    async def hanging_hub(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"type":"welcome","epoch":"x","seq":7,"at":1000.0}')
        await connection.send(beat(8, 1000.25))
        await resume.wait()
        for seq in (9, 10):
            await connection.send(beat(seq, 1001.0 + seq))
        requests.append(await connection.recv(decode=False))
        await connection.send('{"type":"welcome","epoch":"x","seq":10,"at":1011.0,"state":"W10="}')
        await connection.send(beat(11, 1012.0))
        await connection.wait_closed()

    async with serve(hanging_hub, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        console = open_console(f"ws://127.0.0.1:{port}", silent_after_s=0.3)
        await until(lambda: len(console.local) >= 1)
        resume.set()
        await until(lambda: len(console.frames) > 1 and console.source.seq == 11)
        assert requests == [b'{"type":"state"}']
        assert not console.source._has_local_time
        await console.close()


async def test_a_pause_of_the_process_is_not_hub_silence(start_hub: StartHub, open_console: Open) -> None:
    hub = await start_hub()
    console = open_console(hub.url, silent_after_s=1.0)
    await until(lambda: console.source.link.phase == "live")
    before = len(console.local)
    time.sleep(1.6)  # noqa: ASYNC251 - nothing at all goes on here: hub and console stand still alike
    await asyncio.sleep(0.6)
    assert len(console.local) == before
    assert not console.source._has_local_time


async def test_it_waits_for_a_hub_that_is_not_there_yet(start_hub: StartHub, open_console: Open) -> None:
    first = await start_hub()
    port = first.port
    await first.close()
    console = open_console(f"ws://127.0.0.1:{port}", silent_after_s=0.3)
    await until(lambda: console.source.link.tries >= 3)
    link = console.source.link
    assert (link.phase, link.why) == ("reconnecting", "nothing listens there")
    await until(lambda: bool(console.local))
    await start_hub(port=port)
    await until(lambda: console.source.link.phase == "live")


async def test_a_hub_that_accepts_and_drops_does_not_reset_the_backoff(open_console: Open) -> None:
    came = 0

    async def rude_hub(connection: ServerConnection) -> None:
        nonlocal came
        came += 1
        await connection.recv()
        await connection.send('{"type":"welcome","epoch":"x","seq":7,"at":1000.0}')

    async with serve(rude_hub, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        console = open_console(f"ws://127.0.0.1:{port}")
        await until(lambda: came >= 4)
        assert console.source.link.tries >= 3


@pytest.mark.parametrize(
    ("token", "role", "words"),
    [
        (None, "viewer", "VOICETOP_TOKEN"),
        ("wrong-wrong-wrong-wrong", "viewer", "a valid token"),
        ("the-viewers-secret", "operator", "no role 'operator' for this token"),
    ],
)
async def test_a_refusal_ends_it_with_a_clear_reason(
    start_hub: StartHub, open_console: Open, token: str | None, role: str, words: str
) -> None:
    hub = await start_hub(tokens=(Token("viewer", "the-viewers-secret"),))
    console = open_console(hub.url, token, role=role)
    assert words in await console.refused()
    assert console.source.link.phase == "refused"
    assert words in console.source.link.why


async def test_another_version_of_the_protocol_ends_it(open_console: Open) -> None:
    async def newer_hub(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"type":"welcome","epoch":"x","seq":7,"protocol":9}')
        await connection.wait_closed()

    async with serve(newer_hub, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert "uses protocol 9" in await open_console(f"ws://127.0.0.1:{port}").refused()


async def test_a_server_that_is_not_a_hub_ends_it(open_console: Open) -> None:
    async def web_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(web_server, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert "is not a voicetop hub" in await open_console(f"ws://127.0.0.1:{port}").refused()


async def test_a_gateway_without_its_hub_is_tried_again(open_console: Open) -> None:
    async def gateway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(gateway, "127.0.0.1", 0) as server:
        console = open_console(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await until(lambda: console.source.link.tries >= 2)
        assert console.source.link.why == "HTTP status 502: a proxy answers, but no hub behind it"
        await console.close()


async def test_certificates_are_verified_against_cafile(start_hub: StartHub, open_console: Open) -> None:
    hub = await start_hub(host="localhost", cert=CERTIFICATE, key=KEY)
    assert "isn't trusted" in await open_console(hub.url).refused()
    console = open_console(hub.url, ssl=client_tls(hub.url, CERTIFICATE))
    await until(lambda: console.source.link.phase == "live")


async def test_an_encrypted_url_to_a_server_that_answers_in_plain_text_says_so(open_console: Open) -> None:
    async def plain_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(plain_server, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert "isn't encrypted" in await open_console(f"wss://127.0.0.1:{port}").refused()


async def test_an_encrypted_url_to_a_plain_hub_is_tried_again_with_a_reason(
    start_hub: StartHub, open_console: Open
) -> None:
    hub = await start_hub()
    console = open_console(hub.url.replace("ws:", "wss:"))
    await until(lambda: console.source.link.phase == "reconnecting")
    assert console.source.link.why == "the TLS handshake failed: should the URL be ws://?"


async def test_operator_acts_are_sent_to_the_hub(start_hub: StartHub, open_console: Open) -> None:
    hub = await start_hub()
    console = open_console(hub.url, role="operator")
    act = Operator(ts=1.0, act="ack", by="noor", event_id="a1")
    with pytest.raises(FeedLost):
        await console.source.act(act)
    await until(lambda: console.source.link.phase == "live")
    await console.source.act(act)
    await until(lambda: console.ids == ["a1"])
