"""How fast any moment of a long recording is there, and what its checkpoints cost.

    python benchmarks/seek.py [--calls 200] [--hours 24] [--seeks 200] [--file day.vtr]

A simulated fleet in fast motion is written as a recorder would have written it live: a block of lines every half a
second, a heartbeat every quarter. Then the checkpoints are built once, as on first opening, and random moments sought,
each with nothing kept in memory of the seek before it. Goals for a day of 1,000 live calls: median ≤ 300 ms, P99 ≤ 1 s,
checkpoints ≤ 20 % of the file.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Raw

from voicetop.recording.files import RecordingFile
from voicetop.recording.format import Header
from voicetop.recording.index import BlockIndex
from voicetop.recording.seek import Seeker
from voicetop.recording.writer import FrameWriter
from voicetop.session import Session
from voicetop.sources.simulator import Fleet, FleetConfig
from voicetop.wire.events import Heartbeat
from voicetop.wire.frames import RawBatch, Welcome

START = 1_760_000_000.0


def frames(calls: int, hours: float) -> Iterator[bytes]:
    """Two batches of a quarter of a second for each block of the recorder."""
    fleet, seq, encode = Fleet(FleetConfig(start=START, calls=calls)), 0, msgspec.json.encode
    yield encode(Welcome(epoch="day", seq=0, at=START))
    for step in range(int(hours * 14_400)):
        at = START + (step + 1) / 4
        events = fleet.until(at)
        events.append(Heartbeat(ts=at, seq=seq + len(events) + 1))
        raws = [Raw(encode(event)) for event in events]
        yield encode(RawBatch(seq=seq + 1, at=[(at, len(raws))], events=raws))
        seq += len(raws)


def generate(path: Path, calls: int, hours: float) -> int:
    file = RecordingFile(path)
    writer = FrameWriter(file, Header(voicetop="recording", epoch="day", at=START))
    for number, frame in enumerate(frames(calls, hours)):
        writer.add(frame)
        if number % 2 == 0:
            writer.flush()
    writer.finish()
    file.close()
    return writer.events


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=200, help="live at once, at this hour of the day")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--seeks", type=int, default=200)
    parser.add_argument("--file", type=Path, help="keep the recording there, or take it from there")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = args.file or Path(folder) / "day.vtr"
        if not path.exists():
            began = time.perf_counter()
            events = generate(path, args.calls, args.hours)
            print(f"{events:,} records of {args.hours:g} h with some {args.calls:,} calls at once, "
                  f"made in {time.perf_counter() - began:.0f} s", flush=True)  # fmt: skip
        measure(path, args.seeks)


def measure(path: Path, seeks: int) -> None:
    size = path.stat().st_size
    began = time.perf_counter()
    index = BlockIndex(path)
    opened = time.perf_counter() - began
    print(f"{size / 1e6:.1f} MB in {len(index.blocks):,} blocks; the index is read in {1000 * opened:.0f} ms")
    began = time.perf_counter()
    seeker = Seeker(path, Session)
    seeker.build()
    built = time.perf_counter() - began
    span = index.last_at - index.first_at
    kept = seeker.checkpoints
    print(f"checkpoints: {len(kept.saved):,}, {kept.size / 1e6:.1f} MB, {100 * kept.size / size:.1f} % of the file "
          f"(goal 20 %); made in {built:.0f} s, {span / max(built, 1e-9):.0f} times real time", flush=True)  # fmt: skip
    dice, took, live = random.Random(1), [], []
    seeker = Seeker(path, Session)
    for _ in range(seeks):
        at = index.first_at + dice.random() * span
        began = time.perf_counter()
        moment = seeker.seek(at)
        took.append(time.perf_counter() - began)
        live.append(len(moment.session.engine.roster.live))
    took.sort()
    median, p99 = statistics.median(took), took[int(0.99 * (len(took) - 1))]
    print(f"{seeks} seeks, {statistics.mean(live):.0f} live calls: median {1000 * median:.0f} ms (goal 300 ms), "
          f"P99 {1000 * p99:.0f} ms (goal 1,000 ms), greatest {1000 * took[-1]:.0f} ms")  # fmt: skip


if __name__ == "__main__":
    main()
