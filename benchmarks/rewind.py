"""What keeping a live feed to be gone back to costs it, and how soon a moment of before is there.

    python benchmarks/rewind.py [--events 400000] [--rounds 3] [--calls 1000] [--faster 1]

First the feed as a console runs it (source, session, pictures, a thread of its own) on frames from memory, as fast as
it takes them, with the spool and without, in turns: the median ratio of their throughputs, and of their times on the
processor. Goal ≥ 90 %. Then a simulated fleet of `--calls` at its own pace, for some minutes, and seeks to three
minutes ago while it goes on: goal about 300 ms. With `--faster 4` that takes less time, but states are kept by what
they cost of the clock's time: the way from one to the moment sought is then four times as long.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterable

import seek

import recording
from voicetop.live import LiveFeed
from voicetop.replay.options import HistoryLimits
from voicetop.sources import LinkState

BACK_S = 180.0


class FromMemory:
    """Frames at once, or every quarter of a second of the fleet's in `1 / faster` of it."""

    def __init__(self, frames: Iterable[bytes], faster: float = 0.0) -> None:
        self.link = LinkState("live", where="here")
        self._frames = frames
        self._faster = faster

    async def frames(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        due = loop.time()
        for frame in self._frames:
            if self._faster:
                due += 0.25 / self._faster
                await asyncio.sleep(max(0.0, due - loop.time()))
            else:
                await asyncio.sleep(0)
            yield frame
        self.link = LinkState("ended", where="here")


def throughput(frames: list[bytes], keep: HistoryLimits | None) -> tuple[float, float]:
    """Seconds until all was folded, by the clock and of the processor."""
    feed = LiveFeed(lambda: (FromMemory(frames), None), limits=keep)
    began, used = time.perf_counter(), time.process_time()
    feed.start()
    while feed.frames < len(frames):
        time.sleep(0.005)
    took = time.perf_counter() - began, time.process_time() - used
    feed.close(60)
    return took


def cost(events: int, rounds: int) -> None:
    frames = recording.feed(events, 20_000.0)
    throughput(frames[: len(frames) // 10], HistoryLimits())
    clocks, processors = [], []
    for _ in range(rounds):
        (without, cpu_without), (kept, cpu_kept) = (
            throughput(frames, None),
            throughput(frames, HistoryLimits()),
        )
        clocks.append(without / kept)
        processors.append(cpu_without / cpu_kept)
        print(f"  {events / without:,.0f} events/s without, {events / kept:,.0f} with", flush=True)
    print(f"ingest with the spool against without: {100 * statistics.median(clocks):.0f} % (goal 90 %), "
          f"of the processor's time {100 * statistics.median(processors):.0f} %")  # fmt: skip


def going_back(calls: int, minutes: float, seeks: int, faster: float) -> None:
    feed = LiveFeed(lambda: (FromMemory(seek.frames(calls, 1.0), faster), None), limits=HistoryLimits())
    began = time.perf_counter()
    feed.start()
    while feed.past is None:
        time.sleep(0.001)
    usable = time.perf_counter() - began
    past, took, own, dice = feed.past, [], [], random.Random(1)
    while feed.latest is None or feed.latest.at < seek.START + minutes * 60:
        time.sleep(0.05)
    for _ in range(seeks):
        to = feed.latest.at - BACK_S + dice.random() * 60
        began, used = time.perf_counter(), time.process_time()
        past.seek(to)
        while past.position.seeking == past.position.seeking:
            time.sleep(0.001)
        took.append(time.perf_counter() - began)
        own.append(time.process_time() - used)
        past.seek(feed.latest.at)
        while past.position.seeking == past.position.seeking:
            time.sleep(0.001)
    took.sort()
    assert past.latest is not None
    print(f"{calls:,} calls: there {1000 * usable:.0f} ms after the start; three minutes back in "
          f"{1000 * statistics.median(took):.0f} ms, at most {1000 * took[-1]:.0f} ms (goal 300 ms); "
          f"of the processor {1000 * statistics.median(own):.0f} ms")  # fmt: skip
    feed.close(60)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--seeks", type=int, default=15)
    parser.add_argument("--faster", type=float, default=1.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["XDG_STATE_HOME"] = home
        if args.rounds:
            cost(args.events, args.rounds)
        going_back(args.calls, 4.0, args.seeks, args.faster)


if __name__ == "__main__":
    main()
