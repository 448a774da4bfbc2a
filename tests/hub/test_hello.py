"""A client's first frame: one bad value of it costs that value, and nothing else passes for one."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from hub.clients import Watcher, publisher
from hub.conftest import StartHub
from voicetop.hub.hello import mended_hello, read_hello


@pytest.mark.parametrize("frame", [b"{}", b'{"source":"x"}', b'{"ts":1,"call_id":"c"}', b"[]", b"null", b""])
def test_only_what_says_so_is_a_hello(frame: bytes) -> None:
    assert read_hello(frame) is None
    assert mended_hello(frame) is None


@pytest.mark.parametrize(
    ("source", "known_as", "why"),
    [
        ("null", "", "`source` is null"),
        ("7", "7", "`source` is a number, not text"),
        (r'"agent \ud83d"', "agent \ufffd", "`source` has half of a character"),
        ('"' + "s" * 10_000 + '"', "s" * 495 + "…", "`source` has 10,000 characters, more than 512"),
    ],
)
def test_a_hello_with_a_bad_source_is_one(source: str, known_as: str, why: str) -> None:
    found = mended_hello(f'{{"type":"hello","role":"publisher","source":{source},"mine":NaN}}'.encode())
    assert found is not None
    hello, faults = found
    assert hello.role == "publisher"
    assert hello.source.startswith(known_as)
    assert [fault.why for fault in faults] == [why]


async def told(watcher: Watcher, kind: str) -> dict[str, Any]:
    """The first event of this type."""
    await watcher.read_until(lambda it: any(event["type"] == kind for event in it.events))
    return next(event for event in watcher.events if event["type"] == kind)


async def test_a_publisher_whose_hello_has_a_bad_value_is_welcome_and_told(start_hub: StartHub) -> None:
    hub = await start_hub()
    watcher, agent = await Watcher.open(hub.url), await publisher(hub.url)
    await agent.send('{"type":"hello","role":"publisher","source":"agent-7","protocol":null}')
    assert json.loads(await agent.recv())["type"] == "welcome"
    repaired = await told(watcher, "repaired")
    assert repaired["source"] == "agent-7"
    assert repaired["why"].startswith("`protocol` is null")
    for each in (watcher.connection, agent):
        await each.close()


async def test_an_event_without_a_type_costs_no_other_event_its_source(start_hub: StartHub) -> None:
    hub = await start_hub()
    watcher, agent = await Watcher.open(hub.url), await publisher(hub.url)
    await agent.send('{"type":"hello","role":"publisher","source":"agent-7"}')
    await agent.send('{"ts":1,"call_id":"c"}')
    await agent.send(json.dumps({"type": "call.start", "ts": time.time(), "call_id": "c"}))
    assert (await told(watcher, "call.start"))["source"] == "agent-7"
    malformed = await told(watcher, "malformed")
    assert malformed["source"] == "agent-7"
    assert "no `type`" in malformed["error"]
    for each in (watcher.connection, agent):
        await each.close()


async def test_a_goodbye_of_the_hub_names_the_source_as_its_events_do(start_hub: StartHub) -> None:
    hub = await start_hub()
    watcher, agent = await Watcher.open(hub.url), await publisher(hub.url)
    await agent.send(json.dumps({"type": "hello", "role": "publisher", "source": "agent\u202e-7\n"}))
    await agent.recv()
    await agent.close()
    assert (await told(watcher, "source.status"))["source"] == "agent-7 "
    await watcher.connection.close()
