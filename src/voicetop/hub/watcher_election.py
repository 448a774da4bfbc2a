"""Who of several watchers does the telling: the one that came first; when its connection ends, the next.

The hub is what all watchers of a feed have in common, so it decides, and tells each of them by a `duty` frame ahead of
its welcome and again when its turn comes. A watcher that hangs is noticed by its unanswered pings, within a minute.
What one of them has told goes through here to the others, so that whoever takes over changes the message that is there
instead of posting another. All this is no part of the feed: it has no stamp and is in no recording.
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
"""What watchers told that is kept for one that comes later; the oldest goes."""


class WatcherElection:
    """The watchers of a hub, in the order in which they came."""

    def __init__(self) -> None:
        self._seats: list[_Seat] = []
        self._reports: dict[tuple[str, str, str], bytes] = {}

    @asynccontextmanager
    async def take_seat(self, console: ConsoleConnection) -> AsyncIterator[None]:
        """While a console is here. Only watchers take turns; to others nothing is said."""
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
        """One of them has told somebody something: the others are to know, and whoever comes later."""
        name, frame = (report.target, report.thread, report.mark), msgspec.json.encode(report)
        self._reports.pop(name, None)
        self._reports[name] = frame
        if len(self._reports) > MAX_REPORTS:
            del self._reports[next(iter(self._reports))]
        for seat in self._seats:
            if seat.console is not console:
                seat.queue(frame)


class _Seat:
    """One watcher, and what is still to be said to it, in order. One that doesn't listen misses what others told."""

    def __init__(self, console: ConsoleConnection) -> None:
        self.console = console
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(MAX_REPORTS)

    def queue(self, frame: bytes) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._queue.put_nowait(frame)

    def put_on_duty(self) -> None:
        """It is its turn, which it must hear, and after what the one before has told."""
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
