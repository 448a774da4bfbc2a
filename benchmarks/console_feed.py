"""A feed of very many calls in a file, and the console on it: what `console.py` measures keys on.

python benchmarks/console_feed.py make FILE CALLS | play FILE
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from msgspec import Raw

HISTORY_S = 20.0
LIVE_S = 25.0
BATCH_S = 0.05


def make(path: Path, calls: int) -> None:
    """Write a welcome with the state of so many live calls, then what they tell in the next seconds, stamped."""
    from voicetop.session import Session
    from voicetop.simulator import Fleet, FleetConfig
    from voicetop.wire.events import Heartbeat
    from voicetop.wire.frames import RawBatch, Welcome

    start = 1_800_000_000.0
    fleet = Fleet(FleetConfig(start=start, calls=calls, history=HISTORY_S, full=HISTORY_S, traffic="flat"))
    encoder, session, seq, told, at = msgspec.json.Encoder(), Session(), 0, 0, start - HISTORY_S
    with path.open("wb") as file:
        while at < start + LIVE_S:
            at += BATCH_S
            events = [Raw(encoder.encode(event)) for event in fleet.until(at)]
            if round(at / BATCH_S) % 5 == 0:
                events.append(Raw(encoder.encode(Heartbeat(ts=at, seq=seq + len(events)))))
            frame = encoder.encode(RawBatch(seq=seq + 1, at=[(at, len(events))], events=events))
            seq += len(events)
            if at < start:
                session.feed(frame)
                continue
            if not told:
                told = seq
                state = session.checkpoint()
                line = encoder.encode(
                    Welcome(epoch="e", seq=session.seq, at=session.at, deployment="many", state=state)
                )
                file.write(line + b"\n")
            file.write(frame + b"\n")
    print(f"{len(fleet.live):,} live calls, {(seq - told) / LIVE_S:,.0f} events/s", flush=True)


class Played:
    """A `Source` that gives the file's frames at their own pace, over and over in the last seconds' place."""

    def __init__(self, path: Path) -> None:
        from voicetop.sources import LinkState

        self.path = path
        self.link = LinkState("live", where="a file")

    async def frames(self) -> AsyncIterator[bytes]:
        with self.path.open("rb") as file:
            yield file.readline().rstrip()
            begun = time.monotonic()
            for number, line in enumerate(file):
                await asyncio.sleep(max(0.0, begun + number * BATCH_S - time.monotonic()))
                yield line.rstrip()
        await asyncio.sleep(3600)


def play(path: Path) -> None:
    from voicetop.live import LiveFeed
    from voicetop.ui.app import ConsoleApp

    feed = LiveFeed(lambda: (Played(path), None))
    app = ConsoleApp(feed)
    app.on_first_paint = feed.start
    app.run()


if __name__ == "__main__":
    make(Path(sys.argv[2]), int(sys.argv[3])) if sys.argv[1] == "make" else play(Path(sys.argv[2]))
