"""Recordings of a simulated fleet, made without waiting for a recorder's thread."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from voicetop.recording.files import RecordingFile
from voicetop.recording.format import Header
from voicetop.recording.writer import FrameWriter
from voicetop.simulator import Fleet, FleetConfig
from voicetop.wire.events import Event, Heartbeat
from voicetop.wire.frames import RawBatch, Welcome

START = 1_760_000_000.0


def fleet_frames(
    seconds: float,
    *,
    calls: int = 10,
    epoch: str = "e1",
    seed: int = 5,
    change: Callable[[list[Event], float], Any] = lambda events, at: None,
) -> Iterator[bytes]:
    """A simulated fleet as a hub would send it, four batches a second, each with heartbeats anywhere."""
    fleet, dice, seq = Fleet(FleetConfig(start=START, seed=seed, calls=calls)), random.Random(seed), 0
    yield msgspec.json.encode(Welcome(epoch=epoch, seq=0, at=START, deployment="prod"))
    for step in range(int(seconds * 4)):
        at = START + (step + 1) / 4
        events = fleet.until(at)
        change(events, at)
        raws = [Raw(msgspec.json.encode(event)) for event in events]
        beat = dice.randint(0, len(raws))
        raws.insert(beat, Raw(msgspec.json.encode(Heartbeat(ts=at, seq=seq + beat + 1))))
        stamps = [(at - 0.1, beat)] * (beat > 0) + [(at, len(raws) - beat)]
        yield msgspec.json.encode(RawBatch(seq=seq + 1, at=stamps, events=raws))
        seq += len(raws)


def record_frames(path: Path, frames: Iterable[bytes], *, per_block: int = 2) -> Path:
    """A recording of `frames`, so many in each block."""
    file = RecordingFile(path)
    writer = FrameWriter(file, Header(voicetop="recording", epoch="e1", at=START))
    for number, frame in enumerate(frames, 1):
        writer.add(frame)
        if number % per_block == 0:
            writer.flush()
    writer.finish()
    file.close()
    return path


def record_fleet(path: Path, seconds: float, *, per_block: int = 2, calls: int = 10) -> Path:
    return record_frames(path, fleet_frames(seconds, calls=calls), per_block=per_block)
