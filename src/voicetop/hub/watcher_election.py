"""Which of several watchers is on duty: the first to connect; when its connection ends, the next.

The hub is what all watchers of a feed share, so it decides, and sends each a `duty` frame before its welcome and
when its turn comes. A watcher that hangs is noticed by its unanswered pings, within a minute. The hub relays delivery
reports between watchers, so that a successor updates the existing message instead of posting another. None of this
is part of the feed: it has no stamp and is in no recording.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import msgspec
from websockets.exceptions import ConnectionClosed

from voicetop.hub.console import ConsoleConnection
from voicetop.wire.frames import DeliveryReport, Duty

MAX_REPORTS = 2_000
"""Delivery reports kept for watchers that connect later; the oldest is dropped."""


class WatcherElection:
    """The watchers of a hub, in order of arrival."""

    def __init__(self) -> None:
        self._seats: list[_Seat] = []
        self._reports: dict[tuple[str, str, str], bytes] = {}

    @asynccontextmanager
    async def take_seat(self, console: ConsoleConnection) -> AsyncIterator[None]:
        """Held while a console is connected. Ignores consoles that are not watchers."""
        if console.role != "watcher":
            yield
            return
        seat = _Seat(console)
        self._seats.append(seat)
        try:
            await seat.send(_duty(on=self._seats[0] is seat))
            for report in list(self._reports.values()):
                await seat.send(report)
            with seat.sending():
                yield
        finally:
            was_on_duty = self._seats[0] is seat
            self._seats.remove(seat)
            if was_on_duty and self._seats:
                self._seats[0].put_on_duty()

    def share(self, console: ConsoleConnection, report: DeliveryReport) -> None:
        """Relay a watcher's delivery report to the others, and keep it for later ones."""
        name, frame = (report.target, report.thread, report.mark), msgspec.json.encode(report)
        self._reports.pop(name, None)
        self._reports[name] = frame
        if len(self._reports) > MAX_REPORTS:
            del self._reports[next(iter(self._reports))]
        for seat in self._seats:
            if seat.console is not console:
                seat.queue(frame)


class _Seat:
    """One watcher and its queue of outgoing frames. If it doesn't read, it misses reports of others."""

    def __init__(self, console: ConsoleConnection) -> None:
        self.console = console
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(MAX_REPORTS)

    def queue(self, frame: bytes) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._queue.put_nowait(frame)

    def put_on_duty(self) -> None:
        """Must reach the watcher, after the reports of its predecessor."""
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(_duty(on=True))

    @contextmanager
    def sending(self) -> Iterator[None]:
        task = asyncio.create_task(self._send_queued())
        try:
            yield
        finally:
            task.cancel()

    async def _send_queued(self) -> None:
        while True:
            await self.send(await self._queue.get())

    async def send(self, frame: bytes) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self.console.client.send(frame, text=True)


def _duty(*, on: bool) -> bytes:
    return msgspec.json.encode(Duty(on=on))
