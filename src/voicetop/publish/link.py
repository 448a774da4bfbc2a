"""The connection from a publisher to its hub: hello, batches, status; reconnects forever.

One coroutine, `PublisherLink.run`, in the publisher's event loop. Every network failure ends the same way: the
connection is dropped, and after a jittered pause there is a new one, on which the live calls are announced (to a hub
that doesn't know them) and events that may not have been read are sent again.

A hub acknowledges by answering pings: a pong means that everything sent before its ping was read.

`close` ends it: what is waiting is delivered, over as many connections as that takes within a limit, and the last thing
the hub hears is a status that says `leaving`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Coroutine
from typing import Any

import msgspec
from msgspec import Struct, field
from websockets.asyncio.client import ClientConnection

from voicetop.clock import Clock
from voicetop.connection.address import check_token, client_tls, publish_url
from voicetop.connection.backoff import Backoff
from voicetop.connection.connect import connect_to
from voicetop.connection.refusals import FAILURES, failure_of
from voicetop.errors import FeedLost, FeedRefused
from voicetop.publish.outbox import Outbox
from voicetop.publish.undelivered import no_answer
from voicetop.wire.batches import UNDECODABLE
from voicetop.wire.frames import Hello, WelcomeHead

GATHER_S = 0.02
STATUS_S = 5.0
PING_S = 1.0
FIRST_PAUSE_S = 0.2
MAX_PAUSE_S = 15.0
STABLE_S = 5.0
MAX_UNACKNOWLEDGED_BYTES = 8 * 1024 * 1024
QUIET_S = 1.0
"""How long connecting has to fail before that is logged: the hub may be starting, or the process ending."""
CLOSING_PAUSE_S, MAX_CLOSING_PAUSE_S = 0.1, 0.4

log = logging.getLogger("voicetop.publish")


class LinkReport(Struct):
    """The state of the link, for tests and health pages.

    `why` is the last failure. `faults` counts what was cut or dropped because no hub accepts it, by kind, and
    `last_fault` tells the latest. `undelivered` is how many events were given up when the publisher was closed.
    """

    connected: bool = False
    epoch: str = ""
    connections: int = 0
    why: str = ""
    clock_offset_ms: float = float("nan")
    faults: dict[str, int] = field(default_factory=dict)
    last_fault: str = ""
    undelivered: int = 0


class PublisherLink:
    """Carries an outbox to a hub. Call `wake` only in the loop that runs it."""

    def __init__(
        self, url: str, token: str | None, outbox: Outbox, clock: Clock, *, patience_s: float = 10.0
    ) -> None:
        self.url = publish_url(url)
        self.outbox = outbox
        self.report = LinkReport()
        self._token = check_token(token)
        self._tls = client_tls(self.url)
        self._clock = clock
        self._patience_s = patience_s
        self._work = asyncio.Event()
        self._closing = asyncio.Event()
        self._limit: asyncio.Timeout | None = None
        self._limit_s = 0.0
        self._give_up_at = math.inf
        self._failing_since = math.inf
        self._warned_of = ""
        self._backoff = Backoff(FIRST_PAUSE_S, limit=MAX_PAUSE_S)

    def wake(self) -> None:
        """Call when an event is waiting."""
        self._work.set()

    def close(self, limit_s: float, absent_s: float) -> None:
        """Deliver what is waiting, say goodbye and end `run`, within `limit_s`; only the first call counts.

        A connection that is on its way may take all of that time; if no hub answers, it is over after `absent_s`.
        """
        if self.is_closing:
            return
        has_something_to_say = self.report.epoch or not self.outbox.is_done
        self._limit_s = limit_s if has_something_to_say else 0.0
        self._give_up_at = self._clock.monotonic() + absent_s
        self._backoff = Backoff(CLOSING_PAUSE_S, limit=MAX_CLOSING_PAUSE_S)
        self._closing.set()
        self._work.set()
        self._apply_limit()

    @property
    def is_closing(self) -> bool:
        return self._closing.is_set()

    def _apply_limit(self) -> None:
        if self._limit is not None and self._closing.is_set() and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time() + self._limit_s)

    async def run(self) -> None:
        """Connect and reconnect until `close`, and then until everything is delivered or the limit is reached."""
        try:
            async with asyncio.timeout(None) as self._limit:
                self._apply_limit()
                await self._run()
        except TimeoutError:
            self.report.why = self.report.why or no_answer(self._limit_s)
        finally:
            self._limit = None

    async def _run(self) -> None:
        while True:
            began = self._clock.monotonic()
            failure = await self._try()
            if self._closing.is_set() and self._is_over(failure):
                return
            if self._clock.monotonic() - began > STABLE_S:
                self._backoff.reset()
            await self._pause()

    async def _try(self) -> FeedLost | FeedRefused | None:
        """One connection; returns how it failed, None if it ended as it should."""
        failure: FeedLost | FeedRefused
        try:
            await self._run_connection()
        except FeedLost as lost:
            failure = lost
        except FAILURES as error:
            failure = failure_of(
                error, self.url, has_token=bool(self._token), has_answered=bool(self.report.epoch)
            )
        except Exception as error:  # noqa: BLE001 - nothing may end the link for good
            failure = FeedLost(f"{type(error).__name__}: {error}")
        else:
            return None
        finally:
            self.report.connected = False
            self.outbox.stay_awake()
        self._note_failure(failure)
        return failure

    def _note_failure(self, failure: FeedLost | FeedRefused) -> None:
        why, now = str(failure), self._clock.monotonic()
        self.report.why = why
        self._failing_since = min(self._failing_since, now)
        if why == self._warned_of or self.is_closing or now - self._failing_since < QUIET_S:
            return
        self._warned_of = why
        log.warning("cannot publish to voicetop at %s: %s; retrying, calls are not affected", self.url, why)

    def _is_over(self, failure: FeedLost | FeedRefused | None) -> bool:
        """When closing: whether another try is of no use."""
        if failure is None or isinstance(failure, FeedRefused) or self.outbox.is_done:
            return True
        return self._clock.monotonic() >= self._give_up_at

    async def _pause(self) -> None:
        pause = self._backoff.next()
        if self._closing.is_set():
            await self._clock.sleep(pause)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._closing.wait()

    async def _run_connection(self) -> None:
        """One connection, from hello to its end."""
        connecting = connect_to(
            self.url, self._token, self._tls, open_timeout=self._patience_s, ping_interval=None
        )
        async with connecting as socket:
            try:
                await self._handshake(socket)
                await self._until_sent(
                    self._send_events(socket), self._listen(socket), self._keep_alive(socket)
                )
            except BaseException:
                socket.transport.abort()  # a peer that hangs won't answer a close frame either
                raise

    async def _handshake(self, socket: ClientConnection) -> None:
        hello = Hello(role="publisher", source=self.outbox.source)
        await self._send_frame(socket, msgspec.json.encode(hello))
        await self._send_frame(socket, self._status())
        async with asyncio.timeout(self._patience_s):
            welcome = await self._await_welcome(socket)
        self.report.connected = True
        self.report.connections += 1
        if welcome.at:
            self.report.clock_offset_ms = round((self._clock.time() - welcome.at) * 1000.0, 3)
        if self.report.why:
            log.info("publishing to voicetop at %s again", self.url)
        self.report.why = self._warned_of = ""
        self._failing_since = math.inf
        await self._catch_up(socket, welcome.epoch)

    async def _await_welcome(self, socket: ClientConnection) -> WelcomeHead:
        async for message in socket:
            try:
                return msgspec.json.decode(message, type=WelcomeHead)
            except msgspec.ValidationError:
                continue  # another frame of the protocol
            except UNDECODABLE:
                raise FeedLost("it sent something that is not a frame of the protocol") from None
        raise FeedLost("it closed the connection before its welcome")

    async def _catch_up(self, socket: ClientConnection, epoch: str) -> None:
        """Announce live calls to a hub of a new epoch; send any hub again what the last one may have missed."""
        is_new = epoch != self.report.epoch
        if is_new and (self.report.epoch or self.outbox.dropped):
            for frame in self.outbox.announce():
                await self._send_frame(socket, frame)
        for frame in self.outbox.resend():
            await self._send_frame(socket, frame)
        self.report.epoch = epoch

    async def _until_sent(self, *parts: Coroutine[Any, Any, None]) -> None:
        """Run all until the first, which sends, has ended. Raises what any of them raises before."""
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks[:1] if tasks[0] in done else done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send_events(self, socket: ClientConnection) -> None:
        """One frame per 20 ms of events; ends when closing, everything is read, and the hub knows."""
        while True:
            while frame := self.outbox.next_frame(self._clock.monotonic()):
                await self._send_frame(socket, frame)
                if self.outbox.unacknowledged_bytes > MAX_UNACKNOWLEDGED_BYTES:
                    await self._confirm(socket)
            if self._closing.is_set():
                await self._send_frame(socket, self._status(leaving=True))
                await self._confirm(socket)
                return
            if self.outbox.sleep_if_empty():
                await self._work.wait()
                if not self._closing.is_set():
                    self._work.clear()
                    await self._clock.sleep(GATHER_S)

    async def _listen(self, socket: ClientConnection) -> None:
        """A publisher ignores frames after the welcome; reading them notices the close."""
        async for _ in socket:
            pass
        raise FeedLost("the hub closed the connection")

    async def _keep_alive(self, socket: ClientConnection) -> None:
        """Acknowledgements every second, the status every five; drops a hub that answers neither."""
        reported = pinged = self._clock.monotonic()
        while True:
            await self._clock.sleep(PING_S)
            now = self._clock.monotonic()
            if now - reported >= STATUS_S:
                reported = now
                await self._send_frame(socket, self._status())
            if self.outbox.unacknowledged or now - pinged >= STATUS_S:
                pinged = now
                await self._confirm(socket)

    async def _confirm(self, socket: ClientConnection) -> None:
        """Returns when the hub has read everything sent before."""
        mark = self.outbox.sent_mark()
        try:
            async with asyncio.timeout(self._patience_s):
                await (await socket.ping())
        except TimeoutError:
            raise FeedLost(f"no answer for {self._patience_s:g} s") from None
        self.outbox.acknowledge(mark, self._clock.monotonic())

    async def _send_frame(self, socket: ClientConnection, frame: bytes) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                await socket.send(frame, text=True)
        except TimeoutError:
            raise FeedLost(f"it accepted nothing for {self._patience_s:g} s") from None

    def _status(self, *, leaving: bool = False) -> bytes:
        return self.outbox.status(self._clock.time(), self.report.clock_offset_ms, leaving=leaving)
