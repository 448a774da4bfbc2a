"""The only module that reads a clock. Everything below the sources moves by stamps instead.

Called by what stamps (hub, local sources) and what paces (replay, simulator); tests pass a `ManualClock`.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from typing import Protocol


class Clock(Protocol):
    """Seconds since the epoch, seconds that never step back, and sleep."""

    def time(self) -> float: ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class WallClock:
    """The machine's clock."""

    def time(self) -> float:
        """Seconds since the epoch; may step when the machine is set."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never steps back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class ManualClock:
    """A clock that a test winds by hand: `await clock.advance(3)` wakes who sleeps until then."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self.now = start
        self._ids = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._ids), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move time on, waking sleepers in the order of their deadlines."""
        end = self.now + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            self.now, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
            for _ in range(5):  # let the woken task run on to its next sleep
                await asyncio.sleep(0)
        self.now = end
        await asyncio.sleep(0)
