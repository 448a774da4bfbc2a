"""One of two publishers is cut off while its callers wait: real sockets, and a clock that the test winds."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import ClientConnection

from hub.clients import Json, publisher, send, until
from voicetop.cli.plain import line
from voicetop.clock import ManualClock
from voicetop.engine.snapshot import Snapshot, View
from voicetop.hub import Hub, HubConfig
from voicetop.session import Session


class Fleet:
    """A hub with its session and two publishers, `cut` and `fine`, that send their statuses every 5 s."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.session = Session()
        self.hub = Hub(HubConfig(port=0), self.clock, new_session=lambda: self.session)
        self.agents: dict[str, ClientConnection] = {}

    async def open(self) -> None:
        await self.hub.start()
        for name in ("cut", "fine"):
            self.agents[name] = await publisher(self.hub.url)

    async def tell(self, source: str, *events: Json) -> None:
        """Send events, and wait until the session has folded them."""
        before = self.session.engine.feed.events
        stamped = [{"ts": self.clock.now, "source": source, **event} for event in events]
        await send(self.agents[source], *stamped)

        async def folded() -> bool:
            await self.clock.advance(0.05)
            return self.session.engine.feed.events >= before + len(events)

        await until(folded)

    async def pass_(self, seconds: float) -> list[Snapshot]:
        """Time passes; whoever is still connected sends its status. Returns what the screen showed each second."""
        screens = []
        for second in range(int(seconds)):
            for _ in range(4):
                await self.clock.advance(0.25)
            for source in self.agents if second % 5 == 4 else ():
                await self.tell(source, {"type": "source.status", "active_calls": 5})
            await until(self.folded)
            screens.append(self.session.snapshot(View()))
        return screens

    def folded(self) -> bool:
        """Whether the session, on its own thread, has caught up with the hub's last heartbeat."""
        queued = self.hub.feed.everybody.session.queued
        return not queued and self.session.engine.at > self.clock.now - 0.3


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    made = Fleet()
    await made.open()
    yield made
    await made.hub.close()


def calls(source: str, *, waiting: bool) -> list[Json]:
    return [
        {"type": kind, "call_id": f"{source}-{n}", **({"turn": 0} if kind == "turn.start" else {})}
        for n in range(5)
        for kind in (("call.start", "turn.start") if waiting else ("call.start",))
    ]


@pytest.mark.parametrize("seconds", [0, 2, 4, 6])
async def test_replies_of_a_publisher_that_was_cut_off_are_unknown_not_stuck(
    fleet: Fleet, seconds: int
) -> None:
    await fleet.pass_(10)
    await fleet.tell("fine", *calls("fine", waiting=False))
    await fleet.tell("cut", *calls("cut", waiting=True))
    await fleet.pass_(seconds)
    fleet.agents.pop("cut").transport.abort()
    screens = await fleet.pass_(74)
    assert "down" not in {seen.verdict.severity for seen in screens}
    assert not [one for seen in screens for one in seen.alerts.incidents if one.family == "waiting"]
    last = screens[-1]
    assert (last.waiting.unknown, last.waiting.waiting, last.latency.e2e.p95.n) == (5, 0, 0)
    assert last.waiting.unknown_since <= screens[0].at
    assert " · 5 replies unknown since " in line(last)
    assert "5 replies unknown for " in last.verdict.text


async def test_replies_that_come_after_a_reconnection_are_counted_as_they_were(fleet: Fleet) -> None:
    await fleet.pass_(5)
    await fleet.tell("cut", *calls("cut", waiting=True))
    began = fleet.clock.now
    fleet.agents.pop("cut").transport.abort()
    assert (await fleet.pass_(20))[-1].waiting.unknown == 5
    fleet.agents["cut"] = await publisher(fleet.hub.url)
    told = [
        {"type": "turn", "call_id": f"cut-{n}", "turn": 0, "e2e_ms": 900.0, "ts": began + 1} for n in range(3)
    ]
    await fleet.tell("cut", {"type": "source.status", "active_calls": 5}, *told)
    screens = await fleet.pass_(10)
    assert screens[3].waiting.unknown == 2
    seen = screens[-1]
    assert (seen.waiting.unknown, seen.waiting.waiting, seen.waiting.stuck) == (0, 2, 2)
    assert seen.latency.e2e.p50.value == pytest.approx(900, rel=0.01)
