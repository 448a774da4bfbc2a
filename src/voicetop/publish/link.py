"""The connection from a publisher to its hub: hello, batches, status; reconnects forever.

One coroutine, `PublisherLink.run`, in the publisher's event loop. Every network failure ends the same way: the
connection is dropped, and after a jittered pause there is a new one, on which the live calls are announced (to a hub
that doesn't know them) and events that may not have been read are sent again.

A hub acknowledges by answering pings: a pong means that everything sent before its ping was read.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any

import msgspec
from msgspec import Struct
from websockets.asyncio.client import ClientConnection

from voicetop.clock import Clock
from voicetop.connection.address import check_token, client_tls, publish_url
from voicetop.connection.backoff import Backoff
from voicetop.connection.connect import connect_to
from voicetop.connection.refusals import FAILURES, failure_of
from voicetop.errors import FeedLost, FeedRefused
from voicetop.publish.outbox import Outbox
from voicetop.wire.batches import UNDECODABLE
from voicetop.wire.frames import Hello, WelcomeHead

GATHER_S = 0.02
STATUS_S = 5.0
PING_S = 1.0
FIRST_PAUSE_S = 0.2
MAX_PAUSE_S = 15.0
STABLE_S = 5.0

log = logging.getLogger("voicetop.publish")


class LinkReport(Struct):
    """The state of the link, for tests and health pages. `why` is the last failure."""

    connected: bool = False
    epoch: str = ""
    connections: int = 0
    why: str = ""
    clock_offset_ms: float = float("nan")


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
        self._backoff = Backoff(FIRST_PAUSE_S, limit=MAX_PAUSE_S)

    def wake(self) -> None:
        """Call when an event is waiting."""
        self._work.set()

    def close(self) -> None:
        """Send what is waiting, then end `run`."""
        self._closing.set()
        self._work.set()

    async def run(self) -> None:
        """Connect and reconnect until `close`, then once more if events are waiting."""
        while True:
            is_last = self._closing.is_set()
            began = self._clock.monotonic()
            try:
                await self._run_connection()
            except FeedLost as lost:
                self._note_failure(lost)
            except FAILURES as error:
                self._note_failure(failure_of(error, self.url, has_token=bool(self._token)))
            finally:
                self.report.connected = False
                self.outbox.stay_awake()
            if self._closing.is_set() and (is_last or self.outbox.is_done):
                return
            if self._clock.monotonic() - began > STABLE_S:
                self._backoff.reset()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._backoff.next()):
                    await self._closing.wait()

    def _note_failure(self, failure: FeedLost | FeedRefused) -> None:
        why = str(failure)
        if why != self.report.why and not self._closing.is_set():
            log.warning(
                "cannot publish to voicetop at %s: %s; retrying, calls are not affected", self.url, why
            )
        self.report.why = why

    async def _run_connection(self) -> None:
        """One connection, from hello to its end."""
        connecting = connect_to(
            self.url, self._token, self._tls, open_timeout=self._patience_s, ping_interval=None
        )
        async with connecting as socket:
            try:
                await self._handshake(socket)
                await self._until_one_ends(
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
            self.report.why = ""
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

    async def _until_one_ends(self, *parts: Coroutine[Any, Any, None]) -> None:
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send_events(self, socket: ClientConnection) -> None:
        """One frame per 20 ms of events; ends when closing and everything is read."""
        while True:
            while frame := self.outbox.next_frame(self._clock.monotonic()):
                await self._send_frame(socket, frame)
            if self._closing.is_set():
                await self._send_frame(socket, self._status())
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
        if not self._closing.is_set():
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

    def _status(self) -> bytes:
        return self.outbox.status(self._clock.time(), self.report.clock_offset_ms)
