"""A publisher's connection that loses nothing, for senders that can wait for the hub: a simulation, a file.

Frames are kept until a pong confirms that they were read (pongs are answered in order), and sent again on the next
connection; the hub drops duplicates by `event_id`. A hub that reads slowly slows the sender down. The last thing that
the hub hears is a farewell.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl as tls
from collections import deque
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from voicetop.clock import Clock
from voicetop.connection.address import check_token, check_url, client_tls
from voicetop.connection.backoff import Backoff
from voicetop.connection.connect import connect_to
from voicetop.connection.refusals import FAILURES, closed_failure, failure_of
from voicetop.errors import FeedLost, FeedRefused
from voicetop.publish.encoding import FRAME_BYTES
from voicetop.publish.undelivered import no_answer, warn_of_undelivered
from voicetop.wire.events import Event, SourceStatus
from voicetop.wire.frames import Hello

FRAME_EVENTS = 512
PING_S = 0.5
GOODBYE_S = 5.0
"""How long `close` waits for the hub to read what was sent, unless told otherwise."""
ABSENT_S = 3.0
"""How much of that if the connection is lost: the hub may be restarting."""
MAX_FRAME_BYTES = 4 * FRAME_BYTES
MAX_UNREAD_BYTES = 16 * 1024 * 1024


class SentFrames(Struct):
    """What has been sent so far. `why` is how the last connection ended."""

    events: int = 0
    frames: int = 0
    connections: int = 0
    why: str = ""


class _Unread(Struct, frozen=True):
    """A frame that the hub hasn't confirmed, and how many events are in it."""

    frame: bytes
    events: int


class LosslessPublisher:
    """One publisher's connection: `open` it, `send` events, `close` it; call `reconnect` when it is `lost`.

    `active_calls` is what it says of its calls when it leaves.

    Raises UsageError at once for a URL or token that cannot work, FeedLost if the first connection fails,
    FeedRefused whenever the hub refuses.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        source: str,
        clock: Clock,
        *,
        ssl: tls.SSLContext | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.url = check_url(url)
        self.sent = SentFrames()
        self.active_calls = 0
        self._token = check_token(token)
        self._source = source
        self._clock = clock
        self._tls = ssl or client_tls(url)
        self._backoff = backoff or Backoff()
        self._encoder = msgspec.json.Encoder()
        self._connection: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._run = secrets.token_hex(6)
        self._statuses = 0
        self._unread: deque[_Unread] = deque()
        self._unread_bytes = 0
        self._pongs: deque[tuple[asyncio.Future[float], int]] = deque()
        self._frames_sent = 0
        self._frames_read = 0
        self._pinged = 0.0

    async def open(self) -> None:
        """Connect and say hello. Raises FeedLost and FeedRefused."""
        try:
            connection = await connect_to(self.url, self._token, self._tls, close_timeout=2)
        except FAILURES as error:
            failure = failure_of(error, self.url, has_token=bool(self._token))
            if isinstance(failure, FeedRefused):
                raise failure from None
            raise FeedLost(f"no hub at {self.url} ({failure}): start one with `voicetop serve`") from None
        self._connection = connection
        self.sent.connections += 1
        self._pongs.clear()
        self._frames_sent = self._frames_read = 0
        self._pinged = self._clock.monotonic()
        self._reader = asyncio.create_task(_discard_incoming(connection))
        hello = self._encoder.encode(Hello(role="publisher", source=self._source))
        with contextlib.suppress(
            ConnectionClosed
        ):  # a hub that closes at once shows as `lost`, with its reason
            await connection.send(hello, text=True)

    async def send(self, events: Sequence[Event]) -> None:
        """Send all events, in frames of at most 512, waiting as long as it takes. Raises FeedRefused."""
        for start in range(0, len(events), FRAME_EVENTS):
            for unread in self._frames_of(events[start : start + FRAME_EVENTS]):
                self.sent.frames += 1
                self.sent.events += unread.events
                await self._send_frame(unread)

    def _frames_of(self, events: Sequence[Event]) -> Iterator[_Unread]:
        """One frame, or halves if that would be too long for a hub."""
        frame = self._encoder.encode(events)
        if len(frame) <= MAX_FRAME_BYTES or len(events) < 2:
            yield _Unread(frame, len(events))
            return
        half = len(events) // 2
        yield from self._frames_of(events[:half])
        yield from self._frames_of(events[half:])

    async def send_status(self, *, leaving: bool = False) -> None:
        """Tell the hub how this publisher is, if it is connected."""
        if self._connection is None:
            return
        status = self._status(source=self._source, active_calls=self.active_calls, leaving=leaving)
        frame = self._encoder.encode([status])
        with contextlib.suppress(ConnectionClosed):
            await self._connection.send(frame, text=True)

    def _status(self, *, source: str, active_calls: int, leaving: bool) -> SourceStatus:
        self._statuses += 1
        return SourceStatus(
            ts=self._clock.time(),
            event_id=f"{self._run}-status-{self._statuses}",
            source=source,
            active_calls=active_calls,
            queue=self.unread,
            leaving=leaving,
        )

    @property
    def unread(self) -> int:
        """Events that the hub hasn't confirmed."""
        return sum(frame.events for frame in self._unread)

    async def flush(self) -> None:
        """Wait until the hub has read everything, over as many connections as it takes. Raises FeedRefused."""
        while self._unread:
            await self.keep_connected()
            try:
                await self._ping()
                await self._await_pong()
            except ConnectionClosed:
                await self._clock.sleep(0.01)  # until the loss is noticed everywhere

    async def keep_connected(self) -> None:
        """Come back if the connection is lost. Raises FeedRefused."""
        if self.lost:
            await self.reconnect(())

    async def close(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - as the other publishers
        """Flush, say goodbye and close, within `timeout` seconds. True if the hub has read everything.

        Logs a warning if it hasn't.
        """
        limit_s = (ABSENT_S if self.lost else GOODBYE_S) if timeout is None else timeout
        try:
            async with asyncio.timeout(limit_s):
                await self.flush()
                await self._leave()
        except (FeedLost, FeedRefused) as failure:
            self.sent.why = str(failure)
        except TimeoutError:
            self.sent.why = self.sent.why or no_answer(limit_s)
        if self._connection is not None:
            await self._connection.close()
        if self._reader is not None:
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._unread:
            warn_of_undelivered(self.unread, self.url, self.sent.why)
        return not self._unread

    async def _leave(self) -> None:
        with contextlib.suppress(FeedLost, ConnectionClosed):
            if self.lost and self.sent.connections:
                await self.open()
            if not self.lost:
                await self.send_status(leaving=True)
                await self._ping()
                await self._await_pong()

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""
        return self._reader is None or self._reader.done()

    async def reconnect(self, announcements: Sequence[Event]) -> None:
        """Connect again, however long it takes; send the announcements, then what may not have been read."""
        await self._reopen()
        unread, self._unread, self._unread_bytes = self._unread, deque(), 0
        try:
            await self.send(announcements)
            while unread:
                await self._send_frame(unread.popleft())
        finally:
            self._unread.extend(unread)

    async def _reopen(self) -> None:
        if self._connection is not None:
            failure = closed_failure(self.url, self._connection.close_code, self._connection.close_reason)
            if isinstance(failure, FeedRefused):
                raise failure
            self.sent.why = str(failure)
            self._connection = None
        while True:
            await self._clock.sleep(self._backoff.next())
            try:
                await self.open()
            except FeedLost as lost:
                self.sent.why = str(lost)
            else:
                return

    async def _send_frame(self, unread: _Unread) -> None:
        """Send one frame; if that fails it stays unread until the next connection."""
        self._unread.append(unread)
        self._unread_bytes += len(unread.frame)
        if self._connection is None:
            return
        with contextlib.suppress(ConnectionClosed):
            await self._connection.send(unread.frame, text=True)
            self._frames_sent += 1
            if self._clock.monotonic() - self._pinged >= PING_S or self._unread_bytes >= MAX_UNREAD_BYTES:
                await self._ping()
            self._note_pongs()
            if self._unread_bytes >= MAX_UNREAD_BYTES:
                await self._await_pong()

    async def _ping(self) -> None:
        assert self._connection is not None
        self._pinged = self._clock.monotonic()
        self._pongs.append((asyncio.ensure_future(await self._connection.ping()), self._frames_sent))

    async def _await_pong(self) -> None:
        await self._pongs[-1][0]
        self._note_pongs()

    def _note_pongs(self) -> None:
        """Forget the frames that were sent before an answered ping."""
        while self._pongs and _is_answered(self._pongs[0][0]):
            _, upto = self._pongs.popleft()
            while self._frames_read < upto and self._unread:
                self._unread_bytes -= len(self._unread.popleft().frame)
                self._frames_read += 1
            self._backoff.reset()


def _is_answered(pong: asyncio.Future[float]) -> bool:
    return pong.done() and not pong.cancelled() and pong.exception() is None


async def _discard_incoming(connection: ClientConnection) -> None:
    """Read what the hub sends, so that its pongs get through; ends with the connection."""
    with contextlib.suppress(ConnectionClosed):
        async for _ in connection:
            pass
