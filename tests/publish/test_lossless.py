"""The publisher that waits for its hub: how it ends, and the size of its frames."""

from __future__ import annotations

import time

import pytest

from hub.clients import CountingSession, Watcher, until
from publish.stub_hub import stub_hub
from publish.tcp_proxy import tcp_proxy
from voicetop.clock import WallClock
from voicetop.connection.backoff import Backoff
from voicetop.hub import Hub, HubConfig
from voicetop.publish.lossless import LosslessPublisher
from voicetop.wire.events import Turn, TurnStart


def sender(url: str) -> LosslessPublisher:
    return LosslessPublisher(url, None, "lossless", WallClock(), backoff=Backoff(first=0.02, limit=0.05))


def turns(count: int) -> list[TurnStart]:
    return [TurnStart(call_id="c", ts=1.0, turn=number, event_id=f"e{number}") for number in range(count)]


async def test_closing_delivers_over_a_new_connection_what_the_last_one_lost() -> None:
    hub = Hub(HubConfig(port=0), new_session=CountingSession)
    await hub.start()
    watcher = await Watcher.open(hub.url)
    with tcp_proxy(hub.port) as proxy:
        publisher = sender(proxy.url)
        await publisher.open()
        proxy.hold()
        await publisher.send(turns(10))
        proxy.cut()
        await until(lambda: publisher.lost)
        proxy.release()
        assert publisher.unread == 10
        assert await publisher.close(timeout=30)
    await watcher.read_until(lambda it: any(event.get("leaving") for event in it.events))
    assert [event["type"] for event in watcher.events] == ["turn.start"] * 10 + ["source.status"]
    assert publisher.sent.connections == 2
    await watcher.connection.close()
    await hub.close()


async def test_a_hub_that_stays_away_is_given_up_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with stub_hub() as hub:
        publisher = sender(hub.url)
        await publisher.open()
    await until(lambda: publisher.lost)
    await publisher.send(turns(3))
    began = time.monotonic()
    assert await publisher.close(timeout=0.3) is False
    assert time.monotonic() - began < 10.0
    [line] = [record.getMessage() for record in caplog.records]
    assert line == (
        f"voicetop: 3 events were not delivered: no hub at {hub.url} (nothing listens there): "
        "start one with `voicetop serve`"
    )


async def test_it_leaves_with_the_calls_that_it_still_has() -> None:
    with stub_hub() as hub:
        publisher = sender(hub.url)
        await publisher.open()
        publisher.active_calls = 2
        assert await publisher.close()
        assert [(status["leaving"], status["active_calls"]) for status in hub.statuses] == [(True, 2)]
        await until(lambda: hub.closed == [1000])


async def test_long_events_are_sent_in_more_frames() -> None:
    with stub_hub() as hub:
        publisher = sender(hub.url)
        await publisher.open()
        await publisher.send(
            [Turn(call_id="c", ts=1.0, turn=number, agent_text="好" * 20_000) for number in range(300)]
        )
        assert await publisher.close(timeout=30)
        assert [event.get("turn", 0) for event in hub.events] == list(range(300))
        sizes = [len(frame) for frame in hub.frames]
        assert max(sizes) * 60_000 < 1024 * 1024
