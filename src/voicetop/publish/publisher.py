"""The two publishers: one with its own thread, one in the caller's event loop."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from voicetop.clock import Clock, WallClock
from voicetop.connection.address import DEFAULT_URL
from voicetop.publish.calls import PublishedCall
from voicetop.publish.link import LinkReport, PublisherLink
from voicetop.publish.outbox import Outbox
from voicetop.wire.events import Event

EXIT_S = 1.0


class BasePublisher:
    """What both publishers share: queue events, write calls, report the state of the link.

    While no hub can be reached events wait, at most `queue` of them; then the oldest are dropped and reported
    (`source.status.dropped`). `token` defaults to VOICETOP_TOKEN. Raises UsageError for a URL or a
    token that cannot work.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        token: str | None = None,
        source: str = "",
        queue: int = 10_000,
        *,
        clock: Clock | None = None,
        patience_s: float = 10.0,
    ) -> None:
        self._clock = clock or WallClock()
        self._outbox = Outbox(source or default_source(), queue)
        self._link = PublisherLink(url, token_or_env(token), self._outbox, self._clock, patience_s=patience_s)
        self.url = self._link.url
        self._begin()

    def _begin(self) -> None:
        """Run the link."""
        raise NotImplementedError

    def emit(self, event: Event) -> None:
        """Queue one event. About a microsecond; never blocks, never raises."""
        if self._outbox.put(event):
            self._wake()

    def _wake(self) -> None:
        self._link.wake()

    def call(self, call_id: str, **about: Any) -> PublishedCall:
        """Start a call and return the object that writes its events: see `PublishedCall`."""
        return PublishedCall(self.emit, self._clock, call_id, **about)

    @property
    def report(self) -> LinkReport:
        """The state of the link to the hub."""
        return self._link.report

    @property
    def source(self) -> str:
        return self._outbox.source

    @property
    def dropped(self) -> int:
        """Events that no hub will ever see, since the start."""
        return self._outbox.dropped

    @property
    def queued(self) -> int:
        """Events waiting to be sent."""
        return self._outbox.queued


class Publisher(BasePublisher):
    """Sends events to a hub from its own thread; for any code, sync or async.

    Create it in the process that uses it: its thread doesn't survive a fork.
    """

    def _begin(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, name="voicetop-publisher", daemon=True)
        self._thread.start()
        _open.add(self)

    def _main(self) -> None:
        with contextlib.suppress(RuntimeError):  # the interpreter may end under a daemon thread
            asyncio.run(self._run_link())

    async def _run_link(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        await self._link.run()

    def _wake(self) -> None:
        self._call(self._link.wake)

    def _call(self, function: Callable[[], None]) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # closed meanwhile
                self._loop.call_soon_threadsafe(function)

    def close(self, timeout: float = 2.0) -> bool:
        """Send what is waiting and end, within `timeout` seconds. True if the hub has read everything."""
        _open.discard(self)
        if not self._thread.is_alive():
            return self._outbox.is_done
        self._ready.wait(timeout)
        self._call(self._link.close)
        self._thread.join(timeout)
        return not self._thread.is_alive() and self._outbox.is_done

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncPublisher(BasePublisher):
    """The same in the running event loop; `await close()` at the end.

    Call `emit` only in that loop's thread.
    """

    def _begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._link.run(), name="voicetop-publisher")

    async def close(self, timeout: float = 2.0) -> bool:  # noqa: ASYNC109 - same signature as `Publisher`
        """Send what is waiting and end, within `timeout` seconds. True if the hub has read everything."""
        self._link.close()
        await asyncio.wait([self._task], timeout=timeout)
        if not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            return False
        return self._outbox.is_done

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def default_source() -> str:
    """The default name of a process: host and process id tell two agents apart."""
    return f"{os.uname().nodename}-{os.getpid()}" if hasattr(os, "uname") else f"agent-{os.getpid()}"


def token_or_env(token: str | None) -> str | None:
    return token or os.environ.get("VOICETOP_TOKEN") or None


_open: weakref.WeakSet[Publisher] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Give an exiting agent a moment to send its last events, if a hub is connected."""
    for publisher in list(_open):
        publisher.close(EXIT_S if publisher.report.connected else 0.0)
