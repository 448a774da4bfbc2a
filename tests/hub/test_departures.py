"""Publishers that leave and publishers that vanish: real sockets, and a clock that the test winds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from hub.clients import Json, publisher, send, until
from voicetop.clock import ManualClock
from voicetop.engine.snapshot import Snapshot, View
from voicetop.hub import Hub, HubConfig
from voicetop.session import Session

STATUS: Json = {"type": "source.status"}


class Station:
    """A hub whose clock the test winds, and its session."""

    def __init__(self, *, transcripts_for_viewers: bool = True) -> None:
        self.clock = ManualClock()
        self.session = Session()
        sessions = iter([self.session, Session()])
        config = HubConfig(port=0, transcripts_for_viewers=transcripts_for_viewers)
        self.hub = Hub(config, self.clock, new_session=lambda: next(sessions))

    async def connect(self, source: str, *events: Json) -> ClientConnection:
        agent = await publisher(self.hub.url)
        await agent.send(f'{{"type": "hello", "role": "publisher", "source": "{source}"}}')
        await self.tell(agent, source, *events)
        return agent

    async def tell(self, agent: ClientConnection, source: str, *events: Json) -> None:
        """Send events, and wait until they are folded."""
        before = self.session.engine.feed.events
        await send(agent, *({"ts": self.clock.now, "source": source, **event} for event in events))

        async def folded() -> bool:
            await self.clock.advance(0.05)
            return self.session.engine.feed.events >= before + len(events)

        await until(folded)

    async def gone(self, agent: ClientConnection, code: int = 1000) -> None:
        """It closes its connection, and the hub knows."""
        await agent.close(code)
        await self.alone()

    async def alone(self) -> None:
        """The hub knows that no publisher is connected, and what that means."""
        await until(lambda: not self.hub.publishers)
        await self.hub.feed.without_calls(
            set()
        )  # answered after what it asks its session about those that left

    async def pass_(self, seconds: float) -> Snapshot:
        for _ in range(int(seconds * 4)):
            await self.clock.advance(0.25)
        await until(self.folded)
        return self.session.snapshot(View())

    async def folded(self) -> bool:
        await self.clock.advance(0.05)
        queued = self.hub.feed.everybody.session.queued
        return not queued and self.session.engine.at > self.clock.now - 0.3


@pytest.fixture
async def station() -> AsyncIterator[Station]:
    made = Station()
    await made.hub.start()
    yield made
    await made.hub.close()


def call(call_id: str, *, ended: bool) -> list[Json]:
    events: list[Json] = [{"type": "call.start", "call_id": call_id}]
    return [*events, {"type": "call.end", "call_id": call_id, "reason": "completed"}] if ended else events


def paged(seen: Snapshot) -> list[Any]:
    return [one for one in seen.alerts.incidents if one.family == "feed"]


@pytest.mark.parametrize("code", [1000, 1001])
async def test_one_that_closes_without_calls_has_left_and_nobody_is_paged(
    station: Station, code: int
) -> None:
    agent = await station.connect("a", STATUS, *call("c1", ended=True))
    await station.gone(agent, code)
    seen = await station.pass_(60)
    assert (seen.verdict.severity, seen.feed.publishers, seen.feed.left) == ("idle", 0, 1)
    assert paged(seen) == []


async def test_its_last_status_may_have_counted_a_call_that_has_ended_since(station: Station) -> None:
    agent = await station.connect("a", *call("c1", ended=False), {**STATUS, "active_calls": 1})
    await station.tell(agent, "a", *call("c1", ended=True)[1:])
    await station.gone(agent)
    assert (await station.pass_(60)).verdict.severity == "idle"


async def test_a_close_frame_without_a_code_is_proper_too(station: Station) -> None:
    agent = await station.connect("a", STATUS)
    agent.transport.write(b"\x88\x80\0\0\0\0")
    await station.alone()
    assert (await station.pass_(30)).verdict.severity == "idle"


async def test_one_that_closes_with_a_live_call_is_missed(station: Station) -> None:
    agent = await station.connect("a", STATUS, *call("c1", ended=False))
    await station.gone(agent)
    seen = await station.pass_(30)
    assert (seen.verdict.severity, seen.feed.left) == ("blind", 0)
    assert paged(seen)


async def test_it_is_known_by_the_name_that_its_calls_have_whatever_was_removed_from_it(
    station: Station,
) -> None:
    agent = await station.connect("👩\u200d💻-eyes", STATUS, *call("c1", ended=False))
    await station.gone(agent)
    seen = await station.pass_(30)
    assert (seen.verdict.severity, seen.feed.left) == ("blind", 0)


async def test_calls_that_it_counts_and_has_under_other_names_are_live_calls(station: Station) -> None:
    agent = await station.connect("gateway", {**STATUS, "active_calls": 12})
    await station.gone(agent)
    assert (await station.pass_(30)).verdict.severity == "blind"


async def test_one_that_vanishes_is_missed(station: Station) -> None:
    agent = await station.connect("a", STATUS)
    agent.transport.abort()
    await station.alone()
    seen = await station.pass_(30)
    assert seen.verdict.severity == "blind"
    assert paged(seen)


async def test_one_that_never_sent_a_status_leaves_like_the_others(station: Station) -> None:
    agent = await station.connect("a", *call("c1", ended=True))
    await station.gone(agent)
    assert (await station.pass_(30)).verdict.severity == "idle"


async def test_only_the_last_of_several_connections_of_a_source_counts(station: Station) -> None:
    first, second = await station.connect("a", STATUS), await station.connect("a", STATUS)
    await first.close()
    await until(lambda: len(station.hub.publishers) == 1)
    assert (await station.pass_(5)).feed.left == 0
    await station.gone(second)
    assert (await station.pass_(5)).feed.left == 1


async def test_a_rolling_deploy_and_autoscaling_page_nobody(station: Station) -> None:
    agents = {name: await station.connect(name, STATUS, *call(name, ended=True)) for name in "abc"}
    for old, new in zip("abc", "def", strict=True):
        agents[new] = await station.connect(new, STATUS)
        await agents.pop(old).close(1001)
        for _ in range(4):
            for name, agent in agents.items():
                await station.tell(agent, name, STATUS)
            seen = await station.pass_(5)
            assert paged(seen) == []
            assert seen.verdict.severity in ("ok", "learning")
    assert (seen.feed.publishers, seen.feed.left) == (3, 3)


async def test_the_sources_of_a_file_that_was_published_have_left_with_its_connection(
    station: Station,
) -> None:
    agent = await station.connect("publish", STATUS)
    for name in ("one", "two"):
        await station.tell(agent, name, STATUS, *call(name, ended=True))
    await station.gone(agent)
    seen = await station.pass_(60)
    assert (seen.verdict.severity, seen.feed.left) == ("idle", 3)
    assert paged(seen) == []


async def test_who_said_goodbye_itself_is_not_told_twice(station: Station) -> None:
    agent = await station.connect("a", STATUS, {**STATUS, "leaving": True})
    before = station.session.engine.feed.sources["a"].events
    await station.gone(agent)
    await station.pass_(5)
    assert station.session.engine.feed.sources["a"].events <= before + 2


async def test_one_that_comes_back_is_there_with_its_clock(station: Station) -> None:
    off = {"ts": station.clock.now - 3_600}
    agent = await station.connect("a", {**STATUS, **off})
    await station.pass_(1)
    await station.gone(agent)
    await station.pass_(20)
    await station.connect("a", {**STATUS, "ts": station.clock.now - 3_600})
    seen = await station.pass_(5)
    assert (seen.feed.publishers, seen.feed.left) == (1, 0)
    assert dict(seen.feed.skewed)["a"] == pytest.approx(3_600, abs=1)
    assert seen.verdict.severity != "idle"
