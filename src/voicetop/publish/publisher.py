"""The two publishers: one with its own thread, one in the caller's event loop.

Both end with `close`, at the end of a `with` block, or with the process or its loop. Then they deliver what is waiting,
tell the hub that they leave, and log a warning if events were not delivered.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import logging
import os
import socket
import sys
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
from voicetop.publish.undelivered import no_answer, warn_of_undelivered
from voicetop.wire.events import Event

EXIT_S = 5.0
"""How long `close` and the end of the process wait for a hub, unless told otherwise."""
ABSENT_S = 3.0
"""How much of that if no hub answers at all: it may just be starting."""
MAX_CLOSE_S = 86_400.0
THREAD_S = 0.25
"""How much longer the thread may take to end."""

log = logging.getLogger("voicetop.publish")


class BasePublisher:
    """What both publishers share: queue events, write calls, report the state of the link.

    While no hub can be reached events wait, at most `queue` of them; then the oldest are dropped and reported
    (`source.status.dropped`). `token` defaults to VOICETOP_TOKEN. Raises UsageError for a URL or a
    token that cannot work.

    `close(timeout)` waits at most `timeout` seconds for a hub. Without a timeout it waits `EXIT_S` for one that answers
    slowly, and `ABSENT_S` for one that doesn't answer at all; so does a process that exits.
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
        self._new_link = functools.partial(
            PublisherLink, url, token_or_env(token), clock=self._clock, patience_s=patience_s
        )
        self._link = self._new_link(outbox=self._outbox)
        self._delivered: bool | None = None
        self._lost_late = 0
        self.url = self._link.url
        self._begin()
        _open.add(self)

    def _begin(self) -> None:
        """Run the link."""
        raise NotImplementedError

    def emit(self, event: Event) -> None:
        """Queue one event. About a microsecond; never blocks, never raises."""
        if self._outbox.put(event):
            self._wake()

    def _wake(self) -> None:
        """An event is there and the link is asleep, or over."""
        if self._delivered is None:
            self._wake_link()
            return
        lost = self._outbox.end()
        if lost and not self._lost_late:
            log.warning("voicetop: an event came after %s was closed, and is lost", self.source)
        self._lost_late += lost

    def _wake_link(self) -> None:
        self._link.wake()

    def _finish(self) -> bool:
        """What came of it, once the link is over; logs what is lost. True if the hub has read everything."""
        if self._delivered is None:
            undelivered = self.report.undelivered = self._outbox.undelivered
            self._delivered = not undelivered
            self._outbox.end()
            if undelivered:
                warn_of_undelivered(undelivered, self.url, self.report.why)
        return self._delivered

    def _end_with_process(self) -> None:
        """At exit: begin to close, without waiting."""

    def _start_afresh(self) -> None:
        """In a forked child: what is waiting is the parent's to deliver."""
        raise NotImplementedError

    def call(self, call_id: str, **about: Any) -> PublishedCall:
        """Start a call and return the object that writes its events: see `PublishedCall`."""
        return PublishedCall(self.emit, self._clock, call_id, **about)

    @property
    def report(self) -> LinkReport:
        """The state of the link to the hub, and what could not be sent."""
        report = self._link.report
        report.faults, report.last_fault = self._outbox.faults, self._outbox.last_fault
        return report

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

    Its thread doesn't survive a fork: in the child the publisher starts afresh with the child's first event, with the
    child's process id in its `source`.
    """

    def _begin(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._thread: threading.Thread | None = threading.Thread(
            target=self._main, name="voicetop-publisher", daemon=True
        )
        self._thread.start()
        _close_all_at_the_end_of_a_worker()

    def _main(self) -> None:
        with (
            contextlib.suppress(RuntimeError),  # the interpreter may end under a daemon thread
            asyncio.Runner(loop_factory=_OwnLoop) as runner,
        ):
            runner.run(self._run_link())

    async def _run_link(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        await self._link.run()

    def _wake_link(self) -> None:
        if self._thread is None:
            self._begin()
        self._call(self._link.wake)

    def _call(self, function: Callable[[], None]) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # closed meanwhile
                self._loop.call_soon_threadsafe(function)

    def close(self, timeout: float | None = None) -> bool:
        """Send what is waiting, say goodbye and end, within `timeout` seconds. True if the hub has read everything."""
        limit_s, absent_s = _limits(timeout)
        _open.discard(self)
        if self._thread is not None and self._thread.is_alive():
            self._ready.wait(limit_s)
            self._call(functools.partial(self._link.close, limit_s, absent_s))
            self._thread.join(limit_s + THREAD_S)
            if self._thread.is_alive():
                self.report.why = self.report.why or no_answer(limit_s)
        return self._finish()

    def _end_with_process(self) -> None:
        self._call(functools.partial(self._link.close, EXIT_S, ABSENT_S))

    def _start_afresh(self) -> None:
        """In a child process: the parent delivers what it has, and the child's events go over a link of its own."""
        self._outbox = Outbox(
            f"{self.source.removesuffix(f'-{os.getppid()}')}-{os.getpid()}", self._outbox.limit
        )
        self._outbox.end()
        self._link = self._new_link(outbox=self._outbox)
        self._loop = self._thread = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _OwnLoop(asyncio.SelectorEventLoop):
    """The loop of a thread that does nothing but publish, so that it may wait for a name to be resolved.

    A loop's executor would make the exit of the process wait for that, and resolves nothing once the exit has begun.
    """

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        return socket.getaddrinfo(host, port, **options)


class AsyncPublisher(BasePublisher):
    """The same in the running event loop; `await close()` at the end.

    Call `emit` only in that loop's thread. If the loop ends before, it delivers what is waiting as `close()` does.
    """

    def _begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run_link(), name="voicetop-publisher")

    async def _run_link(self) -> None:
        try:
            await self._link.run()
        except asyncio.CancelledError:
            if self._link.is_closing:
                raise
            self._link.close(EXIT_S, ABSENT_S)  # the loop is ending
            await self._link.run()
            _open.discard(self)
            self._finish()

    async def close(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - same signature as `Publisher`
        """Send what is waiting, say goodbye and end, within `timeout` seconds. True if the hub has read everything."""
        limit_s, absent_s = _limits(timeout)
        _open.discard(self)
        self._link.close(limit_s, absent_s)
        await asyncio.wait([self._task], timeout=limit_s + THREAD_S)
        if not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        return self._finish()

    def _start_afresh(self) -> None:
        """In a child process, which has no such loop: events are lost, and that is logged."""
        self._outbox = Outbox(self.source, 1)
        self._outbox.end()
        self._delivered = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _limits(timeout: float | None) -> tuple[float, float]:
    """Seconds to wait for a hub, and for one that doesn't answer at all."""
    if timeout is None:
        return EXIT_S, ABSENT_S
    limit_s = min(max(0.0, timeout), MAX_CLOSE_S)
    return limit_s, limit_s


def default_source() -> str:
    """The default name of a process: host and process id tell two agents apart."""
    return f"{os.uname().nodename}-{os.getpid()}" if hasattr(os, "uname") else f"agent-{os.getpid()}"


def token_or_env(token: str | None) -> str | None:
    return token or os.environ.get("VOICETOP_TOKEN") or None


_open: weakref.WeakSet[BasePublisher] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Let an exiting process deliver its last events: all publishers at once. Ctrl-C ends the waiting."""
    publishers = list(_open)
    with contextlib.suppress(KeyboardInterrupt):
        for publisher in publishers:
            publisher._end_with_process()
        for publisher in publishers:
            if isinstance(publisher, Publisher):
                publisher.close()
    for publisher in publishers:
        publisher._finish()


def _close_all_at_the_end_of_a_worker() -> None:
    """`multiprocessing` ends its forked workers without exit handlers, but with its own finalizers."""
    process, util = map(sys.modules.get, ("multiprocessing.process", "multiprocessing.util"))
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, _close_all, exitpriority=0)


def _start_all_afresh() -> None:
    for publisher in list(_open):
        publisher._start_afresh()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_all_afresh)
