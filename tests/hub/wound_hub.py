"""A real hub, with real sockets, whose clock the test winds: hours pass in seconds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection

from hub.clients import Json, publisher, send, until
from voicetop.clock import ManualClock
from voicetop.hub import Hub, HubConfig
from voicetop.session import Session

STATUS_S = 5.0


class WoundHub:
    """A hub, its session, and one publisher: it sends its status every 5 s while it has a `source`."""

    def __init__(self, agent: ClientConnection, hub: Hub, clock: ManualClock, session: Session) -> None:
        self.hub, self.clock, self.session = hub, clock, session
        self.source = ""
        self._agent = agent

    async def pass_(self, seconds: float) -> None:
        """Time passes, and everybody keeps up with it."""
        over = self.clock.now + seconds
        while self.clock.now < over:
            if self.source:
                await self.tell({"type": "source.status", "source": self.source, "active_calls": 1})
            await self.clock.advance(min(STATUS_S if self.source else 20.0, over - self.clock.now))
            await until(lambda: not self.hub.feed.everybody.session.queued)

    async def tell(self, event: Json) -> None:
        """One event, of now unless it has a `ts`; it has been read when this returns."""
        await send(self._agent, {"ts": self.clock.now, **event})
        await (await self._agent.ping())

    async def tell_raw(self, frame: str) -> None:
        await self._agent.send(frame)
        await (await self._agent.ping())

    async def settle(self) -> None:
        """The next heartbeats come, and the session has folded everything."""
        until_then = self.clock.now
        await self.pass_(0.5)
        await until(lambda: self.session.at >= until_then)


@asynccontextmanager
async def wound_hub(record: str = "") -> AsyncIterator[WoundHub]:
    clock, session = ManualClock(), Session()
    hub = Hub(HubConfig(port=0, record=record), clock, log=lambda _: None, new_session=lambda: session)
    await hub.start()
    agent = await publisher(hub.url)
    try:
        yield WoundHub(agent, hub, clock, session)
    finally:
        await agent.close()
        await hub.close()
