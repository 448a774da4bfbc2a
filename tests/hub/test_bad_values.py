"""One bad value in a frame costs that value: what goes through a real hub, as its consoles see it."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.clients import Watcher, publisher, turn, until
from hub.conftest import StartHub
from voicetop.hub.validation import MAX_REFUSED, Sender, Validator
from voicetop.wire.codec import Codec
from wire_events import frame

NAN_IN_ARRAY = (
    '[{"type":"call.start","ts":@,"call_id":"nan-1"},{"type":"turn.start","ts":@,"call_id":"nan-1","turn":0},'
    '{"type":"turn","ts":@,"call_id":"nan-1","turn":0,"e2e_ms":NaN},'
    '{"type":"call.end","ts":@,"call_id":"nan-1","reason":"completed"}]'
)
BAD = [
    (b'{"type":"turn","ts":1,"call_id":"bad","e2e_ms":NaN}', "dropped"),
    (b'{"type":"turn","ts":1,"call_id":"bad","e2e_ms":-1.7e9}', "dropped"),
    (b'{"type":"turn","ts":1,"call_id":"bad","latency":{"stt":9e8}}', "dropped"),
    (b'{"type":"turn","ts":1,"call_id":"bad","user_text":"\\ud83d"}', "character"),
    (b'{"type":"turn","ts":1,"call_id":"bad","user_text":"\xff"}', "character"),
    (b'{"type":"turn","ts":1,"call_id":"bad","user_text":"%b"}' % (b"x" * 32_000), "cut"),
    (b'{"type":"turn","ts":1,"call_id":"bad",}', "json"),
    (b'{"type":"turn","ts":1,"call_id":"bad"', "json"),
    (b'{"type":"turn","call_id":"bad"}', "filled"),
    (b'{"type":"turn","ts":1,"call_id":7}', "converted"),
    (b'{"type":"turn","ts":1}', "refused"),
    (b'{"type":"turn","ts":1796027000000,"call_id":"bad"}', "refused"),
    (b"\x00\xff garbage", "refused"),
]


def stamped(
    text: bytes, sender: Sender | None = None, validator: Validator | None = None
) -> list[dict[str, Any]]:
    """The events that a hub stamps for a frame."""
    validator = validator or Validator()
    parts = list(validator.admit(text, sender or Sender("agent-7", source="agent-7"), 1_000.0))
    parts += validator.repaired(1_000.0)
    return [event for part in parts for event in msgspec.json.decode(b"[%b]" % part.text)]


async def test_a_nan_in_an_array_costs_that_value(start_hub: StartHub) -> None:
    hub = await start_hub()
    watcher, agent = await Watcher.open(hub.url), await publisher(hub.url)
    await agent.send(NAN_IN_ARRAY.replace("@", f"{time.time():.3f}"))
    await watcher.read_until(lambda it: any(event["type"] == "repaired" for event in it.events))
    told = [event["type"] for event in watcher.events]
    assert told == ["call.start", "turn.start", "turn", "call.end", "repaired"]
    assert "e2e_ms" not in watcher.events[2]
    assert watcher.events[4]["kind"] == "dropped"
    assert watcher.events[4]["why"].startswith("`e2e_ms` is NaN")
    assert hub.feed.validator.malformed == 0
    for each in (watcher.connection, agent):
        await each.close()


EVENT = b'{"type":"call.start","ts":1,"call_id":"c"}'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"[%b,]" % EVENT, "trailing comma in array (byte 44)"),
        (b"[%b,,%b]" % (EVENT, EVENT), "invalid character (byte 44)"),
        (b"[%b %b]" % (EVENT, EVENT), "expected ',' or ']' (byte 44)"),
        (b"[%b,%b" % (EVENT, EVENT), "Input data was truncated"),
        (b"%b\n%b" % (EVENT, EVENT), "trailing characters (byte 44)"),
        (b"[%b]]" % EVENT, "trailing characters (byte 45)"),
    ],
)
def test_a_frame_that_is_no_json_between_its_events_is_counted(text: bytes, why: str) -> None:
    validator = Validator()
    *told, repaired = stamped(text, validator=validator)
    assert {event["type"] for event in told} == {"call.start"}
    assert (repaired["type"], repaired["kind"], repaired["count"]) == ("repaired", "json", 1)
    assert repaired["why"] == f"it isn't valid JSON: {why}"
    assert validator.malformed == 0


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"\xef\xbb\xbf[%b]" % EVENT,
        b'[%b,{"type":"my.own","ts":1,"call_id":"c"}]' % EVENT,
        b'{"type":"my.own","ts":1,"call_id":"c"}',
        b"[%b]" % b",".join([EVENT] * 6_000),
    ],
    ids=["empty", "no events", "byte order mark", "unknown type", "one of an unknown type", "large"],
)
def test_a_frame_that_is_json_is_not(text: bytes) -> None:
    assert "repaired" not in {event["type"] for event in stamped(text)}


async def test_a_frame_over_the_limit_is_told_with_its_source_and_what_to_do(start_hub: StartHub) -> None:
    hub = await start_hub()
    watcher, agent = await Watcher.open(hub.url), await publisher(hub.url)
    await agent.send('{"type":"hello","role":"publisher","source":"agent-7"}')
    await agent.recv()
    await agent.send(b"x" * (4 * 1024 * 1024 + 1), text=True)
    await agent.wait_closed()
    assert agent.close_code == 1009
    await watcher.read_until(lambda it: bool(it.events))
    [told] = watcher.events
    assert (told["type"], told["source"]) == ("malformed", "agent-7")
    assert "over 4,194,304 bytes closed the connection: send at most 500 events" in told["error"]
    assert hub.feed.validator.faults["agent-7"]["refused"].count == 1
    await watcher.connection.close()


async def test_what_was_repaired_last_is_told_before_the_hub_closes(start_hub: StartHub) -> None:
    hub = await start_hub(heartbeat_s=600.0)
    watcher, agent = await Watcher.open(hub.url), await publisher(hub.url)
    await watcher.read_until(lambda it: bool(it.frames))
    await agent.send(NAN_IN_ARRAY.replace("@", f"{time.time():.3f}"))
    await until(lambda: bool(hub.feed.validator.faults))
    closing = asyncio.ensure_future(hub.close())
    await watcher.read_until(lambda it: any(event["type"] == "repaired" for event in it.events))
    await closing


async def test_a_tool_result_and_a_reply_that_are_too_long_are_cut(start_hub: StartHub) -> None:
    hub = await start_hub()
    watcher, agent = await Watcher.open(hub.url), await publisher(hub.url)
    at = time.time()
    tool = {
        "type": "tool",
        "ts": at,
        "call_id": "big",
        "name": "search",
        "state": "ok",
        "result": "x" * 32_000,
    }
    reply = {"type": "turn", "ts": at, "call_id": "big", "e2e_ms": 1500, "agent_text": "many things " * 2_000}
    await agent.send(json.dumps(tool))
    await agent.send(json.dumps(reply))
    await watcher.read_until(lambda it: sum(event.get("count", 0) for event in it.events) == 2)
    first, second = [event for event in watcher.events if event["type"] != "repaired"]
    assert (
        first == tool | {"result": "x" * 19_999 + "…"} | {"source": first.get("source")}
        or first["result"][-1] == "…"
    )
    assert (second["e2e_ms"], len(second["agent_text"])) == (1500, 20_000)
    for each in (watcher.connection, agent):
        await each.close()


@pytest.mark.parametrize(("bad", "kind"), BAD)
@pytest.mark.parametrize("place", [0, 2, 4])
def test_neighbours_pass_as_they_came_and_the_fault_is_counted(bad: bytes, kind: str, place: int) -> None:
    good = [msgspec.json.encode(turn(number, source="agent-7")) for number in range(4)]
    validator = Validator()
    parts = list(
        validator.admit(b"[%b]" % b",".join([*good[:place], bad, *good[place:]]), Sender("s"), 1_000.0)
    )
    parts += validator.repaired(1_000.0)
    text = b",".join(part.text for part in parts)
    assert all(event in text for event in good)
    seen = msgspec.json.decode(b"[%b]" % text)
    types = [event["type"] for event in seen]
    if kind == "refused":
        assert types.count("malformed") == 1
        assert types.count("turn") == 4
    else:
        assert types.count("turn") == 5
        (repaired,) = [event for event in seen if event["type"] == "repaired"]
        assert (repaired["kind"], repaired["count"], repaired["source"]) == (kind, 1, "s")
    assert validator.faults["s"][kind].count == 1
    codec = Codec()
    codec.decode(frame([msgspec.json.encode(event) for event in seen]))
    assert codec.stats.faults["s"][kind].count == 1


def test_what_consoles_count_does_not_depend_on_frames() -> None:
    stream = [bad for bad, _ in BAD if bad.startswith(b"{") and bad.endswith(b"}")] * 3
    whole, single = Validator(), Validator()
    stamped(b"[%b]" % b",".join(stream), validator=whole)
    for each in stream:
        stamped(each, validator=single)
    counts = [
        {kind: fault.count for kind, fault in validator.faults["agent-7"].items()}
        for validator in (whole, single)
    ]
    assert counts[0] == counts[1]


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 6), st.data())
def test_damage_to_one_event_leaves_the_others_byte_for_byte(count: int, data: st.DataObject) -> None:
    raws = [msgspec.json.encode(turn(number, source="a")) for number in range(count)]
    hit = data.draw(st.integers(0, len(raws) - 1))
    at = data.draw(st.integers(1, len(raws[hit]) - 2))
    damage = data.draw(
        st.sampled_from([b"", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\x00", b"\xff", b"NaN"])
    )
    damaged = raws[hit][:at] + damage + raws[hit][at + 1 :]
    sent = b"[%b]" % b",".join([*raws[:hit], damaged, *raws[hit + 1 :]])
    text = b",".join(part.text for part in Validator().admit(sent, Sender("s"), 1_000.0))
    for number, raw in enumerate(raws):
        assert number == hit or raw in text
    msgspec.json.decode(b"[%b]" % text)


def test_events_without_a_source_get_that_of_the_hello() -> None:
    named = Sender("127.0.0.1:4000", source='agent "7"')
    bare, own = (
        {"type": "turn.start", "ts": 1.0, "call_id": "c"},
        {"type": "turn.start", "ts": 1.0, "call_id": "d", "source": "b"},
    )
    for sent in (
        bare,
        [bare],
        [own, bare],
        [bare, {"type": "turn", "ts": 1.0, "call_id": "c", "e2e_ms": -1.0}],
    ):
        sources = [event["source"] for event in stamped(json.dumps(sent).encode(), named)]
        assert set(sources) <= {'agent "7"', "b"}
    whole = json.dumps([own, own]).encode()
    (part,) = Validator().admit(whole, named, 1.0)
    assert part.text == whole[1:-1]
    assert "source" not in stamped(json.dumps(bare).encode(), Sender("127.0.0.1:4000"))[0]


def test_a_status_without_a_source_is_attributed() -> None:
    sender = Sender("127.0.0.1:4000", source="agent-7")
    validator = Validator()
    stamped(b'{"type":"source.status","ts":1,"dropped":4}', sender, validator)
    assert validator.dropped_by == {"agent-7": 4}
    assert sender.reporting == {"agent-7"}


def test_events_sent_again_are_dropped_whatever_was_wrong_with_them() -> None:
    validator = Validator()
    raw = b'[{"type":"turn","ts":1,"call_id":"c","event_id":"e1","e2e_ms":NaN},'
    raw += b'{"type":"turn.start","ts":1,"call_id":"c","event_id":"e2"}]'
    assert len(stamped(raw, validator=validator)) == 3
    assert stamped(raw, validator=validator) == []
    assert validator.duplicates == 2
    assert validator.faults["agent-7"]["dropped"].count == 1


@pytest.mark.parametrize("element", [b"{}", b"5", b"[]", b'{"type":"turn"}', b"{"])
def test_of_a_frame_of_nothing_but_malformed_events_a_part_is_read(element: bytes) -> None:
    validator = Validator()
    began = time.process_time()
    parts = sum(1 for _ in validator.admit(b"[%b]" % b",".join([element] * 200_000), Sender("s"), 1_000.0))
    assert 0 < parts <= MAX_REFUSED + 2
    assert validator.malformed == parts
    assert time.process_time() - began < 4.0


async def test_heartbeats_go_on_while_a_frame_of_malformed_events_is_read(start_hub: StartHub) -> None:
    hub = await start_hub()
    agent = await publisher(hub.url)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    await agent.send("[" + ",".join(['{"type":"turn","ts":1,"call_id":"c","e2e_ms":null}'] * 5_000) + "]")
    before = turns
    await until(lambda: hub.feed.validator.events > 5_000)
    counting.cancel()
    assert turns - before > 50
    assert hub.feed.validator.faults
    await agent.close()
