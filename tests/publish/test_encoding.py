"""Frames are bounded in events and bytes, whether sent, sent again or announced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from hub.clients import CountingSession, Watcher, until
from publish.stub_hub import stub_hub
from publish.stub_hub import until as wait_until
from publish.tcp_proxy import tcp_proxy
from voicetop import AsyncPublisher, Publisher
from voicetop.hub import Hub, HubConfig
from voicetop.publish.encoding import FRAME_BYTES, FRAME_EVENTS, frames_of
from voicetop.publish.outbox import MAX_SENT_BYTES, Outbox
from voicetop.wire.events import CallStart, Event, Turn, TurnStart
from voicetop.wire.frames import MAX_EVENT_BYTES
from voicetop.wire.values import Scalar

WORDS = "好" * 6_000


def call_with_long_segments(number: int) -> CallStart:
    return CallStart(call_id=f"c{number}", ts=1.0, segments={f"s{part}": "好" * 512 for part in range(20)})


def turn_with_long_words(number: int) -> Turn:
    return Turn(call_id="c", ts=1.0, turn=number, agent_text=WORDS)


def in_bounds(frames: Iterable[bytes]) -> list[int]:
    """The number of events of each frame, none of which is too large."""
    frames = list(frames)
    assert max(map(len, frames)) <= FRAME_BYTES + 2
    counts = [len(msgspec.json.decode(frame)) for frame in frames]
    assert max(counts) <= FRAME_EVENTS
    return counts


def sent(outbox: Outbox) -> list[bytes]:
    frames = []
    while frame := outbox.next_frame(0.0):
        frames.append(frame)
    return frames


@pytest.mark.parametrize("make", [call_with_long_segments, turn_with_long_words])
def test_frames_sent_and_sent_again_hold_no_more_than_a_hub_takes(make: Callable[[int], Event]) -> None:
    outbox = Outbox("s")
    for number in range(450):
        outbox.put(make(number))
    frames = sent(outbox)
    assert sum(in_bounds(frames)) == 450
    again = list(outbox.resend())
    assert sum(in_bounds(again)) == 450
    assert [event for frame in again for event in msgspec.json.decode(frame)] == [
        event for frame in frames for event in msgspec.json.decode(frame)
    ]


def test_announced_calls_do_so_too() -> None:
    outbox = Outbox("s")
    for number in range(450):
        outbox.put(call_with_long_segments(number))
    assert sum(in_bounds(outbox.announce())) == 450


def test_small_events_fill_frames_by_their_number() -> None:
    outbox = Outbox("s")
    for number in range(1_100):
        outbox.put(TurnStart(call_id="c", ts=1.0, turn=number))
    assert in_bounds(sent(outbox)) == [500, 500, 100]
    assert in_bounds(outbox.resend()) == [500, 500, 100]
    assert list(frames_of([])) == list(frames_of([b""])) == []


def test_an_event_that_no_hub_takes_holds_up_no_other_and_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with stub_hub() as hub, Publisher(hub.url) as publisher:
        for number in range(3):
            publisher.emit(CallStart(call_id=f"c{number}", ts=1_760_000_000_000.0))
            publisher.emit(TurnStart(call_id=f"c{number}", ts=1.0, turn=number))
        wait_until(lambda: len(hub.events) == 3)
        assert [event["type"] for event in hub.events] == ["turn.start"] * 3
        assert publisher.dropped == 3
        assert sum(publisher.report.faults.values()) == 3
        assert (
            "dropped an event: call.start: `ts` is 1760000000000.0, in milli" in publisher.report.last_fault
        )
    assert len([record for record in caplog.records if "dropped an event" in record.getMessage()]) == 1
    assert MAX_EVENT_BYTES == FRAME_BYTES


def test_what_a_hub_would_cut_or_leave_out_is_cut_here_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    segments: dict[str, Scalar] = {f"{part:02}" + "好" * 510: "好" * 512 for part in range(64)}
    with stub_hub() as hub, Publisher(hub.url) as publisher:
        call = publisher.call("c1", segments=segments)
        for _ in range(2):
            call.turn_start()
            call.tool("lookup", "ok", duration_ms=-200.0, result="x" * 25_000)
            call.turn(
                e2e_ms=float("nan"),
                user_text="cut \ud83d",
                agent_text="y" * 25_000,
                latency={"stt": -1.0, "vad": 9.0},
            )
        call.turn(e2e_ms=Decimal("900.5"), agent_text="z")
        wait_until(lambda: len(hub.events) == 8)
        assert publisher.dropped == 0
        assert publisher.report.faults == {"cut": 4, "dropped": 5, "character": 2}
    start, _, tool, turn, *_, last = hub.events
    assert 20 < len(start["segments"]) < 64
    assert tool["result"] == "x" * 19_999 + "…"
    assert "duration_ms" not in tool
    assert (turn["user_text"], turn["agent_text"], turn["latency"]) == (
        "cut \ufffd",
        "y" * 19_999 + "…",
        {"vad": 9.0},
    )
    assert "e2e_ms" not in turn
    assert last["e2e_ms"] == 900.5
    logged = [record.getMessage() for record in caplog.records]
    assert sorted(line.split(":")[1].strip() for line in logged) == ["call.start", "tool", "turn"]
    assert "tool: `result` has 25,000 characters, more than 20,000" in "".join(logged)


def test_what_is_kept_for_a_resend_is_bounded_in_bytes_and_loses_nothing() -> None:
    with stub_hub() as hub, Publisher(hub.url) as publisher:
        for number in range(2_500):
            publisher.emit(turn_with_long_words(number))
        assert publisher.close(timeout=60)
        assert [event.get("turn", -1) for event in hub.events] == list(range(2_500))
        assert publisher.dropped == 0
        assert sum(map(len, publisher._outbox.resend())) < MAX_SENT_BYTES + 1024


async def test_a_connection_that_breaks_once_costs_no_long_event_and_repeats_none() -> None:
    hub = Hub(HubConfig(port=0), new_session=CountingSession)
    await hub.start()
    watcher = await Watcher.open(hub.url)
    reading = asyncio.create_task(watcher.read_until(lambda it: any(e.get("leaving") for e in it.events)))
    with tcp_proxy(hub.port) as proxy:
        publisher = AsyncPublisher(proxy.url)
        call = publisher.call("long")
        for _ in range(450):
            call.turn_start()
            call.turn(e2e_ms=800.0, agent_text=WORDS)
        await until(lambda: hub.feed.validator.events >= 901, 30)
        proxy.cut()
        await until(lambda: not publisher.report.connected, 30)
        call.end("completed")
        assert await publisher.close(timeout=30)
    async with asyncio.timeout(30):
        await reading
    await watcher.connection.close()
    await hub.close()
    assert publisher.report.connections == 2
    assert hub.feed.validator.duplicates >= 450
    kinds = [event["type"] for event in watcher.events if event["type"] != "source.status"]
    assert kinds == ["call.start", *["turn.start", "turn"] * 450, "call.end"]


@pytest.mark.parametrize("segments", [["a"], 5, "text", {"a": {"b": 1}}])
def test_segments_of_any_type_raise_nothing_in_the_agent(segments: Any) -> None:
    with stub_hub() as hub, Publisher(hub.url) as publisher:
        call = publisher.call("c1", segments=segments)
        call.update(segments=segments)
        publisher.emit(CallStart(call_id=[], ts=1.0))  # type: ignore[arg-type]
        call.end("completed")
        wait_until(lambda: any(event["type"] == "call.end" for event in hub.events))
        assert [event["type"] for event in hub.events] == ["call.start", "call.update", "call.end"]
        assert publisher.report.faults == {"dropped": 2, "refused": 1}
