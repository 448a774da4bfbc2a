"""The watcher on real hubs that start, stop and restart; its target is a list."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hub.clients import publisher, send
from notify.storm import StormySession
from voicetop.alerts.signals import Effect, Tier
from voicetop.clock import WallClock
from voicetop.connection.backoff import Backoff
from voicetop.errors import FeedRefused
from voicetop.hub import Hub, HubConfig, Token
from voicetop.notify import watcher as watching
from voicetop.notify.delivery import Delivery
from voicetop.notify.queue import DeliveryQueue
from voicetop.notify.quiet_hours import QuietHours
from voicetop.notify.targets.base import Digest, IncidentChange
from voicetop.notify.watcher import Watcher
from voicetop.sources.socket import SocketSource


class Listener:
    """A `Target` that arrives at once."""

    name = "listener"
    tiers: tuple[Tier, ...] = ("critical",)
    deployment = ""
    quiet: QuietHours | None = None
    takes_changes = True
    updates_in_place = False

    def __init__(self) -> None:
        self.effects: list[Effect] = []
        self.changes: list[IncidentChange] = []
        self.digests: list[Digest] = []

    def send(self, effect: Effect, ref: str) -> str:
        self.effects.append(effect)
        return ref

    def send_change(self, change: IncidentChange) -> None:
        self.changes.append(change)

    def send_digest(self, digest: Digest) -> None:
        self.digests.append(digest)

    def close(self) -> None:
        pass

    def heard(self, reason: str) -> list[str]:
        return [one.summary for one in self.effects if one.reason == reason]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@asynccontextmanager
async def hub_at(port: int, **options: object) -> AsyncIterator[Hub]:
    config = HubConfig(port=port, deployment="acme", **options)  # type: ignore[arg-type]
    hub = Hub(config, new_session=StormySession)
    await hub.start()
    try:
        yield hub
    finally:
        await hub.close()


@asynccontextmanager
async def watcher(
    url: str, listener: Listener, queue: Path, log: list[str] | None = None, blind_after_s: float = 60.0
) -> AsyncIterator[Watcher]:
    source = SocketSource(url, None, "watcher", backoff=Backoff(0.05, limit=0.1))
    said = [] if log is None else log
    delivery = Delivery(DeliveryQueue(queue), [listener], WallClock(), said.append, first_wait_s=0.05)
    watch = Watcher(source, StormySession(), delivery, WallClock(), said.append, blind_after_s=blind_after_s)
    running = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError, FeedRefused):
            await running
        delivery.queue.close()


async def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what it waits for is elsewhere
            await asyncio.sleep(0.02)


async def happen(hub: Hub, *events: dict[str, object]) -> None:
    connection = await publisher(hub.url)
    await send(connection, *({"ts": time.time(), **event} for event in events))
    await connection.close()


def begins(number: int) -> dict[str, object]:
    return {"type": "security", "kind": "storm", "label": str(number)}


def resolves(number: int) -> dict[str, object]:
    return {"type": "operator", "act": "resolve", "target": f"i{number}", "by": "ana"}


async def test_incidents_lost_in_a_hub_restart_are_resolved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOST_AFTER_S", 0.5)
    listener, port = Listener(), free_port()
    async with hub_at(port) as hub, watcher(hub.url, listener, tmp_path / "q.db") as watch:
        await until(lambda: watch.seeing)
        await happen(hub, begins(1), begins(2))
        await until(lambda: len(listener.heard("fired")) == 2)
        await hub.close()
        async with hub_at(port) as second:
            await until(lambda: watch.seeing and listener.heard("resolved"))
            assert sorted(listener.heard("resolved")) == ["incident 1", "incident 2"]
            assert "no longer has it" in listener.effects[-1].blame
            await happen(second, begins(1))
            await until(lambda: len(listener.heard("fired")) == 3)
            assert listener.effects[0].key == listener.effects[-1].key


async def test_a_reused_key_resolves_the_earlier_incident(tmp_path: Path) -> None:
    listener, port = Listener(), free_port()
    async with hub_at(port) as hub, watcher(hub.url, listener, tmp_path / "q.db") as watch:
        await until(lambda: watch.seeing)
        await happen(hub, begins(1))
        await until(lambda: listener.heard("fired"))
        await hub.close()
        async with hub_at(port) as second:
            await until(lambda: watch.seeing)
            await happen(second, begins(1))
            await until(lambda: len(listener.effects) == 3)
    assert [one.reason for one in listener.effects] == ["fired", "resolved", "fired"]
    assert len({one.key for one in listener.effects}) == 1


async def test_the_first_start_notifies_of_open_incidents_only(tmp_path: Path) -> None:
    listener = Listener()
    async with hub_at(0) as hub:
        await happen(hub, begins(1), begins(2))
        await asyncio.sleep(0.6)
        await happen(hub, resolves(1))
        await asyncio.sleep(0.6)
        async with watcher(hub.url, listener, tmp_path / "q.db") as watch:
            await until(lambda: watch.seeing and listener.effects)
            await asyncio.sleep(0.3)
            assert listener.heard("fired") == ["incident 2"]
            assert listener.deployment == "acme"
            await happen(hub, resolves(2))
            await until(lambda: listener.heard("resolved"))


async def test_a_page_is_out_well_within_a_second_of_its_stamp(tmp_path: Path) -> None:
    listener = Listener()
    async with hub_at(0) as hub, watcher(hub.url, listener, tmp_path / "q.db") as watch:
        await until(lambda: watch.seeing)
        await happen(hub, begins(1))
        await until(lambda: listener.effects, 5.0)


async def test_a_standby_reports_blindness_later_than_the_active_watcher(tmp_path: Path) -> None:
    first, second = Listener(), Listener()
    async with (
        hub_at(free_port()) as hub,
        watcher(hub.url, first, tmp_path / "1.db", blind_after_s=1.0) as one,
        watcher(hub.url, second, tmp_path / "2.db", blind_after_s=1.0) as two,
    ):
        await until(lambda: one.seeing and two.seeing and one.on_duty != two.on_duty)
        delivering, standing_by = (first, second) if one.on_duty else (second, first)
        await hub.close()
        await until(lambda: delivering.effects)
        assert standing_by.effects == []
        await until(lambda: standing_by.effects)
        assert delivering.effects[0].key == standing_by.effects[0].key
        assert delivering.effects[0].summary.startswith("blind: no feed from acme")


async def test_a_hub_that_hangs_on_an_open_connection_is_blindness(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SILENT_S", 0.6)
    listener = Listener()
    async with (
        hub_at(0) as hub,
        watcher(hub.url, listener, tmp_path / "q.db", blind_after_s=1.0) as watch,
    ):
        await until(lambda: watch.seeing)
        for task in hub._tasks:
            task.cancel()  # it takes connections and says nothing any more
        await until(lambda: listener.effects)
        assert not watch.seeing
        assert "connected, but the hub sends nothing" in listener.effects[0].summary


async def test_a_final_refusal_is_notified_before_the_watcher_ends(tmp_path: Path) -> None:
    listener, port = Listener(), free_port()
    async with hub_at(port) as hub, watcher(hub.url, listener, tmp_path / "q.db") as watch:
        await until(lambda: watch.seeing)
        await asyncio.sleep(0.4)
        await hub.close()
        secret = "an-operators-secret-token"
        async with hub_at(port, tokens=(Token("operator", secret),)):
            await until(lambda: listener.effects)
            assert "refused" in listener.effects[0].summary


async def test_deliveries_made_while_this_watcher_was_down_are_not_repeated(tmp_path: Path) -> None:
    first, second = Listener(), Listener()
    async with hub_at(0) as hub:
        async with watcher(hub.url, first, tmp_path / "1.db") as one:
            await until(lambda: one.seeing)
            await happen(hub, begins(1))
            await until(lambda: hub._election._reports)
        with contextlib.closing(sqlite3.connect(tmp_path / "1.db")) as queue, queue:
            queue.execute("UPDATE jobs SET state = 'sending'")  # as if it had died before it noted that
        async with watcher(hub.url, second, tmp_path / "2.db") as two:
            await until(lambda: two.seeing and two.on_duty)
            first.effects.clear()
            await happen(hub, begins(2))
            await until(lambda: len(hub._election._reports) == 2)
            async with watcher(hub.url, first, tmp_path / "1.db") as one:
                await until(lambda: one.seeing and not one.on_duty)
                await asyncio.sleep(0.3)
    assert second.heard("fired") == ["incident 2"], "of the first it heard that it was told"
    assert first.effects == []
