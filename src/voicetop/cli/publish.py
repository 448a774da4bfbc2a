"""`voicetop publish FILE|-`: publishes JSON lines to a hub, in real time or faster, without loss."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import os
import stat
import threading
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

from msgspec import Raw, Struct

from voicetop.cli.ending import run_until_signal
from voicetop.cli.log import say
from voicetop.cli.publish_check import check
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
STATUS_S = 5.0
MAX_CALLS = 100_000


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
    add("--check", action="store_true", help="only say what is wrong with the events; needs no hub")
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
    if args.check:
        return _check(args.file)
    speed = parse_speed(args.speed)
    token = check_token(args.token or os.environ.get("VOICETOP_TOKEN"))
    tls = client_tls(check_url(args.url), args.cafile)
    file = _open(args.file)
    clock = WallClock()
    sender = LineSender(args.url, token, args.source, clock, ssl=tls)
    try:
        told = run_until_signal(Pump(sender, clock, speed=speed, now=args.now).run(file))
    finally:
        if file:
            os.close(file)
    say(told.in_words())
    return 1 if told.bad else 0


def _check(name: str) -> int:
    file = _open(name)
    try:
        return check(file, "standard input" if name == "-" else name)
    finally:
        if file:
            os.close(file)


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
    repaired: int = 0

    def in_words(self) -> str:
        words = f"published {counted(self.events, 'event')}"
        if self.repaired:
            words += f", {self.repaired:,} of them repaired"
        if self.ignored:
            words += f", ignored {counted(self.ignored, 'line')} that only a hub may send"
        return words + (f", skipped {counted(self.bad, 'bad line')}" if self.bad else "")


class LineSender(LosslessPublisher):
    """A publisher of lines, which also says how it is: on connecting, every 5 s, and when it leaves.

    Where lines are statuses of other sources, as in a recording, these leave with it: nobody else speaks for them.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._reported = 0.0
        self._live: dict[str, str] = {}
        self._others: set[str] = set()

    async def open(self) -> None:
        await super().open()
        await self._report()

    async def keep_connected(self) -> None:
        """Come back where the connection was lost. Raises FeedLost where the hub stays away."""
        if self.lost:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self.reconnect(())
            except TimeoutError:
                raise FeedLost(
                    f"no hub at {self.url} for {PATIENCE_S:.0f} s: gave up, the rest was not sent"
                ) from None
        elif self._clock.monotonic() - self._reported >= STATUS_S:
            await self._report()

    async def _report(self) -> None:
        self._reported = self._clock.monotonic()
        await self.send_status()

    def count(self, line: JsonLine) -> None:
        """Keep account of the calls and sources that the lines speak of, as far as they can be many."""
        if line.kind == "call.start" and len(self._live) < MAX_CALLS:
            self._live[line.call_id] = line.source
        elif line.kind == "call.end":
            self._live.pop(line.call_id, None)
        elif line.kind == "source.status" and line.source not in ("", self._source):
            self._others.discard(line.source)
            if not line.leaving and len(self._others) < MAX_CALLS:
                self._others.add(line.source)
        self.active_calls = len(self._live)

    def end_of_file(self) -> None:
        """A file that ends within calls says no more of them: nobody is on the line."""
        self._live.clear()
        self.active_calls = 0

    async def _leave(self) -> None:
        calls = Counter(self._live.values())
        farewells = [
            self._status(source=name, active_calls=calls[name], leaving=True) for name in sorted(self._others)
        ]
        await self.send(farewells)
        await self.flush()
        await super()._leave()


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
            if stat.S_ISREG(os.fstat(file).st_mode):
                self._sender.end_of_file()
            await self._sender.flush()
        finally:
            self.told.ignored = lines.ignored
            await self._sender.close()
        return self.told

    async def _take(self, line: JsonLine | InvalidLine) -> None:
        if isinstance(line, InvalidLine):
            self.told.bad += 1
            self._name(line)
            return
        if line.why:
            self.told.repaired += 1
            self._name(line)
        self._sender.count(line)
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

    def _name(self, line: InvalidLine | JsonLine) -> None:
        named = self.told.bad + self.told.repaired
        if named <= NAMED_BAD_LINES:
            say(f"line {line.number:,}: {line.why}")
        elif named == NAMED_BAD_LINES + 1:
            say("further bad lines are only counted")


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
