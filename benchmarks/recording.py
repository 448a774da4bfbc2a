"""What recording costs the feed, how small it packs, and how fast it reads. Ratios within one run; on a quiet machine.

    python benchmarks/recording.py [--events 200000]

Turn events of about 300 B with lognormal random latencies in every stage, which is the worst there is to pack, in
batches of 20 ms as a hub sends them. Blocks are closed by stamp time (0.5 s), as they would be live.
"""

from __future__ import annotations

import argparse
import gc
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from voicetop.clock import WallClock
from voicetop.recording import Recorder, read
from voicetop.recording.format import record_lines
from voicetop.session import Session
from voicetop.wire import events as ev
from voicetop.wire.codec import _frame_decoder as frame_decoder
from voicetop.wire.frames import RawBatch

START = 1_760_000_000.0
BATCH_S = 0.02
raw_decoder = msgspec.json.Decoder(RawBatch)
USER = ("why was I charged twice", "I need to move my appointment", "yes please", "can I talk to a person")
AGENT = (
    "I see two charges on your account.",
    "Of course, which day suits you?",
    "Done.",
    "I am connecting you.",
)


class StampClock(WallClock):
    """Time as the records tell it, so that blocks come out as they would at the feed's own pace."""

    recorder: Recorder | None = None

    def monotonic(self) -> float:
        return self.recorder._writer.frames.at if self.recorder else 0.0


def turn(dice: random.Random, at: float, number: int) -> ev.Turn:
    stages = [round(dice.lognormvariate(mu, 0.5), 2) for mu in (5.2, 4.0, 5.9, 5.3)]
    words = dice.randrange(len(USER))
    return ev.Turn(
        ts=round(at - dice.random() * 0.05, 6),
        call_id=f"c-{dice.randrange(5_000):05d}",
        event_id=f"{number:08x}",
        source="agent-7",
        turn=dice.randrange(12),
        e2e_ms=round(sum(stages), 2),
        latency=ev.Latency(stt=stages[0], eou=stages[1], llm_ttft=stages[2], tts_ttfb=stages[3]),
        user_text=USER[words],
        agent_text=AGENT[words],
        confidence=round(dice.random(), 3),
    )


def feed(events: int, rate: float) -> list[bytes]:
    """Batches of 20 ms at `rate` events/s, a heartbeat every quarter second."""
    dice, frames, seq, number, at = random.Random(5), [], 1, 0, START
    beat_at, owed = START, 0.0
    while number < events:
        at += BATCH_S
        owed += rate * BATCH_S
        batch: list[ev.AnyEvent] = [turn(dice, at, number + n) for n in range(int(owed))]
        owed -= len(batch)
        number += len(batch)
        if at >= beat_at:
            beat_at += 0.25
            batch.append(ev.Heartbeat(ts=at, seq=seq + len(batch)))
        if batch:
            head = f'{{"type":"batch","seq":{seq},"at":[[{at:.6f},{len(batch)}]],"events":'
            frames.append(head.encode() + msgspec.json.encode(batch) + b"}")
            seq += len(batch)
    return frames


def seconds(work: Callable[[], object]) -> float:
    gc.collect()
    gc.disable()
    began = time.perf_counter()
    work()
    gc.enable()
    return time.perf_counter() - began


def recorded(path: Path, frames: list[bytes]) -> tuple[Path, float, float]:
    """The recording, the seconds spent in `write`, and those until all was in the file."""
    path.unlink(missing_ok=True)
    clock = StampClock()
    recorder = Recorder(path, clock=clock, queue_bytes=1 << 40)
    clock.recorder = recorder

    def work() -> None:
        for frame in frames:
            recorder.write(frame)

    began = time.perf_counter()
    on_caller = seconds(work)
    recorder.close(600)
    total = time.perf_counter() - began
    assert not recorder.failed, recorder.error
    return path, on_caller, total


def folded(frames: Iterable[bytes]) -> Session:
    session = Session()
    for frame in frames:
        session.feed(frame)
    return session


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=200_000)
    events = parser.parse_args().events
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.vtr"
        sizes(path, events)
        speeds(path, feed(events, 20_000.0), events)
        paced_ingest(path, feed(events, 20_000.0), events)
        memory(Path(folder), events)


def sizes(path: Path, events: int) -> None:
    print("size against the raw JSON of the same records (goal: 1/5.5 or less)")
    for rate in (20_000.0, 2_000.0, 400.0, 50.0, 5.0):
        count = max(500, min(events, int(rate * 600)))
        frames = feed(count, rate)
        raw = sum(
            len(bytes(event)) + 1
            for frame in frames
            for event in msgspec.json.decode(frame, type=Raws).events
        )
        recorded(path, frames)
        size = path.stat().st_size
        print(
            f"  {rate:8,.0f} events/s  1/{raw / size:.2f}   {size / count:6.1f} B an event of {raw / count:.0f} B"
        )


class Raws(msgspec.Struct):
    events: list[msgspec.Raw]


def speeds(path: Path, frames: list[bytes], events: int) -> None:
    decode = min(seconds(lambda: [frame_decoder.decode(frame) for frame in frames]) for _ in range(5))
    runs = [recorded(path, frames)[1:] for _ in range(3)]
    write, total = min(run[0] for run in runs), min(run[1] for run in runs)
    reading = min(seconds(lambda: sum(1 for _ in read(path))) for _ in range(5))
    engine = min(seconds(lambda: folded(frames)) for _ in range(3))
    replay = min(seconds(lambda: folded(read(path))) for _ in range(3))
    assert folded(frames).digest() == folded(read(path)).digest()
    micro = 1e6 / events
    print(f"bare decode                      {decode * micro:6.2f} µs an event   1.00")
    print(
        f"write, on the calling thread     {write * micro:6.3f} µs an event   {write / decode:.3f} × bare decode"
    )
    print(f"  … a batch of 20 ms              {write / len(frames) * 1e6:6.2f} µs")
    print(f"write until it is in the file    {total * micro:6.2f} µs an event   {total / decode:.2f} ×")
    print(f"read back into frames            {reading * micro:6.2f} µs an event   {reading / decode:.2f} ×")
    print(f"session, frames in memory        {engine * micro:6.2f} µs an event   {engine / decode:.2f} ×")
    print(
        f"session, replayed unpaced        {replay * micro:6.2f} µs an event   {engine / replay:.0%} of its speed"
    )


def paced_ingest(path: Path, frames: list[bytes], events: int) -> None:
    """Session and recorder side by side, as in a console: packing has a core of its own, cutting frames into lines
    takes the interpreter from the feed. So where two cores are free the first figure comes to the second.
    """

    def on() -> None:
        session = Session()
        with Recorder(path) as recorder:
            for frame in frames:
                recorder.write(frame)
                session.feed(frame)

    pairs = [(seconds(lambda: folded(frames)), _fresh(path, on)) for _ in range(5)]
    off, with_recording = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
    feed = min(own_seconds(lambda: folded(frames)) for _ in range(3))
    cut = min(
        own_seconds(lambda: [record_lines(raw_decoder.decode(frame)) for frame in frames]) for _ in range(5)
    )
    print(
        f"session with recording on        {off / with_recording:.0%} of its speed without (flat out, closing included)"
    )
    print(
        f"  … by processor time            {feed / (feed + cut):.0%}: {feed / events * 1e6:.2f} µs an event for the "
        f"session, {cut / events * 1e6:.2f} for cutting lines"
    )


def own_seconds(work: Callable[[], object]) -> float:
    """Processor time of this thread: the same beside others who use the machine."""
    gc.collect()
    began = time.thread_time()
    work()
    return time.thread_time() - began


READ = """
import resource, sys
from voicetop.recording import read
for _ in read(sys.argv[1]):
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def memory(folder: Path, events: int) -> None:
    """What a process holds at most that reads a recording, and one that is eight times as long."""
    told = []
    for times in (1, 8):
        path = folder / f"{times}.vtr"
        recorded(path, feed(events // 8 * times, 20_000.0))
        told.append(int(subprocess.check_output([sys.executable, "-c", READ, str(path)])))
    print(f"reading a recording 8 times as long holds {told[1] / told[0]:.2f} times the memory")


def _fresh(path: Path, work: Callable[[], object]) -> float:
    path.unlink(missing_ok=True)
    return seconds(work)


if __name__ == "__main__":
    main()
