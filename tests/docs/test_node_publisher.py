"""The example in the protocol's document really runs, in Node.js, against a real hub."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from websockets.asyncio.client import connect

from publish.tcp_proxy import tcp_proxy
from voicetop.hub import Hub, HubConfig
from voicetop.hub.config import Token
from voicetop.wire.codec import Batch, Codec
from voicetop.wire.events import CallEnd, CallOutcome, CallStart, Event, SourceStatus, Transcript, Turn
from voicetop.wire.frames import Hello, Resume

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "publish.mjs"
WORDS = "¿Por qué me cobraron dos veces?"
SECRET = "publisher-secret-publisher"
VIEWER = "viewer-secret-viewer-secret"
TOKENS = (Token("publisher", SECRET), Token("viewer", VIEWER))

RESTART = """
import { Publisher } from "./publish.mjs";
const publisher = new Publisher(process.argv[2], { source: "restart" });
publisher.emit("call.start", { call_id: "long call", segments: { intent: "billing" } });
const poll = setInterval(async () => {
  if (publisher.first === undefined) publisher.first = publisher.epoch;
  if (publisher.epoch === publisher.first) return;
  clearInterval(poll);
  publisher.emit("call.end", { call_id: "long call", reason: "completed" });
  console.log(await publisher.close());
}, 20);
"""

LIVE = """
import { leaveOnSignals, Publisher } from "./publish.mjs";
const publisher = new Publisher(process.argv[2], { source: "live" });
leaveOnSignals(publisher);
publisher.emit("call.start", { call_id: "live call" });
if (process.argv[3] === "over") publisher.emit("call.end", { call_id: "live call", reason: "completed" });
"""

LONG = """
import { setTimeout as sleep } from "node:timers/promises";
import { Publisher } from "./publish.mjs";
const publisher = new Publisher(process.argv[2], { source: "long" });
publisher.emit("tool", { call_id: "c", name: "too long", state: "ok", result: "x".repeat(200_000) });
publisher.emit("tool", { call_id: "c", name: "impossible", state: "ok", result: 1n });
for (let turn = 0; turn < 450; turn++) publisher.emit("turn", { call_id: "c", turn, agent_text: "好".repeat(6000) });
while (publisher.waiting.length) await sleep(10);
console.log("sent");
process.stdin.once("data", async () => {
  publisher.emit("call.end", { call_id: "c", reason: "completed" });
  console.log(await publisher.close(20_000), publisher.dropped);
  process.exit();
});
"""


@pytest.fixture(scope="module")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example and the package `ws`, as a reader of the document would have it."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("node")
    shutil.copy(EXAMPLE, folder)
    for name, script in (("restart", RESTART), ("live", LIVE), ("long", LONG)):
        (folder / f"{name}.mjs").write_text(script, encoding="utf-8")
    try:
        done = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "ws@8"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip("npm didn't get the package ws in time")
    if done.returncode:
        pytest.skip(f"npm could not install ws: {done.stderr[-300:]}")
    return folder


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def run_hub(port: int) -> Hub:
    hub = Hub(HubConfig(port=port, tokens=TOKENS))
    await hub.start()
    return hub


async def node(folder: Path, script: str, port: int, *args: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        "node",
        script,
        f"ws://127.0.0.1:{port}",
        *args,
        cwd=folder,
        env={**os.environ, "VOICETOP_TOKEN": SECRET},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def output(process: asyncio.subprocess.Process) -> str:
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, err.decode()
    return out.decode()


class Reader:
    """A console that keeps all events: it resumes from the hub's first."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.codec = Codec()
        self.events: list[Event] = []

    async def read(self) -> None:
        headers = {"Authorization": f"Bearer {VIEWER}"}
        async with connect(self.hub.url, additional_headers=headers, proxy=None, max_size=None) as hub:
            resume = Resume(self.hub.feed.stamper.epoch, 0)
            await hub.send(msgspec.json.encode(Hello(role="viewer", resume=resume)).decode())
            async for frame in hub:
                assert isinstance(frame, str)
                for step in self.codec.decode(frame.encode()):
                    if isinstance(step, Batch):
                        self.events += step.events

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if type(event) is kind]

    async def until(self, kind: type[Event], count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.of(kind)) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


@pytest.fixture
async def hub_and_reader(port: int) -> AsyncIterator[tuple[Hub, Reader]]:
    hub = await run_hub(port)
    reader = Reader(hub)
    reading = asyncio.create_task(reader.read())
    yield hub, reader
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await hub.close()


async def test_the_example_tells_a_hub_everything_it_means_to(
    node_folder: Path, port: int, hub_and_reader: tuple[Hub, Reader]
) -> None:
    _, reader = hub_and_reader
    process = await node(node_folder, "publish.mjs", port, "40")
    assert await output(process) == "520 events of 40 calls published, 0 dropped\n"
    await reader.until(CallEnd, 40)
    assert reader.codec.stats.malformed == 0
    assert reader.codec.stats.unknown_types == {}
    turns = [turn for turn in reader.of(Turn) if isinstance(turn, Turn)]
    assert len(turns) == 2 * 40
    turn = turns[0]
    amendment = next(other for other in turns[1:] if other.call_id == turn.call_id)
    assert (turn.source, turn.e2e_ms, turn.user_text) == ("node-example", 903.5, "")
    assert (amendment.turn, amendment.ts, amendment.user_text) == (turn.turn, turn.ts, WORDS)
    assert reader.of(Transcript)[0] == msgspec.structs.replace(
        reader.of(Transcript)[0], role="user", text=WORDS, final=True
    )
    assert turn.latency is not None
    assert sum(v for v in msgspec.structs.astuple(turn.latency) if v == v) == turn.e2e_ms
    status, farewell = reader.of(SourceStatus)
    assert isinstance(status, SourceStatus)
    assert isinstance(farewell, SourceStatus)
    assert abs(status.clock_offset_ms) < 5_000
    assert (farewell.leaving, farewell.active_calls, farewell.queue) == (True, 0, 0)
    assert reader.events.index(farewell) > reader.events.index(reader.of(CallOutcome)[-1])


@pytest.mark.parametrize(("word", "live"), [("over", 0), ("on", 1)])
async def test_a_rolling_deploy_ends_with_a_farewell(
    node_folder: Path, port: int, hub_and_reader: tuple[Hub, Reader], word: str, live: int
) -> None:
    _, reader = hub_and_reader
    process = await node(node_folder, "live.mjs", port, word)
    await reader.until(CallStart, 1)
    process.send_signal(signal.SIGTERM)
    _, said = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, said) == (143, b"")
    await reader.until(SourceStatus, 2)
    farewell = reader.of(SourceStatus)[-1]
    assert isinstance(farewell, SourceStatus)
    assert (farewell.leaving, farewell.active_calls) == (True, live)


async def test_a_broken_connection_costs_no_long_event_and_repeats_none(
    node_folder: Path, hub_and_reader: tuple[Hub, Reader]
) -> None:
    hub, reader = hub_and_reader
    with tcp_proxy(hub.port) as proxy:
        process = await node(node_folder, "long.mjs", proxy.port)
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 30) == b"sent\n"
        proxy.cut()
        out, said = await asyncio.wait_for(process.communicate(b"go"), 30)
    assert out == b"true 2\n"
    assert said.count(b"dropped a tool event") == 1
    await reader.until(CallEnd, 1)
    assert [turn.turn for turn in reader.of(Turn) if isinstance(turn, Turn)] == list(range(450))
    assert proxy.accepted == 2


async def test_without_a_hub_it_says_what_was_lost(node_folder: Path, port: int) -> None:
    process = await node(node_folder, "publish.mjs", port, "1")
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    lost = f"voicetop: 13 events were not delivered to ws://127.0.0.1:{port}/publish: "
    assert lost in said.decode()


async def test_events_wait_for_a_hub_that_comes_later(node_folder: Path, port: int) -> None:
    process = await node(node_folder, "publish.mjs", port, "5")
    assert process.stderr is not None
    assert b"calls go on" in await asyncio.wait_for(process.stderr.readline(), 40)
    hub = await run_hub(port)
    try:
        assert "65 events of 5 calls published, 0 dropped" in await output(process)
        assert hub.feed.validator.events >= 65
        assert hub.feed.validator.malformed == 0
    finally:
        await hub.close()


async def test_live_calls_are_announced_to_a_hub_that_was_restarted(node_folder: Path, port: int) -> None:
    hub = await run_hub(port)
    reader = Reader(hub)
    reading = asyncio.create_task(reader.read())
    process = await node(node_folder, "restart.mjs", port)
    await reader.until(CallStart, 1)
    await hub.close()
    await asyncio.gather(reading, return_exceptions=True)
    hub = await run_hub(port)
    again = Reader(hub)
    reading = asyncio.create_task(again.read())
    try:
        assert await output(process) == "true\n"
        await again.until(CallEnd, 1)
        starts = again.of(CallStart)  # announced, and maybe sent once more since it wasn't acknowledged
        assert {(start.ts, str(start.segments)) for start in starts if isinstance(start, CallStart)} == {
            (reader.of(CallStart)[0].ts, "{'intent': 'billing'}")
        }
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await hub.close()
