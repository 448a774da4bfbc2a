"""The hub under load: many consoles, one of them stuck, 20,000 events a second.

    python benchmarks/hub.py [--events 20000] [--consoles 20] [--seconds 20] [--calls 5000] [--join-every 5]

Three processes: the hub with its own session, a publisher, and all consoles but one over plain sockets that parse no
more than the stamps (on two cores, real consoles would be what is measured). The stuck console never reads. Lag runs
from an event's stamp to its whole batch being read by a console; the batches gather for 20 ms of it. What is held for
the stuck console is what waits in the transport, in the kernel's send queue, and the batch that its sender is stuck
at. Every few seconds one more console joins, for whom the hub dumps its whole state, and leaves again. Goals: at most
1 MB for the stuck one, 200 ms at P99 for the others, nothing lost.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import fcntl
import multiprocessing as mp
import os
import re
import resource
import socket
import struct
import sys
import termios
import time
from multiprocessing.connection import Connection

import msgspec
from websockets.asyncio.client import connect

FRAME_EVENTS = 100
_HEAD = re.compile(rb'"seq":(\d+),"at":(\[\[[^"]*\]\])')

Percentiles = tuple[float, float, float]


# The hub.


def run_hub(pipe: Connection) -> None:
    sys.setswitchinterval(0.001)
    asyncio.run(_hub(pipe))


async def _hub(pipe: Connection) -> None:
    from voicetop.hub import Hub, HubConfig

    hub = Hub(HubConfig(port=0))
    await hub.start()
    pipe.send(hub.port)
    held, began, cpu = 0, time.monotonic(), _cpu()
    while not pipe.poll():
        await asyncio.sleep(0.1)
        held = max([held, *[_held(hub, console) for console in hub.consoles if console.lag_s > 1.0]])
    took = time.monotonic() - began
    hub.feed.seal()
    pipe.send(
        {
            "held": held,
            "cpu": (_cpu() - cpu) / took,
            "seq": hub.feed.stamper.seq,
            "events": hub.feed.validator.events,
            "gaps": sum(console.gaps for console in hub.consoles),
            "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "unfolded": hub.feed.everybody.session.queued,
        }
    )
    await asyncio.to_thread(pipe.recv)
    await asyncio.to_thread(pipe.recv)
    await hub.close()


def _held(hub: object, console: object) -> int:
    from voicetop.hub import Hub
    from voicetop.hub.console import ConsoleConnection

    assert isinstance(hub, Hub)
    assert isinstance(console, ConsoleConnection)
    sock = console.client.transport.get_extra_info("socket")
    queued = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
    entry = hub.feed.backlog.get(console.index)
    pinned = 192 * 1024 if entry is None else 0  # no longer in the shared backlog, or not for long
    return int(queued) + console.client.transport.get_write_buffer_size() + pinned


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


# The publisher.


def run_publisher(port: int, events_per_s: int, seconds: float, calls: int) -> None:
    asyncio.run(_publish(port, events_per_s, seconds, calls))


async def _publish(port: int, events_per_s: int, seconds: float, calls: int) -> None:
    frames_per_s = events_per_s / FRAME_EVENTS
    async with connect(f"ws://127.0.0.1:{port}/publish", compression=None, proxy=None) as hub:
        began = time.monotonic()
        for number in range(int(frames_per_s * seconds)):
            await asyncio.sleep(max(0.0, began + number / frames_per_s - time.monotonic()))
            await hub.send(frame_of(number * FRAME_EVENTS, time.time(), calls), text=True)


def frame_of(first: int, now: float, calls: int) -> bytes:
    return b"[%b]" % b",".join([_event(number, now, calls) for number in range(first, first + FRAME_EVENTS)])


def _event(number: int, now: float, calls: int) -> bytes:
    return (
        b'{"type":"turn","call_id":"call-%06d","ts":%.3f,"event_id":"ev-%010d","source":"agent-3","turn":%d,'
        b'"e2e_ms":%d.5,"measured_from":"vad_stop","latency":{"stt":180.25,"eou":60.5,"llm_ttft":420.75,'
        b'"tts_ttfb":130.5},"additive":true,"status":"ok","step":"collect"}'
    ) % (number % calls, now, number, number // calls, 500 + number % 700)


# The consoles.


class LeanConsole(asyncio.Protocol):
    """Reads websocket frames and notes the lag of every event, and whether the numbers follow on each other."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.opened = False
        self.head = b""
        self.seq = 0
        self.holes = 0
        self.bytes = 0
        self.lags: list[tuple[float, int]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(_handshake())

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.bytes += len(data)
        if not self.opened:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            assert self.buffer.startswith(b"HTTP/1.1 101")
            del self.buffer[: end + 4]
            self.opened = True
            self.transport.write(_text(b'{"type":"hello","role":"viewer"}'))
        while self._take_frame():
            pass

    def _take_frame(self) -> bool:
        buffer = self.buffer
        if len(buffer) < 10:
            return False
        length, start = buffer[1] & 127, 2
        if length == 126:
            length, start = int.from_bytes(buffer[2:4]), 4
        elif length == 127:
            length, start = int.from_bytes(buffer[2:10]), 10
        if len(buffer) < start + length:
            return False
        if buffer[0] & 15 == 9:
            self.transport.write(_masked(0x8A, bytes(buffer[start : start + length])))
        elif buffer[0] & 15 == 1:
            self.head = bytes(buffer[start : start + min(length, 8_192)])
        if buffer[0] & 128 and buffer[0] & 15 < 8:  # the last fragment
            self._note(self.head)
        del buffer[: start + length]
        return True

    def _note(self, head: bytes) -> None:
        if not head.startswith(b'{"type":"batch"'):
            found = re.search(rb'"seq":(\d+)', head)
            assert found
            self.holes += head.startswith(b'{"type":"gap"')
            self.seq = int(found[1])
            return
        batch = _HEAD.search(head)
        assert batch, head[:200]
        now, runs = time.time(), msgspec.json.decode(batch[2])
        self.holes += int(batch[1]) != self.seq + 1
        self.lags += [(now - at, count) for at, count in runs]
        self.seq = int(batch[1]) + sum(count for _, count in runs) - 1


def _handshake() -> bytes:
    key = base64.b64encode(os.urandom(16))
    return (
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n"
    ) % key


def _text(words: bytes) -> bytes:
    return _masked(0x81, words)


def _masked(first: int, words: bytes) -> bytes:
    return bytes([first, 0x80 | len(words), 0, 0, 0, 0]) + words  # a mask of zeros is a mask


def run_consoles(pipe: Connection, port: int, count: int, join_every: float) -> None:
    asyncio.run(_consoles(pipe, port, count, join_every))


async def _consoles(pipe: Connection, port: int, count: int, join_every: float) -> None:
    loop = asyncio.get_running_loop()
    consoles = [(await loop.create_connection(LeanConsole, "127.0.0.1", port))[1] for _ in range(count)]
    pipe.send("ready")
    joins: list[tuple[float, int]] = []
    joining = asyncio.create_task(_join_again_and_again(port, join_every, joins))
    last = await asyncio.to_thread(pipe.recv)
    joining.cancel()
    deadline = time.monotonic() + 10
    while any(console.seq < last for console in consoles) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    lags = sorted(lag for console in consoles for lag in console.lags)
    pipe.send(
        {
            "lags": percentiles(lags),
            "worst": max(percentiles(sorted(console.lags))[2] for console in consoles),
            "behind": sum(max(0, last - console.seq) for console in consoles),
            "holes": sum(console.holes for console in consoles),
            "bytes": sum(console.bytes for console in consoles),
            "joins": joins,
        }
    )


async def _join_again_and_again(port: int, every: float, joins: list[tuple[float, int]]) -> None:
    """Notes how long each welcome took, and its size."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(every)
        began = time.monotonic()
        transport, console = await loop.create_connection(LeanConsole, "127.0.0.1", port)
        while not console.seq:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        joins.append((time.monotonic() - began, console.bytes))
        transport.close()


def percentiles(lags: list[tuple[float, int]]) -> Percentiles:
    """P50, P99 and the greatest, over events, of sorted (lag, number of events)."""
    total, passed = sum(count for _, count in lags), 0
    found: list[float] = []
    for lag, count in lags:
        passed += count
        while len(found) < 2 and passed >= total * (0.5, 0.99)[len(found)]:
            found.append(lag)
    return found[0], found[1], lags[-1][0]


# All together.


def stuck_console(port: int) -> socket.socket:
    """Says hello and never reads."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(_handshake())
    assert sock.recv(4_096).startswith(b"HTTP/1.1 101")
    sock.sendall(_text(b'{"type":"hello","role":"viewer"}'))
    return sock


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=20_000, help="a second")
    parser.add_argument("--consoles", type=int, default=20, help="one of them stuck")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--calls", type=int, default=5_000, help="live at once")
    parser.add_argument("--join-every", type=float, default=5.0, metavar="S")
    args = parser.parse_args()
    context = mp.get_context("spawn")
    hub_end, hub_pipe = context.Pipe()
    consoles_end, consoles_pipe = context.Pipe()
    hub = context.Process(target=run_hub, args=(hub_pipe,), daemon=True)
    hub.start()
    port = hub_end.recv()
    consoles = context.Process(
        target=run_consoles, args=(consoles_pipe, port, args.consoles - 1, args.join_every), daemon=True
    )
    consoles.start()
    consoles_end.recv()
    stuck = stuck_console(port)
    publisher = context.Process(
        target=run_publisher, args=(port, args.events, args.seconds, args.calls), daemon=True
    )
    began = time.monotonic()
    publisher.start()
    publisher.join()
    took = time.monotonic() - began
    time.sleep(0.5)
    hub_end.send("stop")
    of_hub = hub_end.recv()
    consoles_end.send(of_hub["seq"])
    of_consoles = consoles_end.recv()
    stuck.close()
    hub_end.send("bye")
    hub_end.send("bye")
    report(args, of_hub, of_consoles, took)
    hub.join(10)


def report(args: argparse.Namespace, of_hub: dict, of_consoles: dict, took: float) -> None:  # type: ignore[type-arg]
    sent = int(args.events / FRAME_EVENTS * args.seconds) * FRAME_EVENTS
    p50, p99, worst = (1000 * lag for lag in of_consoles["lags"])
    size = len(_event(1, time.time(), args.calls))
    print(
        f"{args.consoles} consoles, one of them stuck; {sent / took:,.0f} events/s of {size} B for {took:.0f} s"
    )
    print(
        f"  held for the stuck console   {of_hub['held'] / 1e6:8.2f} MB    goal 1 MB, {of_hub['held'] / 1e6:.2f} of it"
    )
    print(f"  lag of the others, P50       {p50:8.1f} ms")
    print(f"  lag of the others, P99       {p99:8.1f} ms    goal 200 ms, {p99 / 200:.2f} of it")
    print(f"  lag of the others, greatest  {worst:8.1f} ms")
    print(f"  events lost before the hub   {sent - of_hub['events']:8,}")
    print(f"  events lost behind it        {of_consoles['behind']:8,}       and {of_consoles['holes']} holes")
    print(f"  sent to consoles             {of_consoles['bytes'] / took / 1e6:8.1f} MB/s")
    for took_s, bytes_sent in sorted(of_consoles["joins"])[-1:]:
        print(
            f"  slowest of {len(of_consoles['joins'])} who joined       {took_s:8.2f} s     {bytes_sent / 1e6:.1f} MB"
        )
    print(f"  CPU of the hub               {100 * of_hub['cpu']:8.0f} % of a core, its own session included")
    print(f"  memory of the hub            {of_hub['rss'] / 1e6:8.0f} MB    greatest, 64 MB of backlog in it")
    print(f"  not yet in its session       {of_hub['unfolded'] / 1e3:8.1f} kB")


if __name__ == "__main__":
    main()
