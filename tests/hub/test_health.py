"""What a hub says about its sources: in numbers to anybody, with samples to those who may read them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from hub.clients import Json, send
from hub.test_departures import STATUS, Station, call
from voicetop.hub.feed import Audience

SECRET = "my card number is 4111"


@pytest.fixture
async def station() -> AsyncIterator[Station]:
    made = Station(transcripts_for_viewers=False)
    await made.hub.start()
    yield made
    await made.hub.close()


async def test_healthz_has_the_sources_in_numbers_and_nothing_that_they_said(station: Station) -> None:
    bad: Json = {"type": "turn", "call_id": "c1", "turn": SECRET, "user_text": SECRET}
    agent = await station.connect("a", *call("c1", ended=False), {**STATUS, "active_calls": 4}, bad)
    await station.connect("b", STATUS)
    await station.pass_(3)
    reader, writer = await asyncio.open_connection("127.0.0.1", station.hub.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert b"4111" not in answer
    sources = msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])["sources"]
    found = {source["source"]: source for source in sources}
    assert (found["a"]["state"], found["b"]["state"]) == ("attention", "fine")
    assert (found["a"]["calls_told"], found["a"]["events"]) == (4, 4)
    assert sum(found["a"]["faults"].values()) >= 1
    assert found["b"]["faults"] == {}
    await agent.close()


async def test_healthz_has_no_more_than_50_sources(station: Station) -> None:
    agent = await station.connect("a")
    await send(agent, *({**STATUS, "ts": station.clock.now, "source": f"s{number}"} for number in range(200)))
    await station.pass_(3)
    assert len(station.hub.feed.everybody.session.sources) == 50
    await agent.close()


async def test_samples_are_withheld_from_viewers_without_transcripts(station: Station) -> None:
    bad: Json = {"type": "turn", "call_id": "c1", "e2e_ms": SECRET, "user_text": SECRET}
    agent = await station.connect("a", STATUS, bad, {"type": "turn", "e2e_ms": SECRET})
    await station.pass_(3)

    def troubles(audience: Audience) -> str:
        return str([source.troubles for source in audience.session.sources])

    feed = station.hub.feed
    assert "4111" in troubles(feed.everybody)
    assert "4111" not in troubles(feed.viewers)
    assert "e2e_ms" in troubles(feed.viewers)
    await agent.close()
