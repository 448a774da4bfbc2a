"""Publishers and the real hub: what a hub knows after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from voicetop import AsyncPublisher, Publisher
from voicetop.engine.calls import Call
from voicetop.hub import Hub, HubConfig
from voicetop.hub.config import Token
from voicetop.session import Session
from voicetop.sources.socket import SocketSource


@asynccontextmanager
async def console(port: int = 0) -> AsyncIterator[tuple[Hub, Session]]:
    """A hub with a console's session behind it."""
    hub = Hub(HubConfig(port=port))
    await hub.start()
    session, source = Session(), SocketSource(hub.url)

    async def follow() -> None:
        async for frame in source.frames():
            session.feed(frame)

    following = asyncio.create_task(follow())
    try:
        await until(lambda: bool(session.epoch))
        yield hub, session
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await hub.close()


async def until(condition: Callable[[], bool], within: float = 8.0) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def call_of(session: Session, call_id: str) -> Call:
    call = session.engine.roster.find(call_id)
    assert call is not None
    return call


async def test_a_restarted_hub_learns_the_live_calls_and_their_segments() -> None:
    async with console() as (hub, session):
        port = hub.port
        publisher = AsyncPublisher(hub.url, source="agent")
        live = publisher.call("live", segments={"tier": "gold"})
        publisher.call("over").end("user_hangup")
        live.update({"intent": "billing"})
        live.turn_start()
        await until(lambda: "live" in session.engine.roster.live and call_of(session, "live").wait_since > 0)
        started = call_of(session, "live").started
        assert call_of(session, "over").state == "ended"
    async with console(port) as (_, session):
        await until(lambda: "live" in session.engine.roster.live)
        await until(lambda: call_of(session, "live").wait_since > 0)
        again = call_of(session, "live")
        assert again.segments["intent"] == "billing"
        assert again.segments["tier"] == "gold"
        assert again.started == pytest.approx(started, abs=0.05)
        live.turn(e2e_ms=900.0)
        live.end("completed")
        await until(lambda: call_of(session, "live").state == "ended")
        assert call_of(session, "live").turns == 1
        assert await publisher.close()


async def test_an_event_sent_twice_counts_once() -> None:
    async with console() as (hub, session):
        publisher = Publisher(hub.url)
        call = publisher.call("c")
        for _ in range(5):
            call.turn(e2e_ms=500.0)
        await until(lambda: "c" in session.engine.roster.live and call_of(session, "c").turns == 5)
        for client in hub.publishers:
            client.transport.abort()
        await until(lambda: publisher.report.connections == 2)
        call.turn(e2e_ms=700.0)
        call.end("completed")
        await until(lambda: call_of(session, "c").state == "ended")
        assert call_of(session, "c").turns == 6
        assert await asyncio.to_thread(publisher.close)


async def test_a_hub_with_tokens_accepts_a_publisher_with_one() -> None:
    hub = Hub(HubConfig(port=0, tokens=(Token("publisher", "a-secret-of-sixteen"),)))
    await hub.start()
    try:
        async with AsyncPublisher(hub.url, token="a-secret-of-sixteen") as publisher:
            await until(lambda: publisher.report.connected)
        async with AsyncPublisher(hub.url, token="another-one-entirely") as publisher:
            await until(lambda: "requires a valid token" in publisher.report.why)
    finally:
        await hub.close()
