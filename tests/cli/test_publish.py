from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import os
import signal
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
from voicetop.publish.json_lines import MAX_LINE_BYTES, InvalidLine, JsonLine, JsonLines, with_ts
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
    async with asyncio.timeout(120):
        _, said = await process.communicate(stdin)
    assert process.returncode is not None
    return process.returncode, said.decode()


def lines_of(*events: object) -> bytes:
    return b"".join(msgspec.json.encode(event) + b"\n" for event in events)


def told(watcher: Watcher) -> list[dict[str, Any]]:
    """What the lines said: without the publisher's own statuses."""
    return [event for event in watcher.events if event["type"] != "source.status"]


def has_left(watcher: Watcher) -> bool:
    return any(status.get("leaving") and status["source"] == "publish" for status in statuses(watcher))


def statuses(watcher: Watcher) -> list[dict[str, Any]]:
    return [event for event in watcher.events if event["type"] == "source.status"]


async def test_all_lines_of_a_file_reach_the_hub_in_order(start_hub: StartHub, tmp_path: Path) -> None:
    hub = await start_hub()
    watcher = await Watcher.open(hub.url)
    file = tmp_path / "calls.jsonl"
    file.write_bytes(lines_of(*[turn(number) for number in range(3_000)]).rstrip())
    code, said = await voicetop_publish(str(file), "--url", hub.url, "--speed", "max")
    assert (code, said) == (0, "voicetop: published 3,000 events\n")
    await watcher.read_until(has_left)
    assert told(watcher) == [turn(number, source="publish") for number in range(3_000)]
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
    assert "line 2: it has no `call_id`, so" in said
    assert "line 4: it is not JSON" in said
    assert "line 6: not an event: it has no `type`" in said
    assert said.endswith("voicetop: published 2 events, skipped 4 bad lines\n")
    assert hub.feed.validator.events >= 2 + 2  # with statuses
    assert hub.feed.validator.malformed == 0
    code, said = await voicetop_publish("-", "--url", hub.url, stdin=lines_of(turn(3)) + b"nonsense\n")
    assert said.endswith("voicetop: published 1 event, skipped 1 bad line\n")


async def test_a_bad_value_costs_no_more_than_that_value_and_is_named(start_hub: StartHub) -> None:
    hub = await start_hub()
    watcher = await Watcher.open(hub.url)
    text = (
        lines_of(turn(1, agent_text="x" * 30_000), {"seq": 2, "at": 2.0, "raw": turn(2, e2e_ms=None)})
        + b'{"type": "turn", "ts": 3.0, "call_id": "c", "turn": 3, "e2e_ms": NaN, "status": "ok"}\n'
        + lines_of(turn(4))
    )
    code, said = await voicetop_publish("-", "--url", hub.url, "--speed", "max", stdin=text)
    assert code == 0
    assert said.count("\n") == 4
    assert "line 1: `agent_text` has 30,000 characters, more than 20,000" in said
    assert "line 2: `e2e_ms` is " in said
    assert "line 3: " in said
    assert said.endswith("voicetop: published 4 events, 3 of them repaired\n")
    await watcher.read_until(lambda it: len(told(it)) == 4)
    assert [event["turn"] for event in told(watcher)] == [1, 2, 3, 4]
    assert ["e2e_ms" in event for event in told(watcher)] == [True, False, False, True]
    assert len(told(watcher)[0]["agent_text"]) == 20_000
    await watcher.connection.close()


async def test_events_keep_their_pace_or_a_multiple_of_it(start_hub: StartHub) -> None:
    hub = await start_hub()
    watcher = await Watcher.open(hub.url)
    text = lines_of(*[turn(number) for number in range(4)])
    code, _ = await voicetop_publish("-", "--url", hub.url, "--speed", "5", "--now", stdin=text)
    assert code == 0
    await watcher.read_until(lambda it: len(told(it)) == 4)
    came = [
        batch["at"][0][0]
        for batch in watcher.frames
        for event in batch.get("events", ())
        if event["type"] == "turn"
    ]
    steps = [round(later - earlier, 1) for earlier, later in itertools.pairwise(came)]
    assert steps == pytest.approx([0.2] * 3, abs=0.11)
    times = [event["ts"] for event in told(watcher)]
    assert [round(later - earlier, 1) for earlier, later in itertools.pairwise(times)] == [0.2] * 3
    assert abs(times[0] - came[0]) < 5.0
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
    counts = await asyncio.wait_for(pump, 40)
    os.close(reading)
    assert (counts.events, counts.bad) == (1_000, 0)
    await watcher.read_until(lambda it: len(told(it)) == 1_000)
    assert sorted(int(event["label"]) for event in told(watcher)) == list(range(1_000))
    assert sender.sent.connections > 1
    await watcher.connection.close()


async def test_it_says_how_it_is_on_connecting_every_5_s_and_when_it_leaves(start_hub: StartHub) -> None:
    hub = await start_hub()
    watcher = await Watcher.open(hub.url)
    text = lines_of(
        *({"type": "call.start", "ts": 1.0 + number, "call_id": f"c{number}"} for number in range(7)),
        {"type": "call.end", "ts": 7.5, "call_id": "c0", "reason": "completed"},
        {"type": "call.update", "ts": 7.5, "call_id": "c1", "state": "held"},
    )
    assert await voicetop_publish("-", "--url", hub.url, "--source", "file", stdin=text) == (
        0,
        "voicetop: published 9 events\n",
    )
    await watcher.read_until(lambda it: any(event.get("leaving") for event in it.events))
    said = [(event["source"], event.get("active_calls", 0)) for event in statuses(watcher)]
    assert len(said) >= 3
    assert (said[0], said[-1]) == (("file", 0), ("file", 6))
    assert max(calls for _, calls in said[1:-1]) >= 5
    assert [event.get("leaving", False) for event in statuses(watcher)] == [*[False] * (len(said) - 1), True]
    await watcher.connection.close()


async def test_a_file_that_ends_within_a_call_leaves_none_behind(start_hub: StartHub, tmp_path: Path) -> None:
    hub = await start_hub()
    watcher = await Watcher.open(hub.url)
    file = tmp_path / "cut.jsonl"
    file.write_bytes(lines_of({"type": "call.start", "ts": 1.0, "call_id": "c1"}))
    assert (await voicetop_publish(str(file), "--url", hub.url))[0] == 0
    await watcher.read_until(lambda it: any(event.get("leaving") for event in it.events))
    assert statuses(watcher)[-1].get("active_calls", 0) == 0
    await watcher.connection.close()


async def test_sources_whose_statuses_it_passed_on_leave_with_it(start_hub: StartHub) -> None:
    hub = await start_hub()
    watcher = await Watcher.open(hub.url)
    text = lines_of(
        {"type": "source.status", "ts": 1.0, "source": "agent-1", "active_calls": 1},
        {"type": "source.status", "ts": 1.0, "source": "agent-2"},
        {"type": "source.status", "ts": 1.0, "source": "gone"},
        {"type": "call.start", "ts": 1.0, "source": "agent-1", "call_id": "c1"},
        {"type": "source.status", "ts": 2.0, "source": "gone", "leaving": True},
    )
    code, _ = await voicetop_publish("-", "--url", hub.url, "--speed", "max", stdin=text)
    assert code == 0
    await watcher.read_until(has_left)
    farewells = [event for event in statuses(watcher) if event.get("leaving")]
    assert [(event["source"], event.get("active_calls", 0)) for event in farewells] == [
        ("gone", 0),
        ("agent-1", 1),
        ("agent-2", 0),
        ("publish", 1),
    ]
    await watcher.connection.close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_a_signal_ends_it_with_a_farewell(start_hub: StartHub, number: int, code: int) -> None:
    hub = await start_hub()
    watcher = await Watcher.open(hub.url)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicetop", "publish", "-", "--url", hub.url),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(lines_of(turn(1)))
    async with asyncio.timeout(60):
        await watcher.read_until(lambda it: bool(told(it)))
        process.send_signal(number)
        await watcher.read_until(lambda it: any(event.get("leaving") for event in it.events))
        _, said = await process.communicate()
    assert (process.returncode, said) == (code, b"")
    await watcher.connection.close()


async def test_long_lines_go_in_frames_that_a_hub_takes(start_hub: StartHub) -> None:
    hub = await start_hub()
    watcher = await Watcher.open(hub.url)
    text = lines_of(*[turn(number, agent_text="好" * 20_000) for number in range(150)])
    code, said = await voicetop_publish("-", "--url", hub.url, "--speed", "max", stdin=text)
    assert (code, said) == (0, "voicetop: published 150 events\n")
    await watcher.read_until(lambda it: len(told(it)) == 150)
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


def test_a_byte_order_mark_costs_no_line() -> None:
    for size in (1, 2, 1_000):
        lines, text = JsonLines(), b"\xef\xbb\xbf" + lines_of(turn(1), turn(2))
        cut = [text[start : start + size] for start in range(0, len(text), size)]
        found = [line for part in cut for line in lines.feed(part)]
        assert [isinstance(line, JsonLine) for line in found] == [True, True]
    [bad, *_] = JsonLines().feed(lines_of(turn(1)).decode().encode("utf-16"))
    assert isinstance(bad, InvalidLine)
    assert "the file is UTF-16" in bad.why


@pytest.mark.parametrize(
    "text",
    [
        "{0}\r{1}\r{2}",
        "{0} {1} {2}",
        "[{0},{1},{2}]",
        "[\n{0},\n{1},\n{2}\n]\n",
        "{0},\n{1}{2}",
    ],
    ids=["CR", "blanks", "an array", "an array of lines", "nothing between"],
)
def test_events_that_share_a_line_are_events_each(text: str) -> None:
    turns = [turn(number) for number in range(3)]
    for number, event in enumerate(turns):
        event.pop("event_id", None)
        text = text.replace(f"{{{number}}}", json.dumps(event))
    lines = JsonLines()
    found = [*lines.feed(text.encode()), *lines.end()]
    read = [msgspec.json.decode(line.raw) for line in found if isinstance(line, JsonLine)]
    assert len(found) == len(read) == 3
    assert len({event.pop("event_id") for event in read}) == 3
    assert read == turns


@pytest.mark.parametrize(
    ("start", "what"),
    [
        ("\ufeff{}".encode("utf-32-le"), "UTF-32"),
        (gzip.compress(b"{}", mtime=0), "gunzip"),
        (b"\x28\xb5\x2f\xfd..", "zstdcat"),
    ],
)
def test_a_file_of_another_kind_is_named(start: bytes, what: str) -> None:
    [bad, *_] = JsonLines().feed(start + b"\n")
    assert isinstance(bad, InvalidLine)
    assert what in bad.why


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
    assert len(lines._rest) <= MAX_LINE_BYTES + 65_536
    [bad, good] = lines.feed(b"\n" + lines_of(turn(1)))
    assert isinstance(bad, InvalidLine)
    assert "longer than" in bad.why
    assert isinstance(good, JsonLine)


def test_a_line_can_be_moved_in_time_whatever_its_own_fields_hold() -> None:
    [line] = JsonLines().feed(b'{"type":"turn","ts":1,"event_id":"e","call_id":"c","mine":1e999}\n')
    assert isinstance(line, JsonLine)
    assert with_ts(line, 2.5).raw == b'{"type":"turn","ts":2.5,"event_id":"e","call_id":"c","mine":1e999}'


def test_a_long_line_costs_no_more_than_its_long_values() -> None:
    words = {**turn(1), "user_text": "x" * 1_000_000, "mine": "y" * 1_000_000}
    [line, other] = JsonLines().feed(lines_of(words, {**words, "type": "hologram"}))
    assert isinstance(line, JsonLine)
    assert isinstance(other, JsonLine)
    assert len(line.raw) <= MAX_EVENT_BYTES
    assert len(other.raw) <= MAX_EVENT_BYTES
    kept = msgspec.json.decode(line.raw)
    assert (kept["e2e_ms"], len(kept["user_text"])) == (turn(1)["e2e_ms"], 20_000)
    assert "`user_text` has 1,000,000 characters, more than 20,000 (1 text cut)" in line.why


# -- only checking ----------------------------------------------------------------------------------------------------


def test_a_file_can_be_checked_without_a_hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "feed.jsonl"
    calls = [
        {"type": "call.start", "ts": 1.7e9, "call_id": "c1"},
        turn(0),
        {"type": "call.ended", "ts": 1.7e9},
    ]
    file.write_bytes(lines_of(*calls) + b"{broken\n")
    assert run(["publish", "--check", str(file)]) == 1
    said = capsys.readouterr().out
    assert "1 of 1 turns have no turn.start, so nobody can be seen waiting" in said
    assert "'call.ended' is no known type of event, 1 time; did you mean 'call.end'?" in said
    assert "(first in line 4)" in said
    assert said.endswith("problems found.\n")


def test_a_file_that_is_fine_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "feed.jsonl"
    of = {"call_id": "c1", "source": "a"}
    events: list[dict[str, Any]] = [
        {"type": "source.status", "source": "a"},
        {"type": "call.start", **of, "segments": {"language": "en"}},
        {"type": "turn.start", **of, "turn": 0},
        {"type": "turn", **of, "turn": 0, "e2e_ms": 900.0, "measured_from": "vad_stop"},
        {"type": "call.end", **of, "reason": "completed"},
    ]
    file.write_bytes(
        lines_of(*({"ts": 1.7e9 + n, "event_id": str(n), **event} for n, event in enumerate(events)))
    )
    assert run(["publish", "--check", str(file)]) == 0
    assert "5 events of 1 call" in capsys.readouterr().out
