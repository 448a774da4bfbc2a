"""How fast any moment of a long recording is there, and what its checkpoints cost.

    python benchmarks/seek.py [--calls 1000] [--hours 24] [--seeks 200] [--file day.vtr]

A simulated fleet in fast motion is written as a recorder would have written it live: a block of lines every half a
second, a heartbeat every quarter. Then the checkpoints are built once, as on first opening, and random moments sought,
each with nothing kept in memory of the seek before it. Goals for a day of 1,000 live calls: median ≤ 300 ms, P99 ≤ 1 s,
checkpoints ≤ 20 % of the file, and a fold of at least 200 times real time.

Times are told twice: as they passed, and as processor time of this process, which says what a machine that does nothing
else would need.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Raw

from voicetop.recording import read
from voicetop.recording.files import RecordingFile
from voicetop.recording.format import Header
from voicetop.recording.index import BlockIndex
from voicetop.recording.writer import FrameWriter
from voicetop.replay.seek import Seeker
from voicetop.session import Session
from voicetop.simulator import Fleet, FleetConfig
from voicetop.wire.events import Heartbeat
from voicetop.wire.frames import RawBatch, Welcome

START = 1_760_000_000.0
PLAYED_S = 600.0


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


class Watch:
    """Time as it passed and as this process used it, since it was made."""

    def __init__(self) -> None:
        self._wall, self._own = time.perf_counter(), time.process_time()

    @property
    def wall(self) -> float:
        return time.perf_counter() - self._wall

    @property
    def own(self) -> float:
        return time.process_time() - self._own


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=1_000, help="live at once, at this hour of the day")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--seeks", type=int, default=200)
    parser.add_argument("--file", type=Path, help="keep the recording there, or take it from there")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = args.file or Path(folder) / "day.vtr"
        if not path.exists():
            watch = Watch()
            events = generate(path, args.calls, args.hours)
            print(f"{events:,} records of {args.hours:g} h with some {args.calls:,} calls at once, "
                  f"made in {watch.wall:.0f} s", flush=True)  # fmt: skip
        play(path)
        measure(path, args.seeks)


def play(path: Path) -> None:
    """The first minutes as fast as they go: from frames in memory, and from the file."""
    session, held = Session(), []
    with read(path) as recording:
        for at, frame in recording.stamped():
            held.append(frame)
            if at > START + PLAYED_S:
                break
    watch = Watch()
    for frame in held:
        session.feed(frame)
    alone, again, watch = watch.own, Session(), Watch()
    with read(path) as recording:
        for at, frame in recording.stamped():
            again.feed(frame)
            if at > START + PLAYED_S:
                break
    total, events = watch.own, session.codec.stats.events
    print(f"unpaced replay of {events:,} records: {alone / total:.0%} of the engine's own speed (goal 70 %), "
          f"{PLAYED_S / total:.0f} times real time by processor time (goal 200), "
          f"{1e6 * total / events:.1f} µs a record", flush=True)  # fmt: skip


def memory() -> float:
    """The most that this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def measure(path: Path, seeks: int) -> None:
    size = path.stat().st_size
    watch = Watch()
    index = BlockIndex(path)
    print(
        f"{size / 1e6:.1f} MB in {len(index.blocks):,} blocks; the index is read in {1000 * watch.wall:.0f} ms"
    )
    watch = Watch()
    seeker = Seeker(path, Session)
    seeker.build()
    span = index.last_at - index.first_at
    kept = seeker.checkpoints
    gaps = [b.until - a.until for a, b in zip(kept.saved, kept.saved[1:], strict=False)]
    print(f"checkpoints: {len(kept.saved):,}, {kept.size / 1e6:.1f} MB, {100 * kept.size / size:.1f} % of the file "
          f"(goal 20 %), {statistics.median(gaps or [span]):.0f} s apart")  # fmt: skip
    print(f"  made in {watch.wall:.0f} s, of the processor {watch.own:.0f} s: {span / max(watch.own, 1e-9):.0f} times "
          f"real time; this process held at most {memory():.0f} MB", flush=True)  # fmt: skip
    seek(path, index, seeks)


def seek(path: Path, index: BlockIndex, seeks: int) -> None:
    dice, passed, own, entered, live = random.Random(1), [], [], [], []
    seeker, span = Seeker(path, Session), index.last_at - index.first_at
    for _ in range(seeks):
        at = index.first_at + dice.random() * span
        watch = Watch()
        seeker.enter(at, seeker.empty_session())
        entered.append(watch.own)
        watch = Watch()
        moment = seeker.seek(at)
        passed.append(watch.wall)
        own.append(watch.own)
        live.append(len(moment.session.engine.roster.live))
    print(
        f"{seeks} seeks, {statistics.mean(live):.0f} live calls: {_told(passed)} (goals 300 ms and 1,000 ms)"
    )
    print(f"  of the processor: {_told(own)}; to restore the state before it: {_told(entered)}")


def _told(times: list[float]) -> str:
    times = sorted(times)
    p99 = times[min(len(times) - 1, int(0.99 * len(times)))]
    return f"median {1000 * statistics.median(times):,.0f} ms, P99 {1000 * p99:,.0f} ms"


if __name__ == "__main__":
    main()
