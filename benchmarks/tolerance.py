"""What bad values cost a hub: a feed with 1 % of them compared with a clean one. Ratios within one run.

    python benchmarks/tolerance.py [--rounds 15] [--share 0.01] [--frame 20]

20,000 events a second of the mixed fleet of `engine.py`, in frames of 20 (what a process with 1,000 events a second
sends in 20 ms) and of 100. The same events go clean and with bad values of every kind, in alternating pairs; time is
processor time. First a hub's process with one console, from socket to socket; then, more closely, only its validation,
stamping and folding.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import multiprocessing
import random
import re
import statistics
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

import msgspec
from websockets.asyncio.client import connect

from engine import Traffic
from voicetop.cli.serve import GC_THRESHOLDS
from voicetop.hub.stamping import OpenBatch
from voicetop.hub.validation import Sender, Validator
from voicetop.session import Session
from voicetop.wire.events import Heartbeat
from voicetop.wire.frames import RawBatch

ROUND = 20_000
BATCH = 400
"""Events that the hub gathers in 20 ms."""
BEAT_S = 0.25
RATE = 20_000
TARGET = 1.10

_TS = re.compile(rb'"ts":[\d.]+')
_IDS = re.compile(rb'"event_id":"(\w+)"')


def bad(raw: bytes, dice: random.Random) -> bytes:
    """The event with one bad value more."""
    value = dice.choice(
        (
            b'"later_field":NaN',
            b'"trace_id":null',
            b'"trace_id":"half \\ud83d"',
            b'"turn":"3"',
            b'"span_id":"%b"' % (b"x" * 600),
            b'"ts":null',
        )
    )
    return b"%b,%b}" % (raw[:-1], value)


class Hub:
    """Validation, stamping and folding, on one thread."""

    def __init__(self) -> None:
        self.validator, self.session = Validator(), Session()
        self.sender = Sender("agent-1", source="agent-1")
        self.batch, self.seq = OpenBatch(), 1
        self.received = 0

    def receive(self, frame: bytes, at: float) -> None:
        """A frame, and a heartbeat after every quarter of a second."""
        for part in self.validator.admit(frame, self.sender, at):
            self._add(part.text, part.count, at)
        if self.batch.events >= BATCH:
            self.received += self.batch.events
            if self.received >= RATE * BEAT_S:
                self.received = 0
                for part in self.validator.repaired(at):
                    self._add(part.text, part.count, at)
                self._add(msgspec.json.encode(Heartbeat(ts=at, seq=self.seq - 1)), 1, at)
            self.session.feed(self.batch.seal().frame)

    def _add(self, text: bytes, count: int, at: float) -> None:
        self.batch.add(self.seq, text, count, at)
        self.seq += count


def events() -> Iterator[bytes]:
    """Events of the mixed fleet, on and on."""
    for frame in Traffic(mixed=True).frames():
        for raw in msgspec.json.decode(frame, type=RawBatch).events:
            text = bytes(raw)
            if b'"heartbeat"' not in text:
                yield text[:-1] + b',"source":"agent-1"}'


def frames_of(raws: list[bytes], size: int) -> list[bytes]:
    return [b"[%b]" % b",".join(raws[at : at + size]) for at in range(0, len(raws), size)]


def cpu_s(hub: Hub, frames: list[bytes], at: float) -> float:
    began = time.process_time()
    for frame in frames:
        hub.receive(frame, at)
    return time.process_time() - began


def measure(rounds: int, share: float, size: int) -> None:
    dice, stream = random.Random(11), events()
    clean, dirty = Hub(), Hub()
    ratios, per_event = [], []
    for number in range(rounds + 3):
        raws = list(itertools.islice(stream, ROUND))
        spoiled = [bad(raw, dice) if dice.random() < share else raw for raw in raws]
        at = msgspec.json.decode(raws[-1])["ts"] + 1.0
        pair = [(clean, frames_of(raws, size)), (dirty, frames_of(spoiled, size))]
        gc.collect()
        took = {id(hub): cpu_s(hub, frames, at) for hub, frames in pair[:: 1 if number % 2 else -1]}
        if number >= 3:
            ratios.append(took[id(dirty)] / took[id(clean)])
            per_event.append(took[id(clean)] / ROUND)
    faults = {kind: fault.count for kinds in dirty.validator.faults.values() for kind, fault in kinds.items()}
    assert clean.session.live_calls == dirty.session.live_calls
    ratio = statistics.median(ratios)
    print(
        f"frames of {size}: {share:.1%} bad values cost {ratio - 1:+.1%} (target {TARGET - 1:+.0%}), "
        f"from {min(ratios) - 1:+.1%} to {max(ratios) - 1:+.1%}; {1e6 * statistics.median(per_event):.1f} µs an event"
    )
    print(f"  {faults}, malformed {dirty.validator.malformed}")


def run_hub(pipe: Connection) -> None:
    gc.set_threshold(*GC_THRESHOLDS)
    asyncio.run(_hub(pipe))


async def _hub(pipe: Connection) -> None:
    """Tells its processor time when as many events as it is asked for have been folded."""
    from voicetop.hub import Hub, HubConfig

    hub = Hub(HubConfig(port=0))
    await hub.start()
    pipe.send(hub.port)
    while (wanted := await asyncio.to_thread(pipe.recv)) is not None:
        while hub.feed.validator.events < wanted or hub.feed.everybody.session.queued:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        pipe.send((time.process_time(), hub.feed.validator.events, hub.feed.validator.malformed))
    await hub.close()


async def _publish(port: int, frames: list[bytes], size: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/publish", compression=None, proxy=None) as hub:
        began = time.monotonic()
        for number, frame in enumerate(frames):
            await asyncio.sleep(max(0.0, began + number * size / RATE - time.monotonic()))
            await hub.send(frame, text=True)


async def _read(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}", max_size=None, proxy=None) as hub:
        await hub.send('{"type":"hello","role":"viewer"}')
        async for _ in hub:
            pass


def stamped_now(raws: list[bytes]) -> list[bytes]:
    """Events one after the other at RATE from now on: a hub doesn't believe times that lie in the past."""
    now = time.time()
    return [_TS.sub(b'"ts":%.3f' % (now + at / RATE), raw, count=1) for at, raw in enumerate(raws)]


async def measure_process(rounds: int, share: float, size: int) -> None:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=run_hub, args=(there,), daemon=True)
    process.start()
    port = await asyncio.to_thread(here.recv)
    console = asyncio.create_task(_read(port))
    dice, stream = random.Random(11), events()
    took_s, events_seen, malformed = [], 0, 0
    for number in range(rounds + 1):
        raws = list(itertools.islice(stream, ROUND))
        took = {}
        for dirty in (False, True) if number % 2 else (True, False):
            fresh = [_IDS.sub(b'"event_id":"%d-\\1"' % dirty, raw) for raw in stamped_now(raws)]
            sent = [bad(raw, dice) if dirty and dice.random() < share else raw for raw in fresh]
            here.send(events_seen)
            began, events_seen, _ = await asyncio.to_thread(here.recv)
            await _publish(port, frames_of(sent, size), size)
            here.send(events_seen + ROUND)
            ended, events_seen, malformed = await asyncio.to_thread(here.recv)
            took[dirty] = ended - began
        if number:
            took_s.append((took[True], took[False]))
    here.send(None)
    console.cancel()
    process.join(10)
    told = sum(dirty for dirty, _ in took_s) / sum(clean for _, clean in took_s)
    print(
        f"a hub's process, frames of {size}: {share:.1%} bad values cost {told - 1:+.1%} (target {TARGET - 1:+.0%}), "
        f"{1e6 * statistics.median(clean for _, clean in took_s) / ROUND:.1f} µs an event; malformed {malformed}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--frame", type=int, action="append")
    args = parser.parse_args()
    gc.set_threshold(*GC_THRESHOLDS)
    for size in args.frame or (20, 100):
        asyncio.run(measure_process(args.rounds, args.share, size))
        measure(args.rounds, args.share, size)


if __name__ == "__main__":
    main()
