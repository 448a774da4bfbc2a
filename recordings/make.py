"""Makes the recordings of this folder anew: python recordings/make.py [FOLDER] [NAME ...].

The simulated ones come from a seed and from a day that is over, so they are the same, byte for byte, until voicetop's
simulator changes. `pipecat-call` is a real call in real time through a real pipeline: it needs what
`examples/pipecat_local` needs (`pip install 'voicetop[example]'` and espeak-ng), and is a little different each time.
"""

# ruff: noqa: INP001
from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import Raw, Struct

from voicetop.hub import Hub, HubConfig
from voicetop.recording.format import Header
from voicetop.recording.merge import write_recording
from voicetop.recording.notes import StoredNote
from voicetop.simulator import Detail, Fleet, FleetConfig, SimulatedIncident
from voicetop.sources.socket import SocketSource
from voicetop.wire.events import Event, Heartbeat, Operator
from voicetop.wire.frames import RawBatch, Welcome

HERE = Path(__file__).parent
AGENT = HERE.parent / "examples" / "pipecat_local" / "agent.py"
START = 1_795_356_000.0  # 2026-11-22 14:00 UTC
BEAT_S = 0.25
FRAME = 500
DAY_S = 86_400.0
BRIEFLY = Detail(texts=0.2, audio=0.0, stages=0.3, usage_by_turn=False, tool_starts=False)


class Story(Struct, frozen=True):
    """A simulated recording: the fleet, how long it is told from START on, and (seconds, words) for its bookmarks."""

    fleet: FleetConfig
    seconds: float
    bookmarks: tuple[tuple[float, str], ...] = ()


STORIES = {
    "llm-outage": Story(
        FleetConfig(
            start=START,
            seed=7,
            calls=40,
            capacity=56,
            history=DAY_S,
            full=1_860.0,
            old_calls=500,
            incidents=(SimulatedIncident("llm_outage", at=120.0, duration=180.0),),
        ),
        seconds=480.0,
        bookmarks=((134.0, "the first callers are stuck in llm"), (300.0, "the provider answers again")),
    ),
    "billing-es-v42": Story(
        FleetConfig(
            start=START,
            seed=11,
            calls=110,
            capacity=154,
            history=DAY_S,
            full=620.0,
            old_calls=500,
            detail=BRIEFLY,
            incidents=(
                SimulatedIncident(
                    "seg_latency",
                    at=90.0,
                    duration=3_600.0,
                    segment={"intent": "billing", "language": "es", "version": "v42"},
                    magnitude=2.5,
                ),
            ),
        ),
        seconds=420.0,
        bookmarks=((190.0, "one segment is slow, all others are not"),),
    ),
}
FAILURES = "barge-in,llm-500,tool-failure,tts-crash"


def simulated(name: str, story: Story, folder: Path) -> None:
    """A day of a fleet, told at once as its publisher would on joining a hub, then what happens, beat by beat."""
    fleet = story.fleet
    notes = [
        Operator(
            ts=START + after,
            act="bookmark",
            by="voicetop",
            text=text,
            source="console",
            event_id=f"{name}-{n}",
        )
        for n, (after, text) in enumerate(story.bookmarks, 1)
    ]
    source = f"a simulated fleet of {fleet.calls} calls at once, seed {fleet.seed}"
    _write(folder / f"{name}.vtr", _frames(name, story), source, START, notes)


def _frames(name: str, story: Story) -> Iterator[bytes]:
    fleet, seq = Fleet(story.fleet), 0
    yield msgspec.json.encode(Welcome(epoch=name, seq=0, at=START, deployment="acme-prod"))
    for at, events in _told(fleet, story.seconds):
        for first in range(0, len(events), FRAME):
            raws = [Raw(msgspec.json.encode(event)) for event in events[first : first + FRAME]]
            yield msgspec.json.encode(RawBatch(seq=seq + 1, at=[(at, len(raws))], events=raws))
            seq += len(raws)


def _told(fleet: Fleet, seconds: float) -> Iterator[tuple[float, list[Event]]]:
    told = 0
    while fleet.now < START:
        past = fleet.until(min(fleet.now + 60.0, START))
        told += len(past)
        yield START, past
    for beat in range(1, int(seconds / BEAT_S) + 1):
        at = START + beat * BEAT_S
        events = fleet.until(at)
        told += len(events) + 1
        yield at, [*events, Heartbeat(ts=at, seq=told - 1)]


def real_call(name: str, folder: Path) -> None:
    """One call of the example's agent through a hub, from before its first word until after its last."""
    frames = asyncio.run(_call())
    said = re.search(rb'"source":("[^"]+-\d+")', b"".join(frames))
    if said is not None:  # the name of a machine is nobody's business
        frames = [frame.replace(said[1], b'"agent-1"') for frame in frames]
    at = msgspec.json.decode(frames[0], type=Welcome).at
    _write(folder / f"{name}.vtr", frames, "examples/pipecat_local", at, [])


async def _call() -> list[bytes]:
    hub = Hub(HubConfig(port=0, deployment="restaurant", epoch="pipecat-call"))
    await hub.start()
    frames: list[bytes] = []
    following = asyncio.create_task(_follow(SocketSource(hub.url).frames(), frames))
    try:
        await asyncio.sleep(2.0)
        words = ["--url", hub.url, "--call-id", "table-for-two", "--inject", FAILURES]
        agent = await asyncio.create_subprocess_exec(sys.executable, str(AGENT), *words)
        if await agent.wait():
            raise SystemExit("the agent of examples/pipecat_local did not get through its call")
        await asyncio.sleep(3.0)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await hub.close()
    opening = msgspec.json.decode(frames[0], type=Welcome)
    return [msgspec.json.encode(msgspec.structs.replace(opening, state=b"")), *frames[1:]]


async def _follow(feed: AsyncIterator[bytes], frames: list[bytes]) -> None:
    async for frame in feed:
        frames.append(frame)  # noqa: PERF401 - it is cancelled in the middle


def _write(path: Path, frames: Iterable[bytes], source: str, at: float, notes: Iterable[Operator]) -> None:
    path.unlink(missing_ok=True)
    header = Header(voicetop="recording", epoch=path.stem, source=source, at=at)
    events = write_recording(path, frames, header, [StoredNote(act, 0.0, 0) for act in notes])
    path.chmod(0o644)
    print(f"{path}: {events:,} records, {path.stat().st_size:,} bytes")  # noqa: T201


MAKERS: dict[str, Callable[[Path], None]] = {
    **{name: lambda folder, n=name, s=story: simulated(n, s, folder) for name, story in STORIES.items()},  # type: ignore[misc]
    "pipecat-call": lambda folder: real_call("pipecat-call", folder),
}


def main(arguments: list[str]) -> None:
    """Make those that are named, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        usage="%(prog)s [FOLDER] [NAME ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", nargs="*", metavar="NAME", help=f"all by default: {', '.join(MAKERS)}")
    words = parser.parse_args(arguments).words
    folder = Path(words.pop(0)) if words and words[0] not in MAKERS else HERE
    if not folder.is_dir() or (unknown := set(words) - set(MAKERS)):
        parser.error(
            f"no such recording: {', '.join(sorted(unknown))}"
            if folder.is_dir()
            else f"no such folder: {folder}"
        )
    for name in words or MAKERS:
        MAKERS[name](folder)


if __name__ == "__main__":
    main(sys.argv[1:])
