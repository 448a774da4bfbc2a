"""One console: its welcome, its sender over the shared backlog, and the operator's actions that come back.

The cost of a console that doesn't read is bounded: the kernel's send buffer (`SEND_BUFFER`, doubled by Linux), one
batch in the transport's buffer, and that batch itself if the backlog has moved on. A large state is sent in
fragments, so a console that stalls in the middle of it holds one fragment.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import msgspec
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from voicetop.hub.access import Client
from voicetop.hub.config import Role
from voicetop.hub.feed import Audience, Feed
from voicetop.hub.hub_session import JoinPoint
from voicetop.hub.validation import Sender
from voicetop.wire.batches import after_seq
from voicetop.wire.events import Gap, Operator
from voicetop.wire.frames import DeliveryReport, Resume, StateRequest

SEND_BUFFER = 128 * 1024
FRAGMENT = 64 * 1024

_control_decoder = msgspec.json.Decoder(StateRequest | DeliveryReport)
_operator_decoder = msgspec.json.Decoder(Operator | list[Operator])


class ConsoleConnection:
    """`seq` is the last stamp sent; `index` is the next batch to send."""

    def __init__(
        self,
        client: Client,
        role: Role,
        feed: Feed,
        *,
        welcome_s: float,
        log: Callable[[str], None],
        on_delivery_report: Callable[[ConsoleConnection, DeliveryReport], None] = lambda *_: None,
    ) -> None:
        self.name = peer_name(client)
        self.client = client
        self.role = role
        self.seq = 0
        self.index = 0
        self.gaps = 0
        self._feed = feed
        self._welcome_s = welcome_s
        self._log = log
        self._on_delivery_report = on_delivery_report
        self._wants_state = False
        self._audience: Audience = feed.viewers if role == "viewer" else feed.everybody

    @property
    def lag_s(self) -> float:
        """Seconds that the next batch has been waiting."""
        return self._feed.backlog.lag_s(self.index, self._feed.stamper.now())

    async def run(self, resume: Resume | None) -> None:
        """Serve the console until its connection ends."""
        _bound_buffers(self.client)
        tasks = [asyncio.create_task(self._send(resume)), asyncio.create_task(self._listen())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _send(self, resume: Resume | None) -> None:
        backlog = self._feed.backlog
        await self._send_welcome(resume)
        join_point: JoinPoint | None = None
        while True:
            await backlog.wait_for(self.index)
            if self._wants_state and join_point is None:
                join_point = await self._join_point_ahead()
            if join_point is not None and self.index == join_point.index:
                await self._send_state(join_point)
                join_point, self._wants_state = None, False
                continue
            entry = backlog.get(self.index)
            if entry is None:
                self._log(f"console {self.name} read too slowly and starts again")
                await self._restart("slow")
                join_point, self._wants_state = None, False
                continue
            frame = self._audience.frame(entry)
            if entry.first <= self.seq:
                frame = after_seq(frame, self.seq)
            await self.client.send(frame, text=True)
            self.seq = entry.last
            self.index += 1
            if self.index < backlog.end:
                await asyncio.sleep(0)  # catching up: let other consoles go first

    async def _send_welcome(self, resume: Resume | None) -> None:
        if resume is None:
            await self._send_state(await self._join_point())
            return
        self.seq = resume.seq
        if resume.epoch != self._feed.stamper.epoch:
            await self._restart("epoch")
            return
        index = self._feed.backlog.index_after(resume.seq)
        if index is None:
            await self._restart("evicted")
            return
        self.index = index
        await self._send_fragments(self._feed.welcome(resume.seq, self._feed.stamper.now()))

    async def _restart(self, why: str) -> None:
        """Send a gap, then the state. After a change of epoch the number of missed events is unknown: claim none."""
        self.gaps += 1
        join_point = await self._join_point()
        missed_to = self.seq if why == "epoch" else max(join_point.seq, self.seq)
        gap = Gap(ts=self._feed.stamper.now(), from_seq=self.seq + 1, to_seq=missed_to, why=why)
        await self.client.send(msgspec.json.encode(gap), text=True)
        await self._send_state(join_point)

    async def _join_point(self) -> JoinPoint:
        return await self._audience.session.join_point(self._feed.backlog.start)

    async def _join_point_ahead(self) -> JoinPoint:
        """A state that this console will reach in its feed."""
        while True:
            join_point = await self._audience.session.join_point(max(self._feed.backlog.start, self.index))
            if join_point.index >= self.index:
                return join_point

    async def _send_state(self, join_point: JoinPoint) -> None:
        self.seq, self.index = join_point.seq, join_point.index
        try:
            async with asyncio.timeout(self._welcome_s):
                await self._send_fragments(join_point.welcome)
        except TimeoutError:
            self._log(f"console {self.name} didn't accept the state within {self._welcome_s:.0f} s: closed")
            self.client.transport.abort()
            raise

    async def _send_fragments(self, frame: bytes) -> None:
        if len(frame) <= FRAGMENT:
            await self.client.send(frame, text=True)
        else:
            await self.client.send(_fragments(frame), text=True)

    async def _listen(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                frame = await self.client.recv(decode=False)
                if self._handle_control(frame):
                    continue
                refusal = self._refusal(frame)
                if refusal:
                    await self.client.close(CloseCode.POLICY_VIOLATION, refusal)
                    return
                await self._feed.receive(frame, Sender(self.name, may_operate=True))

    def _handle_control(self, frame: bytes) -> bool:
        """Whether a frame was a message between console and hub that is not part of the feed."""
        try:
            message = _control_decoder.decode(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        if isinstance(message, StateRequest):
            self._wants_state = True
            return True
        if self.role == "watcher":
            self._on_delivery_report(self, message)
            return True
        return False

    def _refusal(self, frame: bytes) -> str:
        """Why this connection may not send `frame`; empty if it may."""
        if self.role != "operator":
            return f"only an operator may act, and this connection is a {self.role}'s"
        try:
            _operator_decoder.decode(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return "a console sends 'operator' events only; publishers connect to /publish"
        return ""


def _bound_buffers(client: Client) -> None:
    sock = client.transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)


def _fragments(frame: bytes) -> Iterator[memoryview]:
    view = memoryview(frame)
    for start in range(0, len(view), FRAGMENT):
        yield view[start : start + FRAGMENT]


def peer_name(client: Client) -> str:
    """A client's address for logs."""
    address = client.remote_address
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "a closed connection"
