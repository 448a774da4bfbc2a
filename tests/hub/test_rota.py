"""Of several watchers on one hub, one does the telling."""

from __future__ import annotations

from hub.clients import Watcher
from hub.conftest import StartHub


async def next_duty(watcher: Watcher) -> bool:
    while (frame := await watcher.read())["type"] != "duty":
        pass
    return bool(frame["on"])


async def test_the_second_watcher_stands_by_and_takes_over_when_the_first_is_gone(
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


async def test_a_watcher_cut_off_without_a_goodbye_is_replaced(start_hub: StartHub) -> None:
    hub = await start_hub()
    first = await Watcher.open(hub.url, role="watcher")
    second = await Watcher.open(hub.url, role="watcher")
    assert await next_duty(first)
    assert not await next_duty(second)
    first.connection.transport.abort()
    assert await next_duty(second)


async def test_consoles_hear_nothing_of_duty(start_hub: StartHub) -> None:
    hub = await start_hub()
    viewer = await Watcher.open(hub.url, role="viewer")
    assert (await viewer.read())["type"] == "welcome"
    watcher = await Watcher.open(hub.url, role="watcher")
    assert (await watcher.read())["type"] == "duty"
