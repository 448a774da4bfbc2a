"""The hub on the network: one port for publishers, consoles and /healthz."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Sized
from typing import TYPE_CHECKING, Any

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from voicetop.clock import Clock, WallClock
from voicetop.errors import UsageError, VoicetopError
from voicetop.hub.access import AccessControl, Client
from voicetop.hub.config import HubConfig, Role, check_bind, offered_roles, server_tls
from voicetop.hub.console import ConsoleConnection, peer_name
from voicetop.hub.departures import Departures
from voicetop.hub.feed import Feed
from voicetop.hub.health import measure, status_line
from voicetop.hub.hello import mended_hello, read_hello, refusal_of
from voicetop.hub.validation import Sender
from voicetop.hub.watcher_election import WatcherElection
from voicetop.wire.codec import MAX_FRAME
from voicetop.wire.frames import Hello
from voicetop.wire.text import safe_label

if TYPE_CHECKING:
    from voicetop.session import Session

LAST_BATCH_S = 0.5
FAREWELL_S = 1.0
TOO_LARGE = (
    f"a frame of over {MAX_FRAME:,} bytes closed the connection: send at most 500 events and 192 KiB in each"
)

_websockets_log = logging.getLogger("voicetop.hub.websockets")
_websockets_log.addHandler(logging.NullHandler())
_websockets_log.propagate = False  # a port scan must not disturb a console in the same terminal


class Hub:
    """`await start()`, then `url` is its address; `await close()` ends it. `log` is called with one line of text."""

    def __init__(
        self,
        config: HubConfig | None = None,
        clock: Clock | None = None,
        *,
        log: Callable[[str], None] = lambda _: None,
        new_session: Callable[[], Session] | None = None,
    ) -> None:
        self.config = config or HubConfig()
        self.feed: Feed
        self.consoles: set[ConsoleConnection] = set()
        self.publishers: set[Client] = set()
        self._election = WatcherElection()
        self._departures: Departures
        self._clock = clock or WallClock()
        self._log = log
        self._new_session = new_session or _new_session
        self._server: Server
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, sock: socket.socket | None = None) -> None:
        """Listen, on `sock` if given, which must listen already. Raises UsageError if that would be unsafe or is
        impossible.
        """
        check_bind(self.config)
        tls = server_tls(self.config)
        access = AccessControl(
            self.config.tokens,
            lambda: msgspec.structs.asdict(self._measure()),
            offered=offered_roles(self.config),
        )
        try:
            self._server = await self._bind(access, sock, ssl=tls)
        except OSError as error:
            raise UsageError(self._bind_error(error)) from None
        try:
            self.feed = Feed(self.config, self._clock, self._new_session, self._log)
        except VoicetopError:
            self._server.close()
            await self._server.wait_closed()
            raise
        self._departures = Departures(self.feed)
        await self._server.start_serving()
        self._tasks = [
            asyncio.create_task(job())
            for job in (self.feed.run_batches, self.feed.run_heartbeats, self._report_periodically)
        ]

    async def _bind(self, access: AccessControl, sock: socket.socket | None, **options: Any) -> Server:
        where: dict[str, Any] = {"host": self.config.host.strip("[]"), "port": self.config.port}
        return await serve(
            self._handle,
            **(where if sock is None else {"sock": sock}),
            process_request=access.check,
            process_response=access.add_roles_header,
            create_connection=Client,
            compression=None,  # it would cost one compressor per console
            server_header=None,
            max_size=MAX_FRAME,
            max_queue=8,
            write_limit=16 * 1024,
            ping_timeout=40,
            close_timeout=FAREWELL_S,
            logger=_websockets_log,
            start_serving=False,
            **options,
        )

    @property
    def url(self) -> str:
        """The address for consoles and publishers."""
        host = self.config.host.strip("[]")
        scheme = "wss" if self.config.cert else "ws"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def port(self) -> int:
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def close(self) -> None:
        """Send everybody the last events, close with 1001, flush the recording."""
        self._server.close(close_connections=False)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.feed.end()
        await self._flush_consoles()
        await self._farewell()
        await self._server.wait_closed()
        await self.feed.close()

    async def _flush_consoles(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_BATCH_S):
                while any(console.index < self.feed.backlog.end for console in self.consoles):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)  # rare and short: not worth an event for every send

    async def _farewell(self) -> None:
        """Close all connections; abort those that don't answer."""
        clients = set(self._server.connections)
        goodbyes = [
            asyncio.create_task(client.close(CloseCode.GOING_AWAY, "the hub is shutting down"))
            for client in clients
        ]
        if goodbyes:
            await asyncio.wait(goodbyes, timeout=FAREWELL_S)
        for client in clients:
            client.transport.abort()
        await asyncio.gather(*goodbyes, return_exceptions=True)

    async def _handle(self, connection: ServerConnection) -> None:
        assert isinstance(connection, Client)
        try:
            if connection.grant.only_publishes:
                await self._serve_publisher(connection)
            else:
                await self._serve_after_hello(connection)
        except (ConnectionClosed, TimeoutError):
            return
        except Exception as error:  # noqa: BLE001 - one client's failure must not affect others
            self._log(f"error with {peer_name(connection)}: {type(error).__name__}: {error}")
            await connection.close(1011, "internal error; see the hub's log")

    async def _serve_after_hello(self, client: Client) -> None:
        try:
            async with asyncio.timeout(self.config.hello_s):
                frame = await client.recv(decode=False)
        except TimeoutError:
            await client.close(
                CloseCode.POLICY_VIOLATION,
                f"no hello within {self.config.hello_s:g} s; publishers connect to /publish",
            )
            return
        hello = read_hello(frame)
        refusal = refusal_of(hello, client.grant.roles)
        if refusal or hello is None:
            await client.close(CloseCode.POLICY_VIOLATION, refusal)
        elif hello.role == "publisher":
            await self._serve_publisher(client, hello)
        else:
            await self._serve_console(client, hello)

    async def _serve_console(self, client: Client, hello: Hello) -> None:
        if await _is_full(client, self.consoles, self.config.max_consoles, "consoles"):
            return
        role: Role = next(role for role in client.grant.roles if role == hello.role)
        console = ConsoleConnection(
            *(client, role, self.feed),
            welcome_s=self.config.welcome_s,
            log=self._log,
            on_delivery_report=self._election.share,
        )
        self.consoles.add(console)
        try:
            async with self._election.take_seat(console):
                await console.run(hello.resume)
        finally:
            self.consoles.discard(console)

    async def _serve_publisher(self, client: Client, hello: Hello | None = None) -> None:
        if await _is_full(client, self.publishers, self.config.max_publishers, "publishers"):
            return
        self.publishers.add(client)
        try:
            await self._receive_all(client, hello)
        finally:
            self.publishers.discard(client)
            await self._departures.detach(client)

    async def _receive_all(self, client: Client, hello: Hello | None) -> None:
        """Receive from a publisher until it disconnects; one that says hello gets epoch and time in a welcome."""
        sender = Sender(peer_name(client), may_operate=not self.config.tokens)
        while True:
            if hello:
                sender.source = safe_label(hello.source)
                self._departures.attach(client, {sender.source})
                welcome = self.feed.welcome(self.feed.stamper.seq, self.feed.stamper.now())
                await client.send(welcome, text=True)
            frame = await self._next_frame(client, sender)
            hello = read_hello(frame) or self._mended_hello(frame, sender)
            if not hello:
                await self.feed.receive(frame, sender)
                self._departures.attach(client, sender.reporting)
                sender.reporting.clear()
                await self.feed.keep_up()

    async def _next_frame(self, client: Client, sender: Sender) -> bytes:
        """Raises ConnectionClosed; tells the feed if that is because a frame was too large."""
        try:
            return await client.recv(decode=False)
        except ConnectionClosed as closed:
            if closed.sent is not None and closed.sent.code == CloseCode.MESSAGE_TOO_BIG:
                self.feed.refuse(TOO_LARGE, sender)
            raise

    def _mended_hello(self, frame: bytes, sender: Sender) -> Hello | None:
        """A publisher's hello that has a bad value."""
        found = mended_hello(frame) if b"hello" in frame else None
        if found is None:
            return None
        hello, faults = found
        self.feed.note_faults(faults, hello.source or sender.name)
        return hello

    async def _report_periodically(self) -> None:
        while True:
            await self._clock.sleep(self.config.report_s)
            self._log(status_line(self._measure()))

    def _measure(self) -> Any:
        return measure(self.feed, len(self.publishers), self.consoles)

    def _bind_error(self, error: OSError) -> str:
        where = f"{self.config.host}:{self.config.port}"
        if error.errno == errno.EADDRINUSE:
            return f"{where} is in use, maybe by another hub: stop that, or choose another --port"
        if error.errno == errno.EACCES:
            return f"this user may not listen on {where}: choose a --port of 1024 or higher"
        return f"cannot listen on {where}: {error.strerror or error}"


async def _is_full(client: Client, connected: Sized, limit: int, name: str) -> bool:
    """Whether `limit` clients are connected already; then closes this one."""
    if len(connected) < limit:
        return False
    await client.close(CloseCode.TRY_AGAIN_LATER, f"{limit} {name} are connected, the maximum of this hub")
    return True


def _new_session() -> Session:
    from voicetop.session import Session  # noqa: PLC0415 - the engine and numpy, when a hub really starts

    return Session()
