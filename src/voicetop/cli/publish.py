"""`voicetop publish FILE|-`: publishes JSON lines to a hub, in real time or faster, without loss."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import os
import sys
import threading
from collections.abc import AsyncGenerator
from typing import Any

from msgspec import Raw, Struct
from websockets.exceptions import ConnectionClosed

from voicetop.cli.replay import parse_speed
from voicetop.clock import Clock, WallClock
from voicetop.connection.address import DEFAULT_URL, check_token, check_url, client_tls
from voicetop.errors import FeedLost, UsageError
from voicetop.formatting.numbers import counted
from voicetop.publish.json_lines import InvalidLine, JsonLine, JsonLines, with_ts
from voicetop.publish.lossless import FRAME_EVENTS, LosslessPublisher

CHUNK = 64 * 1024
READ_AHEAD = 4
POLL_S = 0.5
NAMED_BAD_LINES = 20
PATIENCE_S = 60.0


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `voicetop publish`."""
    add = parser.add_argument
    add("file", metavar="FILE", help="JSON lines, one event per line; - for standard input")
    add("--url", default=os.environ.get("VOICETOP_URL", DEFAULT_URL), help=f"the hub (default {DEFAULT_URL})")
    add(
        "--speed",
        default="1",
        metavar="X",
        help="speed relative to the events' ts (0.5, 10, ...), or max",
    )
    add("--now", action="store_true", help="shift times so that the first event happens now")
    add(
        "--source",
        default="publish",
        metavar="NAME",
        help="name of this publisher at the hub (default publish)",
    )
    add("--token", metavar="T", help="the publisher's token (better: VOICETOP_TOKEN)")
    add("--cafile", metavar="PEM", help="CA certificates for wss://")


def run(args: argparse.Namespace) -> int:
    """Publish all lines; returns 1 if some were invalid."""
    speed = parse_speed(args.speed)
    token = check_token(args.token or os.environ.get("VOICETOP_TOKEN"))
    tls = client_tls(check_url(args.url), args.cafile)
    file = _open(args.file)
    clock = WallClock()
    sender = LineSender(args.url, token, args.source, clock, ssl=tls)
    try:
        told = asyncio.run(Pump(sender, clock, speed=speed, now=args.now).run(file))
    finally:
        if file:
            os.close(file)
    sys.stderr.write(f"voicetop: {told.in_words()}\n")
    return 1 if told.bad else 0


def _open(name: str) -> int:
    if name == "-":
        return 0
    try:
        if os.path.isdir(name):  # noqa: PTH112 - next to os.open
            raise UsageError(f"{name} is a folder: name a file with JSON lines, or - for standard input")
        return os.open(name, os.O_RDONLY)
    except OSError as error:
        raise UsageError(f"{name}: {(error.strerror or 'cannot be read').lower()}") from None


class PublishCounts(Struct):
    """What came of it. `ignored` are lines that only a hub may say, as in a recording."""

    events: int = 0
    bad: int = 0
    ignored: int = 0

    def in_words(self) -> str:
        words = f"published {counted(self.events, 'event')}"
        if self.ignored:
            words += f", ignored {counted(self.ignored, 'line')} that only a hub may send"
        return words + (f", skipped {counted(self.bad, 'bad line')}" if self.bad else "")


class LineSender(LosslessPublisher):
    """A publisher that knows when all it sent has been read."""

    async def keep_connected(self) -> None:
        """Come back where the connection was lost. Raises FeedLost where the hub stays away."""
        if not self.lost:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self.reconnect(())
        except TimeoutError:
            raise FeedLost(
                f"no hub at {self.url} for {PATIENCE_S:.0f} s: gave up, the rest was not sent"
            ) from None

    async def flush(self) -> None:
        """Wait until the hub has read everything, over as many connections as it takes."""
        while self._unread:
            await self.keep_connected()
            try:
                await self._ping()
                await self._await_pong()
            except ConnectionClosed:
                await self._clock.sleep(0.01)  # until the loss is noticed everywhere


class Pump:
    """Lines in, frames out: what is due together goes together, and a hub that reads slowly slows the reading."""

    def __init__(self, sender: LineSender, clock: Clock, *, speed: float, now: bool) -> None:
        self.told = PublishCounts()
        self._sender = sender
        self._clock = clock
        self._speed = speed
        self._now = now
        self._first_ts = math.nan
        self._begun = 0.0
        self._began_at = 0.0
        self._due: list[Any] = []

    async def run(self, file: int) -> PublishCounts:
        """Publish everything in `file`, an open file descriptor. Raises FeedLost and FeedRefused."""
        await self._sender.open()
        lines = JsonLines()
        try:
            async with contextlib.aclosing(_chunks(file)) as chunks:
                async for chunk in chunks:
                    for line in lines.end() if chunk == b"" else lines.feed(chunk or b""):
                        await self._take(line)
                    await self._send()
            await self._sender.flush()
        finally:
            self.told.ignored = lines.ignored
            await self._sender.close()
        return self.told

    async def _take(self, line: JsonLine | InvalidLine) -> None:
        if isinstance(line, InvalidLine):
            self._name(line)
            return
        wait = self._wait_for(line)
        if wait > 0 or len(self._due) >= FRAME_EVENTS:
            await self._send()
        while wait > 0:
            await self._clock.sleep(min(wait, POLL_S))
            await self._sender.keep_connected()
            wait = self._wait_for(line)
        self._due.append(Raw(with_ts(line, self._moved_ts(line)).raw if self._now else line.raw))

    async def _send(self) -> None:
        await self._sender.keep_connected()
        due, self._due = self._due, []
        await self._sender.send(due)
        self.told.events += len(due)

    def _wait_for(self, line: JsonLine) -> float:
        """Seconds until it is due; the first line sets the time."""
        if math.isnan(self._first_ts):
            self._first_ts = line.ts
            self._begun, self._began_at = self._clock.monotonic(), self._clock.time()
        return (line.ts - self._first_ts) / self._speed - (self._clock.monotonic() - self._begun)

    def _moved_ts(self, line: JsonLine) -> float:
        return round(self._began_at + (line.ts - self._first_ts) / self._speed, 3)

    def _name(self, line: InvalidLine) -> None:
        self.told.bad += 1
        if self.told.bad <= NAMED_BAD_LINES:
            sys.stderr.write(f"voicetop: line {line.number:,}: {line.why}\n")
        elif self.told.bad == NAMED_BAD_LINES + 1:
            sys.stderr.write("voicetop: further bad lines are only counted\n")


async def _chunks(file: int) -> AsyncGenerator[bytes | None, None]:
    """What is read, as it comes, then one empty chunk; None while nothing comes, to look at other things.

    A quiet pipe blocks a thread that nobody waits for.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes | OSError] = asyncio.Queue()
    room = threading.Semaphore(READ_AHEAD)

    def read() -> None:
        chunk: bytes | OSError = b" "
        with contextlib.suppress(RuntimeError):  # the loop is over
            while chunk and isinstance(chunk, bytes):
                room.acquire()
                try:
                    chunk = os.read(file, CHUNK)
                except OSError as error:
                    chunk = error
                loop.call_soon_threadsafe(queue.put_nowait, chunk)

    threading.Thread(target=read, name="voicetop-lines", daemon=True).start()
    while True:
        try:
            async with asyncio.timeout(POLL_S):
                chunk = await queue.get()
        except TimeoutError:
            yield None
            continue
        room.release()
        if isinstance(chunk, OSError):
            raise UsageError(f"cannot read further: {chunk.strerror}")
        yield chunk
        if not chunk:
            return
