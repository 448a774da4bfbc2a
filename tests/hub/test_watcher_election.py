"""Of several watchers on one hub, one is on duty."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, cast

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed

from hub.clients import Watcher
from hub.conftest import StartHub
from voicetop.hub.console import ConsoleConnection
from voicetop.hub.watcher_election import MAX_REPORTS, WatcherElection
from voicetop.wire.frames import DeliveryReport

REPORT = {"type": "told", "target": "slack.ops", "thread": "k@1.5", "mark": "fired", "ref": "C1 17.01"}


async def next_duty(watcher: Watcher) -> bool:
    while (frame := await watcher.read())["type"] != "duty":
        pass
    return bool(frame["on"])


async def test_the_second_watcher_takes_over_when_the_first_disconnects(
    start_hub: StartHub,
) -> None:
    hub = await start_hub()
    first = await Watcher.open(hub.url, role="watcher")
    assert await next_duty(first)
    second = await Watcher.open(hub.url, role="watcher")
    assert not await next_duty(second)
    await first.connection.close()
    assert await next_duty(second)
    third = await Watcher.open(hub.url, role="watcher")
    assert not await next_duty(third)


async def test_a_watcher_whose_connection_breaks_is_replaced(start_hub: StartHub) -> None:
    hub = await start_hub()
    first = await Watcher.open(hub.url, role="watcher")
    second = await Watcher.open(hub.url, role="watcher")
    assert await next_duty(first)
    assert not await next_duty(second)
    first.connection.transport.abort()
    assert await next_duty(second)


async def test_consoles_receive_no_duty_frames(start_hub: StartHub) -> None:
    hub = await start_hub()
    viewer = await Watcher.open(hub.url, role="viewer")
    assert (await viewer.read())["type"] == "welcome"
    watcher = await Watcher.open(hub.url, role="watcher")
    assert (await watcher.read())["type"] == "duty"


async def next_report(watcher: Watcher) -> dict[str, Any]:
    while (frame := await watcher.read())["type"] != "told":
        pass
    return frame


async def test_delivery_reports_reach_other_and_later_watchers(start_hub: StartHub) -> None:
    hub = await start_hub()
    first = await Watcher.open(hub.url, role="watcher")
    second = await Watcher.open(hub.url, role="watcher")
    assert not await next_duty(second)
    await first.connection.send(msgspec.json.encode(REPORT), text=True)
    assert await next_report(second) == REPORT
    third = await Watcher.open(hub.url, role="watcher")
    assert [(await third.read())["type"] for _ in range(3)] == ["duty", "told", "welcome"]
    assert REPORT in third.frames
    assert REPORT not in first.frames
    viewer = await Watcher.open(hub.url, role="viewer")
    assert (await viewer.read())["type"] == "welcome"


@pytest.mark.parametrize(
    ("role", "frame"),
    [
        ("viewer", REPORT),
        ("watcher", {**REPORT, "ref": "x" * 401}),
        ("watcher", {"type": "operator", "act": "ack", "target": "i1", "by": "x", "ts": 1.0}),
    ],
)
async def test_a_delivery_report_from_another_role_closes_the_connection(
    start_hub: StartHub, role: str, frame: dict[str, Any]
) -> None:
    hub = await start_hub()
    client = await Watcher.open(hub.url, role=role)
    await client.connection.send(msgspec.json.encode(frame), text=True)
    with pytest.raises(ConnectionClosed, match="only an operator may act"):
        await asyncio.wait_for(client.read_until(lambda _: False), 40)


class Slow:
    """A watcher's connection that accepts nothing until it is released."""

    role = "watcher"

    def __init__(self) -> None:
        self.goes_on = asyncio.Event()
        self.frames: list[Any] = []
        self.client = self

    async def send(self, frame: bytes, *, text: bool) -> None:
        assert text
        self.frames.append(msgspec.json.decode(frame))
        if len(self.frames) > 1:
            await self.goes_on.wait()


async def test_a_watcher_with_a_full_queue_still_gets_its_duty_frame() -> None:
    election = WatcherElection()
    first, second = Slow(), Slow()
    async with contextlib.AsyncExitStack() as stack:
        leave = await stack.enter_async_context(contextlib.AsyncExitStack())
        await leave.enter_async_context(election.take_seat(cast("ConsoleConnection", first)))
        await stack.enter_async_context(election.take_seat(cast("ConsoleConnection", second)))
        for number in range(MAX_REPORTS + 5):
            election.share(
                cast("ConsoleConnection", first), DeliveryReport("slack.ops", f"k{number}", "fired", "r")
            )
        await leave.aclose()
        second.goes_on.set()
        async with asyncio.timeout(60):
            while {"type": "duty", "on": True} not in second.frames:  # noqa: ASYNC110 - told by a task of its own
                await asyncio.sleep(0)
