"""Feeding a hub with a fleet loses nothing, even if the websocket server misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from voicetop.clock import WallClock
from voicetop.connection.backoff import Backoff
from voicetop.errors import FeedLost, FeedRefused, UsageError
from voicetop.publish.lossless import SentFrames
from voicetop.simulator import Fleet, FleetConfig
from voicetop.simulator.pump import pump
from voicetop.wire.events import AnyEvent, CallStart, SourceStatus

_decoder = msgspec.json.Decoder(list[AnyEvent])
QUICK = Backoff(first=0.02, limit=0.05)


class StubHub:
    """Keeps what publishers send; `misbehave` is awaited for a connection, given its number, before reading on."""

    def __init__(
        self, misbehave: Callable[[int, int, ServerConnection], Awaitable[None]] | None = None
    ) -> None:
        self.hellos: list[dict[str, object]] = []
        self.sizes: list[int] = []
        self.ids: list[str] = []
        self.events: dict[str, AnyEvent] = {}
        self.url = ""
        self.connections = 0
        self._misbehave = misbehave

    async def __call__(self, connection: ServerConnection) -> None:
        self.connections += 1
        number = self.connections
        with contextlib.suppress(Exception):
            self.hellos.append(msgspec.json.decode(await connection.recv(decode=False)))
            frames = 0
            async for frame in connection:
                frames += 1
                self.take(frame)
                if self._misbehave is not None:
                    await self._misbehave(number, frames, connection)

    def take(self, frame: str | bytes) -> None:
        events = _decoder.decode(frame)
        self.sizes.append(len(events))
        self.ids += [event.event_id for event in events]
        self.events.update((event.event_id, event) for event in events)


@contextlib.asynccontextmanager
async def running(hub: StubHub, gate: object = None) -> AsyncIterator[StubHub]:
    async with serve(hub, "127.0.0.1", 0, process_request=gate) as server:  # type: ignore[arg-type]
        port = next(iter(server.sockets)).getsockname()[1]
        hub.url = f"ws://127.0.0.1:{port}"
        yield hub


def make_fleet(**config: object) -> Fleet:
    return Fleet(FleetConfig(start=WallClock().time(), **{"calls": 400, **config}))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take long to read the last frames, which is not under test here."""
    monkeypatch.setattr("voicetop.publish.lossless.GOODBYE_S", 30.0)


async def feed(hub: StubHub, fleet: Fleet, duration: float = 0.6) -> SentFrames:
    async with asyncio.timeout(60):
        return await pump(
            hub.url, None, fleet, WallClock(), duration=duration, backoff=msgspec.structs.replace(QUICK)
        )


def same_again(fleet: Fleet, upto: float) -> list[str]:
    return [event.event_id for event in Fleet(fleet.config).until(upto)]


async def test_a_hub_gets_every_event_once_in_frames_of_at_most_512() -> None:
    async with running(StubHub()) as hub:
        fleet = make_fleet(calls=2000)
        sent = await feed(hub, fleet)
    assert hub.hellos == [{"type": "hello", "role": "publisher", "source": "fleet"}]
    *ids, farewell = hub.ids
    assert ids == same_again(fleet, fleet.now)
    assert sent.events == len(ids) > 2000
    assert max(hub.sizes) == 512
    status = hub.events[farewell]
    assert isinstance(status, SourceStatus)
    assert (status.source, status.leaving, status.active_calls) == ("fleet", True, len(fleet.live))


async def test_the_history_comes_first_and_the_present_follows() -> None:
    fleet, present = make_fleet(calls=300, history=3600.0, full=30.0, old_calls=50), asyncio.Event()

    async def look(number: int, frames: int, connection: ServerConnection) -> None:
        if any(event.ts > fleet.start for event in hub.events.values()):
            present.set()

    async with running(StubHub(look)) as hub:
        feeding = asyncio.create_task(feed(hub, fleet, 15.0))
        async with asyncio.timeout(60):
            await present.wait()
        feeding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await feeding
    times = [event.ts for event in hub.events.values()]
    assert times == sorted(times)
    assert min(times) < fleet.start - 3500
    assert max(times) > fleet.start


async def test_a_broken_connection_loses_nothing_and_announces_live_calls() -> None:
    async def cut(number: int, frames: int, connection: ServerConnection) -> None:
        if number <= 2 and frames >= 3:
            connection.transport.abort()

    async with running(StubHub(cut)) as hub:
        fleet = make_fleet()
        sent = await feed(hub, fleet, 1.0)
    assert sent.connections == hub.connections >= 3
    assert set(same_again(fleet, fleet.now)) <= hub.events.keys()
    starts = {event.call_id for event in hub.events.values() if isinstance(event, CallStart)}
    assert set(fleet.live) <= starts


async def test_a_hub_that_reads_slowly_slows_the_fleet_down_and_gets_it_all() -> None:
    async def dawdle(number: int, frames: int, connection: ServerConnection) -> None:
        await asyncio.sleep(0.02)

    async with running(StubHub(dawdle)) as hub:
        fleet = make_fleet(calls=200, history=600.0)
        sent = await feed(hub, fleet, 0.2)
    assert sent.connections == 1
    assert hub.ids[:-1] == same_again(fleet, fleet.now)


async def test_an_absent_hub_is_reported_at_once() -> None:
    with pytest.raises(FeedLost, match=r"no hub at ws://127.0.0.1:9 .*voicetop serve"):
        await pump("ws://127.0.0.1:9", None, make_fleet(calls=10), WallClock())


async def test_a_bad_url_is_reported_before_anything_opens() -> None:
    with pytest.raises(UsageError, match="did you mean ws://localhost:8377"):
        await pump("http://localhost:8377", None, make_fleet(calls=10), WallClock())


async def test_the_token_goes_in_the_header_and_a_refusal_ends_it() -> None:
    seen: list[str | None] = []

    def gate(connection: ServerConnection, request: Request) -> Response | None:
        seen.append(request.headers.get("Authorization"))
        return connection.respond(HTTPStatus.UNAUTHORIZED, "that token is no publisher's\n")

    async with running(StubHub(), gate) as hub:
        with pytest.raises(FeedRefused, match="that token is no publisher's"):
            await pump(hub.url, "s3cret", make_fleet(calls=10), WallClock())
        with pytest.raises(FeedRefused, match="set VOICETOP_TOKEN"):
            await pump(hub.url, None, make_fleet(calls=10), WallClock())
    assert seen == ["Bearer s3cret", None]


async def test_a_policy_close_ends_it() -> None:
    async def refuse(number: int, frames: int, connection: ServerConnection) -> None:
        await connection.close(1008, "no role publisher here")

    async with running(StubHub(refuse)) as hub:
        with pytest.raises(FeedRefused, match="no role publisher here"):
            await feed(hub, make_fleet(), 5.0)
