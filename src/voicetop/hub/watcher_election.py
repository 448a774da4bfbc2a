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

MOST_TOLD = 2_000
"""What watchers told that is kept for one that comes later; the oldest goes."""


class WatcherElection:
    """The watchers of a hub, in the order in which they came."""

    def __init__(self) -> None:
        self._here: list[_Seat] = []
        self._told: dict[tuple[str, str, str], bytes] = {}

    @asynccontextmanager
    async def turn(self, console: ConsoleConnection) -> AsyncIterator[None]:
        """While a console is here. Only watchers take turns; to others nothing is said."""
        if console.role != "watcher":
            yield
            return
        seat = _Seat(console)
        self._here.append(seat)
        try:
            await seat.send(_duty(on=self._here[0] is seat))
            for told in list(self._told.values()):
                await seat.send(told)
            with seat.speaking():
                yield
        finally:
            was_on = self._here[0] is seat
            self._here.remove(seat)
            if was_on and self._here:
                self._here[0].call()

    def hear(self, console: ConsoleConnection, told: DeliveryReport) -> None:
        """One of them has told somebody something: the others are to know, and whoever comes later."""
        name, frame = (told.target, told.thread, told.mark), msgspec.json.encode(told)
        self._told.pop(name, None)
        self._told[name] = frame
        if len(self._told) > MOST_TOLD:
            del self._told[next(iter(self._told))]
        for seat in self._here:
            if seat.console is not console:
                seat.say(frame)


class _Seat:
    """One watcher, and what is still to be said to it, in order. One that doesn't listen misses what others told."""

    def __init__(self, console: ConsoleConnection) -> None:
        self.console = console
        self._unsaid: asyncio.Queue[bytes] = asyncio.Queue(MOST_TOLD)

    def say(self, frame: bytes) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._unsaid.put_nowait(frame)

    def call(self) -> None:
        """It is its turn, which it must hear, and after what the one before has told."""
        if self._unsaid.full():
            self._unsaid.get_nowait()
        self._unsaid.put_nowait(_duty(on=True))

    @contextmanager
    def speaking(self) -> Iterator[None]:
        task = asyncio.create_task(self._speak())
        try:
            yield
        finally:
            task.cancel()

    async def _speak(self) -> None:
        while True:
            await self.send(await self._unsaid.get())

    async def send(self, frame: bytes) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self.console.client.send(frame, text=True)


def _duty(*, on: bool) -> bytes:
    return msgspec.json.encode(Duty(on=on))
