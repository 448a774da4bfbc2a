from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hub.clients import CountingSession, Watcher, turn, until
from voicetop.cli import run
from voicetop.cli.publish import LineSender, Pump
from voicetop.clock import WallClock
from voicetop.connection.backoff import Backoff
from voicetop.hub import Hub, HubConfig
from voicetop.publish.json_lines import InvalidLine, JsonLine, JsonLines
from voicetop.wire.frames import MAX_EVENT_BYTES

StartHub = Callable[..., Awaitable[Hub]]


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


async def voicetop_publish(*words: str, stdin: bytes = b"") -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicetop", "publish", *words),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(stdin), 30)
    assert process.returncode is not None
    return process.returncode, said.decode()


def lines_of(*events: object) -> bytes:
    return b"".join(msgspec.json.encode(event) + b"\n" for event in events)


async def test_all_lines_of_a_file_reach_the_hub_in_order(start_hub: StartHub, tmp_path: Path) -> None:
    hub = await start_hub()
    watcher = await Watcher.open(hub.url)
    file = tmp_path / "calls.jsonl"
    file.write_bytes(lines_of(*[turn(number) for number in range(3_000)]).rstrip())
    code, said = await voicetop_publish(str(file), "--url", hub.url, "--speed", "max")
    assert (code, said) == (0, "voicetop: published 3,000 events\n")
    await watcher.read_until(lambda it: len(it.ids) == 3_000)
    assert watcher.events == [turn(number) for number in range(3_000)]
    await watcher.connection.close()


async def test_a_bad_line_is_named_skipped_and_counted(start_hub: StartHub) -> None:
    hub = await start_hub()
    text = (
        lines_of(turn(1), {"type": "turn", "ts": 1.0}, turn(2))
        + b"nonsense\n\n"
        + lines_of({"ts": 1}, {"x": 2})
    )
    code, said = await voicetop_publish("-", "--url", hub.url, stdin=text)
    assert code == 1
    assert "line 2: Object missing required field `call_id`" in said
    assert "line 4: JSON is malformed" in said
    assert "line 6: not an event: it has no `type`" in said
    assert said.endswith("voicetop: published 2 events, skipped 4 bad lines\n")
    assert (hub.feed.validator.events, hub.feed.validator.malformed) == (2, 0)
    code, said = await voicetop_publish("-", "--url", hub.url, stdin=lines_of(turn(3)) + b"nonsense\n")
    assert said.endswith("voicetop: published 1 event, skipped 1 bad line\n")


async def test_events_keep_their_pace_or_a_multiple_of_it(start_hub: StartHub) -> None:
    hub = await start_hub()
    watcher = await Watcher.open(hub.url)
    text = lines_of(*[turn(number) for number in range(4)])
    code, _ = await voicetop_publish("-", "--url", hub.url, "--speed", "5", "--now", stdin=text)
    assert code == 0
    await watcher.read_until(lambda it: len(it.ids) == 4)
    came = [
        batch["at"][0][0]
        for batch in watcher.frames
        for event in batch.get("events", ())
        if event["type"] == "turn"
    ]
    steps = [round(later - earlier, 1) for earlier, later in itertools.pairwise(came)]
    assert steps == pytest.approx([0.2] * 3, abs=0.11)
    told = [event["ts"] for event in watcher.events]
    assert [round(later - earlier, 1) for earlier, later in itertools.pairwise(told)] == [0.2] * 3
    assert abs(told[0] - came[0]) < 5.0
    await watcher.connection.close()


async def test_a_cut_connection_costs_no_line_and_repeats_none(start_hub: StartHub, tmp_path: Path) -> None:
    hub = await start_hub()
    watcher = await Watcher.open(hub.url)
    reading, writing = os.pipe()
    sender = LineSender(hub.url, None, "test", WallClock(), backoff=Backoff(first=0.02, limit=0.05))
    pump = asyncio.create_task(Pump(sender, WallClock(), speed=1.0, now=False).run(reading))
    for part in range(10):
        events = [
            {"type": "marker", "ts": 1.0, "kind": "k", "label": str(part * 100 + n)} for n in range(100)
        ]
        await asyncio.to_thread(os.write, writing, lines_of(*events))
        await until(lambda part=part: hub.feed.validator.events >= part * 100 + 1)
        for publisher in list(hub.publishers):
            publisher.transport.abort()
    os.close(writing)
    told = await asyncio.wait_for(pump, 40)
    os.close(reading)
    assert (told.events, told.bad) == (1_000, 0)
    await watcher.read_until(lambda it: len(it.ids) == 1_000)
    assert sorted(int(event["label"]) for event in watcher.events) == list(range(1_000))
    assert sender.sent.connections > 1
    await watcher.connection.close()


def test_without_a_hub_it_is_one_clear_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "calls.jsonl"
    file.write_bytes(lines_of(turn(1)))
    assert run(["publish", str(file), "--url", "ws://127.0.0.1:9"]) == 2
    said = capsys.readouterr().err
    assert "no hub at ws://127.0.0.1:9" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (["."], ". is a folder"),
        (["-", "--url", "http://h"], "did you mean ws://h ?"),
        (["-", "--speed", "fast"], "--speed fast"),
        (["-", "--token", "two words"], "VOICETOP_TOKEN"),
        (["-", "--cafile", "x.pem"], "isn't encrypted"),
    ],
)
def test_what_cannot_work_is_one_clear_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["publish", *words]) == 2
    assert said in capsys.readouterr().err


def test_lines_are_the_same_however_they_are_cut() -> None:
    text = lines_of(turn(1), turn(2)) + b"\r\n  \nbad\n" + lines_of(turn(3)).rstrip()
    for size in (1, 2, 7, 50, 1_000):
        lines = JsonLines()
        found = [
            line for start in range(0, len(text), size) for line in lines.feed(text[start : start + size])
        ]
        found += lines.end()
        assert [(line.number, isinstance(line, JsonLine)) for line in found] == [
            (1, True),
            (2, True),
            (5, False),
            (6, True),
        ]


def test_an_event_without_an_id_gets_one_of_its_own_line() -> None:
    event = {"type": "marker", "ts": 1.0, "kind": "deploy", "label": "v2"}
    lines = JsonLines()
    first, second = lines.feed(lines_of(event, event))
    assert isinstance(first, JsonLine)
    assert isinstance(second, JsonLine)
    ids = [msgspec.json.decode(line.raw).pop("event_id") for line in (first, second)]
    assert ids[0] != ids[1]
    assert {**msgspec.json.decode(first.raw), "event_id": ""} == {**event, "event_id": ""}


def test_an_unpacked_recording_is_published_without_what_its_hub_said() -> None:
    lines = JsonLines()
    text = lines_of(
        {"voicetop": "recording", "version": 1, "at": 1.0},
        {"type": "welcome", "epoch": "x", "seq": 0},
        {"seq": 1, "at": 2.0, "raw": turn(1)},
        {"seq": 2, "at": 2.0, "raw": {"type": "heartbeat", "ts": 2.0, "seq": 1}},
        {"seq": 3, "at": 2.0, "raw": {"type": "hologram", "ts": 2.0, "event_id": "h"}},
    )
    found = [line.raw for line in lines.feed(text) if isinstance(line, JsonLine)]
    assert [msgspec.json.decode(raw) for raw in found] == [
        turn(1),
        {"type": "hologram", "ts": 2.0, "event_id": "h"},
    ]
    assert lines.ignored == 3


def test_a_line_without_end_costs_no_memory_and_one_bad_line() -> None:
    lines = JsonLines()
    for _ in range(100):
        assert not list(lines.feed(b"x" * 65_536))
    assert len(lines._rest) <= MAX_EVENT_BYTES + 65_536
    [bad, good] = lines.feed(b"\n" + lines_of(turn(1)))
    assert isinstance(bad, InvalidLine)
    assert "longer than" in bad.why
    assert isinstance(good, JsonLine)
