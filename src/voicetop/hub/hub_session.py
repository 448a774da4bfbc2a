"""The hub's own session, on its own thread: its state is what late joiners begin with.

It is fed the same frames as the consoles, so its checkpoint after batch n, followed by the batches from n + 1 on,
equals what a console would hold that had been connected all along. Building a checkpoint of a large fleet takes a
while, and no feed waits for it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from voicetop.engine.snapshot import SourceHealth
    from voicetop.session import Session

MAX_SOURCES = 50
LOOK_S = 1.0
MAX_QUEUED = 32 * 1024 * 1024
"""Bytes that may wait for the session; beyond this, publishers are slowed down, since nothing may be lost here."""


class JoinPoint(Struct, frozen=True):
    """Where a late joiner begins: `welcome` is the frame with the state as of `seq`; `index` is the next batch's."""

    index: int
    seq: int
    welcome: bytes
    made_at: float


class _Batch(Struct, frozen=True):
    frame: bytes
    last: int
    at: float


class _Question(Struct, frozen=True):
    """Asks which of these sources have no live calls and haven't left."""

    sources: set[str]
    answer: asyncio.Future[list[str]]


class HubSession:
    """Feeds the session in order and makes join points on demand; concurrent requests share one.

    `encode(seq, at, state)` makes the welcome; it is also called on the thread.
    """

    def __init__(
        self,
        session: Session,
        *,
        encode: Callable[[int, float, bytes], bytes],
        log: Callable[[str], None],
    ) -> None:
        self.failures = 0
        self.sources: tuple[SourceHealth, ...] = ()
        """The worst sources, as of the last second."""
        self._looked_at = 0.0
        self._session = session
        self._encode = encode
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[bytes | _Batch | _Question | asyncio.Future[JoinPoint] | None] = SimpleQueue()
        self._bytes_fed = 0
        self._bytes_folded = 0
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._pending: asyncio.Future[JoinPoint] | None = None
        self._latest: JoinPoint | None = None
        self._thread = threading.Thread(target=self._work, name="voicetop-hub-session", daemon=True)
        self._thread.start()

    def open(self, welcome: bytes) -> None:
        """Begin the epoch; call before any batch."""
        self._jobs.put(welcome)

    def feed(self, frame: bytes, last: int, at: float) -> None:
        """Queue the next batch, without waiting."""
        self._bytes_fed += len(frame)
        if self.queued > MAX_QUEUED:
            self._has_room.clear()
        self._jobs.put(_Batch(frame, last, at))

    @property
    def queued(self) -> int:
        """Bytes that are not folded yet."""
        return self._bytes_fed - self._bytes_folded

    @property
    def live_calls(self) -> int:
        """As of the last folded batch."""
        return self._session.live_calls

    async def keep_up(self) -> None:
        """Wait while too much is queued."""
        await self._has_room.wait()

    async def without_calls(self, sources: set[str]) -> list[str]:
        """Those of these sources that have no live calls after the last batch that was fed, and haven't left."""
        question = _Question(sources, self._loop.create_future())
        self._jobs.put(question)
        return await question.answer

    async def join_point(self, oldest_index: int, max_age_s: float = 1.0) -> JoinPoint:
        """A join point from which all later batches are still in the backlog."""
        latest = self._latest
        if latest and latest.index >= oldest_index and self._loop.time() - latest.made_at <= max_age_s:
            return latest
        if self._pending is None:
            self._pending = self._loop.create_future()
            self._jobs.put(self._pending)
        return await asyncio.shield(self._pending)

    def latest_join_point(self) -> asyncio.Future[JoinPoint]:
        """The join point right after the last batch that was fed."""
        request: asyncio.Future[JoinPoint] = self._loop.create_future()
        self._jobs.put(request)
        return request

    def drop_unused(self, older_than_s: float) -> None:
        """Free a state that nobody has requested lately: it may be large."""
        if self._latest and self._loop.time() - self._latest.made_at > older_than_s:
            self._latest = None

    async def close(self) -> None:
        """Fold what is queued, then end the thread."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join, 10.0)
        if self._pending and not self._pending.done():
            self._pending.cancel()

    # On the thread.

    def _work(self) -> None:
        index, last, at = 0, 0, 0.0
        while (job := self._jobs.get()) is not None:
            if isinstance(job, _Batch):
                index, last, at = index + 1, job.last, job.at
                self._fold(job.frame)
                self._mark_folded(len(job.frame))
            elif isinstance(job, bytes):
                self._fold(job)
            elif isinstance(job, _Question):
                found = self._session.sources_without_calls(job.sources)
                self._loop.call_soon_threadsafe(_resolve, job.answer, found)
            else:
                self._answer(job, index, last, at)

    def _fold(self, frame: bytes) -> None:
        try:
            self._session.feed(frame)
            self._look(self._session.at)
        except Exception as error:  # noqa: BLE001 - a hub whose own session fails still serves everybody
            self._failed("its own session failed on a batch", error)

    def _look(self, at: float) -> None:
        """Look at the sources once a second of stamp time."""
        if at - self._looked_at >= LOOK_S:
            self._looked_at = at
            self.sources = self._session.feed_health(MAX_SOURCES).sources

    def _mark_folded(self, size: int) -> None:
        self._bytes_folded += size
        if not self._has_room.is_set() and self.queued < MAX_QUEUED // 2:
            self._loop.call_soon_threadsafe(self._has_room.set)

    def _answer(self, request: asyncio.Future[JoinPoint], index: int, last: int, at: float) -> None:
        try:
            state = self._session.checkpoint()
        except Exception as error:  # noqa: BLE001
            self._failed("its own session failed to make a checkpoint", error)
            state = b""
        join_point = JoinPoint(index, last, self._encode(last, at, state), self._loop.time())
        self._loop.call_soon_threadsafe(self._resolve, request, join_point)

    def _failed(self, what: str, error: Exception) -> None:
        self.failures += 1
        if self.failures <= 3:
            self._loop.call_soon_threadsafe(self._log, f"{what}: {type(error).__name__}: {error}")

    def _resolve(self, request: asyncio.Future[JoinPoint], join_point: JoinPoint) -> None:
        self._latest = join_point
        if request is self._pending:
            self._pending = None
        _resolve(request, join_point)


def _resolve(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)
