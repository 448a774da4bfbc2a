from __future__ import annotations

import asyncio
import math
import os
import time
from io import FileIO
from pathlib import Path

import pytest

from recording.recording_samples import beat, feed, read_all, record, stamped, welcome
from voicetop.clock import ManualClock
from voicetop.errors import RecordingError
from voicetop.recording.compression import compressor
from voicetop.replay.source import Pace, ReplaySource
from voicetop.sources import Source

START = 1_760_000_000.0


async def collect(source: Source) -> list[bytes]:
    return [frame async for frame in source.frames()]


async def test_unpaced_it_yields_every_record_at_once_and_ends(tmp_path: Path) -> None:
    path = record(tmp_path / "a.vtr", feed(3000))
    source = ReplaySource(path, speed=math.inf)
    assert source.link.phase == "connecting"
    assert stamped(await collect(source)) == stamped(feed(3000))
    assert (source.link.phase, source.link.where, source.link.why) == ("ended", str(path), "")


async def test_paced_it_yields_the_same_records(tmp_path: Path) -> None:
    path = record(tmp_path / "a.vtr", feed(30))
    source = ReplaySource(path, speed=100)
    began = time.monotonic()
    assert stamped(await collect(source)) == stamped(feed(30))
    assert time.monotonic() - began >= 2.9 / 100


async def test_records_come_when_their_stamps_say(tmp_path: Path) -> None:
    clock, arrived = ManualClock(50.0), list[tuple[float, int]]()
    frames = [welcome(0, START), *(beat(n, START + n / 4) for n in range(1, 9))]
    source = ReplaySource(record(tmp_path / "a.vtr", frames), speed=2.0, clock=clock)

    async def watch() -> None:
        async for _ in source.frames():
            arrived.append((clock.now - 50.0, len(arrived)))

    watching = asyncio.create_task(watch())
    while not watching.done():
        await clock.advance(0.0625)
        await asyncio.sleep(0.001)
    assert [number for _, number in arrived] == list(range(9))
    for at, number in arrived:
        assert at >= number / 8
    assert source.link.phase == "ended"


async def test_pauses_in_which_nothing_was_recorded_are_cut_short_and_steps_back_are_not_waited_for() -> None:
    clock = ManualClock()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += seconds

    clock.sleep = sleep  # type: ignore[method-assign]
    pace = Pace(clock, 2.0)
    for at in (100.0, 101.0, 5000.0, 4000.0, 4000.5):
        await pace.wait(at)
    assert slept == [0.5, 0.5, 0.25]


async def test_a_torn_end_is_told_when_it_ends(tmp_path: Path) -> None:
    path = record(tmp_path / "a.vtr", feed(3))
    path.write_bytes(path.read_bytes() + b"\x28\xb5\x2f\xfd")
    source = ReplaySource(path, speed=math.inf)
    assert stamped(await collect(source)) == stamped(feed(3))
    assert "is torn" in source.link.why
    assert source.notes == read_all(path)[1]


async def test_a_later_version_in_the_middle_is_raised_where_it_stands(tmp_path: Path) -> None:
    path = record(tmp_path / "a.vtr", feed(3))
    path.write_bytes(path.read_bytes() + compressor(3)(b'{"voicetop":"recording","version":9}\n'))
    source = ReplaySource(path, speed=math.inf)
    frames = source.frames()
    assert stamped([await anext(frames) for _ in range(2)]) == stamped(feed(3))
    with pytest.raises(RecordingError, match="version 9"):
        await anext(frames)
    assert source.link.phase == "ended"


def test_what_is_no_recording_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "a.vtr").write_text("hello")
    with pytest.raises(RecordingError, match="is no recording"):
        ReplaySource(tmp_path / "a.vtr")


async def test_leaving_early_leaves_nothing_behind(tmp_path: Path) -> None:
    source = ReplaySource(record(tmp_path / "a.vtr", feed(5000, each=3)), speed=1000)
    frames = source.frames()
    await anext(frames)
    await frames.aclose()  # type: ignore[attr-defined]
    assert source.link.phase == "ended"


async def test_a_quiet_pipe_holds_nobody_up(tmp_path: Path) -> None:
    out, into = os.pipe()
    os.write(into, record(tmp_path / "a.vtr", feed(2)).read_bytes())
    with FileIO(out) as stream:
        source = ReplaySource(stream, speed=math.inf)
        frames = source.frames()
        assert stamped([await anext(frames), await anext(frames)]) == stamped(feed(2))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(frames), 0.05)
        os.close(into)
