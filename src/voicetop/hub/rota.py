"""Who of several watchers does the telling: the one that came first; when its connection ends, the next.

The hub is what all watchers of a feed have in common, so it decides, and tells each of them by a `duty` frame ahead of
its welcome and again when its turn comes. A watcher that hangs is noticed by its unanswered pings, within a minute.
Duty is no part of the feed: it has no stamp and is in no recording.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from websockets.exceptions import ConnectionClosed

from voicetop.hub.console import Console
from voicetop.wire.frames import Duty


class Rota:
    """The watchers of a hub, in the order in which they came."""

    def __init__(self) -> None:
        self._here: list[Console] = []
        self._news: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def turn(self, console: Console) -> AsyncIterator[None]:
        """While a console is here. Only watchers take turns; to others nothing is said."""
        if console.role != "watcher":
            yield
            return
        self._here.append(console)
        try:
            await _tell(console, on=self._here[0] is console)
            yield
        finally:
            was_on = self._here[0] is console
            self._here.remove(console)
            if was_on and self._here:
                self._pass_on(self._here[0])

    def _pass_on(self, console: Console) -> None:
        task = asyncio.create_task(_tell(console, on=True))
        self._news.add(task)
        task.add_done_callback(self._news.discard)


async def _tell(console: Console, *, on: bool) -> None:
    with contextlib.suppress(ConnectionClosed):
        await console.client.send(msgspec.json.encode(Duty(on=on)), text=True)
