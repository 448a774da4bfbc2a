"""The feed of a hub over a websocket: reconnects by itself, resumes where it was, and says when it is blind.

Frames come out in folding order. The hub's gaps, and heartbeats while the hub is silent, come as `local` batches: they
are in the recording like everything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl as tls
from collections.abc import AsyncGenerator, Callable
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw, Struct
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from voicetop.clock import Clock, WallClock
from voicetop.connection.address import check_token, check_url, client_tls
from voicetop.connection.backoff import Backoff
from voicetop.connection.connect import connect_to
from voicetop.connection.refusals import FAILURES, failure_of
from voicetop.errors import FeedLost, FeedRefused
from voicetop.sources import LinkState
from voicetop.sources.operator_events import PendingActs
from voicetop.wire.batches import UNDECODABLE
from voicetop.wire.events import PROTOCOL_VERSION, Event, Gap, Heartbeat, Operator
from voicetop.wire.frames import (
    ROLES_HEADER,
    DeliveryReport,
    Duty,
    Hello,
    RawBatch,
    Resume,
    StateRequest,
    WelcomeHead,
)

MAX_WELCOME = 512 * 1024 * 1024
"""A welcome with the state of 100,000 live calls is some tens of MB."""

SILENT_AFTER_S = 1.5
HEARTBEAT_S = 0.25
PAUSED_S = 1.0
"""A heartbeat of our own that is this late means that this process stood still (a large state, a suspended machine)."""
QUEUED_FRAMES = 64
ASK_EVERY_S = 60.0


class _BatchHead(Struct, frozen=True, tag_field="type", tag="batch"):
    seq: int
    at: list[tuple[float, int]]


_head_decoder = msgspec.json.Decoder(_BatchHead | WelcomeHead | Gap | Duty | DeliveryReport)


class SocketSource:
    """A `Source`, and `Acting`. Raises UsageError at once for a URL, token or certificate that cannot work.

    `frames()` ends with FeedRefused when the hub refuses; a lost connection doesn't end it. Without a `role` it asks
    for the highest that the hub offers to its token: operator, else viewer.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        role: str = "",
        *,
        clock: Clock | None = None,
        ssl: tls.SSLContext | None = None,
        backoff: Backoff | None = None,
        silent_after_s: float = SILENT_AFTER_S,
    ) -> None:
        self.url = check_url(url)
        self.epoch = ""
        self.seq = 0
        self.on_duty = True
        """For a watcher: whether it is on duty, as the hub said last."""
        self.on_delivery_report: Callable[[DeliveryReport], None] = lambda _: None
        """For a watcher: called with the delivery reports of others."""
        self._token = check_token(token)
        self._requested_role = role
        self.role = role
        self._clock = clock or WallClock()
        self._tls = ssl or client_tls(url)
        self._backoff = backoff or Backoff()
        self._silent_after = silent_after_s
        self._link = LinkState(where=urlsplit(url).netloc)
        self._frames: asyncio.Queue[bytes | FeedRefused] = asyncio.Queue(QUEUED_FRAMES)
        self._connection: ClientConnection | None = None
        self._pending_acts = PendingActs()
        self._at = self._clock.time()
        self._heard_at = self._clock.monotonic()
        self._has_local_time = False
        self._state_asked_at = -ASK_EVERY_S
        self.wants_state = False
        """Whether to ask the hub for its state, for a recording's next file to begin with."""

    @property
    def link(self) -> LinkState:
        return self._link

    @property
    def silent_s(self) -> float:
        """Seconds since the hub's last frame; a connection may hang for a minute before it is known to be broken."""
        return self._clock.monotonic() - self._heard_at

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Welcomes and batches, for as long as the caller iterates. Raises FeedRefused."""
        tasks = [
            asyncio.create_task(self._keep_connected()),
            asyncio.create_task(self._heartbeat_when_silent()),
        ]
        try:
            while True:
                frame = await self._frames.get()
                if isinstance(frame, FeedRefused):
                    raise frame
                yield frame
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._link.phase != "refused":
                self._link = LinkState("ended", where=self._link.where)

    @property
    def refusal(self) -> str:
        """Why the hub would not accept an act now; empty if it would."""
        if self._connection is None or self._link.phase != "live":
            return f"no connection to {self._link.where}: nothing was sent; try again when it is back"
        if self.role != "operator":
            only = "a viewer's token is read-only" if self._token else "your access is read-only"
            return f"{self._link.where}: {only}; use an operator's token to act"
        return ""

    async def act(self, act: Operator) -> None:
        """Send an operator's act to the hub, and again over the next connection if this one breaks before the feed
        returns it. Raises FeedLost if there is no connection.
        """
        if self._connection is None:
            raise FeedLost(f"no connection to {self.url}: nothing was sent")
        frame = self._pending_acts.add(act)
        with contextlib.suppress(ConnectionClosed):
            await self._connection.send(frame, text=True)

    async def share(self, report: DeliveryReport) -> None:
        """For a watcher: send a delivery report to the others; dropped if there is no connection."""
        if self._connection is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._connection.send(msgspec.json.encode(report), text=True)

    async def _keep_connected(self) -> None:
        try:
            while True:
                why = await self._run_connection()
                wait = self._backoff.next()
                retry_at = self._clock.time() + wait
                self._link = LinkState("reconnecting", self._backoff.tries, retry_at, why, self._link.where)
                await self._clock.sleep(wait)
        except FeedRefused as refusal:
            self._link = LinkState("refused", why=str(refusal), where=self._link.where)
            await self._frames.put(refusal)
        except Exception as error:  # noqa: BLE001 - a feed that ends silently would look like a calm night
            await self._frames.put(FeedRefused(f"the feed of {self.url} failed here: {error!r}"))

    async def _run_connection(self) -> str:
        """One connection from beginning to end; returns why it ended. Raises FeedRefused."""
        connecting = connect_to(self.url, self._token, self._tls, max_size=MAX_WELCOME, max_queue=8)
        try:
            async with connecting as connection:
                self.role = self._requested_role or _highest_role(connection)
                await connection.send(msgspec.json.encode(self._hello()), text=True)
                self._connection = connection
                await self._receive(connection)
        except FAILURES as error:
            failure = failure_of(error, self.url, has_token=bool(self._token), has_answered=bool(self.epoch))
            if isinstance(failure, FeedRefused):
                raise failure from None
            return str(failure)
        finally:
            self._connection = None
        return "the connection ended"

    def _hello(self) -> Hello:
        resume = Resume(self.epoch, self.seq) if self.epoch else None
        return Hello(role=self.role, protocol=PROTOCOL_VERSION, resume=resume)

    async def _receive(self, connection: ClientConnection) -> None:
        while True:
            frame = await connection.recv(decode=False)
            try:
                head = _head_decoder.decode(frame)
            except UNDECODABLE:
                raise FeedRefused(f"{self.url} sent something that is not a frame of the protocol") from None
            self._heard_at = self._clock.monotonic()
            if isinstance(head, _BatchHead):
                self._pending_acts.confirm(frame)
                await self._on_batch(head, frame)
                await self._ask_for_state(connection)
            elif isinstance(head, WelcomeHead):
                await self._on_welcome(head, frame)
                await self._resend_acts(connection)
            elif isinstance(head, Duty):
                self.on_duty = head.on
            elif isinstance(head, DeliveryReport):
                self.on_delivery_report(head)
            else:
                await self._frames.put(self._local(head))

    async def _ask_for_state(self, connection: ClientConnection) -> None:
        """Alerts and incident numbers may differ from the hub's after local heartbeats. Asks at most once a minute,
        in case the hub is too busy to answer in time.
        """
        now = self._clock.monotonic()
        if (self._has_local_time or self.wants_state) and now >= self._state_asked_at + ASK_EVERY_S:
            self._state_asked_at = now
            await connection.send(msgspec.json.encode(StateRequest()), text=True)

    async def _resend_acts(self, connection: ClientConnection) -> None:
        """Send what a broken connection may have lost."""
        if self.role == "operator":
            for act in self._pending_acts:
                await connection.send(act, text=True)

    async def _on_welcome(self, head: WelcomeHead, frame: bytes) -> None:
        if head.protocol != PROTOCOL_VERSION:
            raise FeedRefused(
                f"{self.url} uses protocol {head.protocol}, this voicetop {PROTOCOL_VERSION}: update one of them"
            )
        self.epoch, self.seq = head.epoch, head.seq
        self._at = head.at or self._at
        self._has_local_time = self._has_local_time and memoryview(head.state).nbytes <= len('""')
        await self._frames.put(frame)

    async def _on_batch(self, head: _BatchHead, frame: bytes) -> None:
        """A hub never leaves a hole between batches; should one appear, report it as a gap."""
        count = sum(count for _, count in head.at)
        if head.seq + count - 1 <= self.seq:
            return
        if head.seq > self.seq + 1:
            await self._frames.put(
                self._local(Gap(ts=self._at, from_seq=self.seq + 1, to_seq=head.seq - 1, why="slow"))
            )
        self.seq = head.seq + count - 1
        self._at = head.at[-1][0]
        self._backoff.reset()
        if self._link.phase != "live":
            self._link = LinkState("live", where=self._link.where)
        await self._frames.put(frame)

    async def _heartbeat_when_silent(self) -> None:
        """Keep time moving without the hub: our own heartbeats, continuing from the hub's last stamp.

        After a pause of this process, first read what arrived meanwhile: the hub wasn't silent.
        """
        awake, paused = self._clock.monotonic(), False
        while True:
            await self._clock.sleep(HEARTBEAT_S)
            before, awake = awake, self._clock.monotonic()
            paused = awake - before > PAUSED_S and not paused
            silent = self.silent_s
            if paused:
                continue
            if silent >= self._silent_after and self._frames.empty():
                self._has_local_time = self._has_local_time or bool(self.epoch)
                await self._frames.put(self._local(Heartbeat(ts=self._at + silent, seq=self.seq, local=True)))

    def _local(self, event: Event) -> bytes:
        raw = Raw(msgspec.json.encode(event))
        return msgspec.json.encode(RawBatch(seq=self.seq, at=[(event.ts, 1)], events=[raw], local=True))


def _highest_role(connection: ClientConnection) -> str:
    """The highest role that a hub offers; viewer if it offers nothing."""
    offered = connection.response.headers.get(ROLES_HEADER, "") if connection.response else ""
    return "operator" if "operator" in offered.split(", ") else "viewer"
