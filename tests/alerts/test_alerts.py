"""One incident over a real hub: the same id and key everywhere, and what one person does is on every screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from hub.clients import publisher, send
from voicetop.alerts.signals import Effect
from voicetop.connection.backoff import Backoff
from voicetop.engine.snapshot import IncidentRow
from voicetop.hub import Hub, HubConfig
from voicetop.live import LiveFeed
from voicetop.sources import Act
from voicetop.sources.socket import SocketSource

Open = Callable[[str], LiveFeed]


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub(HubConfig(port=0, deployment="acme"))
    await hub.start()
    yield hub
    await hub.close()


@pytest.fixture
def console(hub: Hub) -> Iterator[Open]:
    feeds: list[LiveFeed] = []

    def start(by: str) -> LiveFeed:
        backoff = Backoff(first=0.05, limit=0.2)
        feeds.append(LiveFeed(lambda: (SocketSource(hub.url, None, backoff=backoff), None), author=by))
        return feeds[-1]

    yield start
    for feed in feeds:
        feed.close()


async def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - another thread's
            await asyncio.sleep(0.01)


def incident(feed: LiveFeed) -> IncidentRow | None:
    rows = feed.latest.alerts.incidents if feed.latest is not None else ()
    return rows[0] if rows else None


def stands(feed: LiveFeed) -> str:
    row = incident(feed)
    return row.state if row is not None else ""


async def test_a_war_room_sees_one_incident_and_what_each_of_them_does(hub: Hub, console: Open) -> None:
    told: dict[str, list[Effect]] = {"ada": [], "noor": []}
    ada, noor = console("ada"), console("noor")
    for name, feed in (("ada", ada), ("noor", noor)):
        feed.on_effect.append(told[name].append)
        feed.start()
    await until(lambda: ada.latest is not None and noor.latest is not None)
    assert ada.latest is not None
    agent = await publisher(hub.url)
    event = {"type": "security", "ts": ada.latest.at, "kind": "prompt_injection", "label": "tool abuse"}
    await send(agent, event)
    await until(lambda: stands(ada) == stands(noor) == "firing")
    assert told["ada"][0].key == told["noor"][0].key

    assert ada.operate(Act("ack", target="i1", text="mine")) == ""
    await until(lambda: stands(ada) == stands(noor) == "acknowledged")
    late = console("late")
    late.start()
    await until(lambda: stands(late) == "acknowledged")
    row = incident(late)
    assert row is not None
    assert (row.id, row.acked_by, [note.text for note in row.notes]) == ("i1", "ada", ["mine"])

    assert noor.operate(Act("resolve", target="i1")) == ""
    await until(lambda: stands(ada) == stands(noor) == stands(late) == "resolved")
    assert [effect.reason for effect in told["ada"]] == ["fired", "acknowledged", "resolved"]
    assert [effect.key for effect in told["ada"]] == [effect.key for effect in told["noor"]]
    await agent.close()
