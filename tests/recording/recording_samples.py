"""Sample feeds for recording tests: frames as a hub sends them, and their stamped records."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from voicetop.clock import ManualClock
from voicetop.recording import Recorder, read
from voicetop.wire.frames import RawBatch, Welcome

Stamped = tuple[int, float, bool, bytes]
decoder = msgspec.json.Decoder(RawBatch | Welcome)


def batch(seq: int, at: float, *events: dict[str, Any], local: bool = False) -> bytes:
    """A batch of events that came at the same time."""
    raws = [Raw(json.dumps(event).encode()) for event in events]
    return msgspec.json.encode(RawBatch(seq=seq, at=[(at, len(raws))], events=raws, local=local))


def beat(seq: int, at: float, *, local: bool = False) -> bytes:
    event = {"type": "heartbeat", "ts": at, "seq": seq, **({"local": True} if local else {})}
    return batch(seq, at, event, local=local)


def welcome(seq: int, at: float = 0.0, *, epoch: str = "e1", state: bytes = b"") -> bytes:
    return msgspec.json.encode(Welcome(epoch=epoch, seq=seq, at=at, state=state))


def turn(rng: random.Random, at: float) -> dict[str, Any]:
    """An event about as large and as random as a real one."""
    return {
        "type": "turn",
        "call_id": f"{rng.getrandbits(48):012x}",
        "ts": round(at - rng.random(), 6),
        "turn": rng.randrange(20),
        "e2e_ms": round(rng.lognormvariate(6.8, 0.5), 3),
        "status": "ok",
    }


def feed(batches: int, *, each: int = 5, start: float = 1_760_000_000.0, seed: int = 1) -> list[bytes]:
    """A welcome, then a batch every 0.1 s."""
    rng = random.Random(seed)
    frames = [welcome(0, start, state=b"checkpoint")]
    for number in range(batches):
        at = start + number / 10
        frames.append(batch(1 + number * each, at, *(turn(rng, at) for _ in range(each))))
    return frames


def stamped(frames: list[bytes]) -> list[Stamped | Welcome]:
    """Every stamped record and welcome of these frames: what must survive recording, whatever the batching."""
    records: list[Stamped | Welcome] = []
    for frame in frames:
        decoded = decoder.decode(frame)
        if isinstance(decoded, Welcome):
            records.append(decoded)
            continue
        ats = [at for at, times in decoded.at for _ in range(times)]
        for place, (at, raw) in enumerate(zip(ats, decoded.events, strict=True)):
            seq = decoded.seq if decoded.local else decoded.seq + place
            records.append((seq, at, decoded.local, bytes(raw)))
    return records


def record(path: Path, frames: list[bytes], **options: Any) -> Path:
    with Recorder(path, epoch="e1", **options) as recorder:
        for frame in frames:
            recorder.write(frame)
    assert recorder.error == ""
    return path


def record_in_blocks(path: Path, *parts: list[bytes]) -> Path:
    """A recording with one block for the header and one per frame."""
    for number, frames in enumerate(parts):
        whole = record(path.with_suffix(f".part{number}"), frames, clock=ManualClock())
        blocks = split_blocks(whole.read_bytes())
        with path.open("ab") as file:
            file.write(b"".join(blocks if number == 0 else blocks[1:]))
    return path


def split_blocks(data: bytes) -> list[bytes]:
    """The blocks of records; the index that stands between them is left out."""
    from voicetop.recording.compression import get_frame_size, is_skippable

    blocks = []
    while data:
        size = get_frame_size(data)
        if not is_skippable(data[:4]):
            blocks.append(data[:size])
        data = data[size:]
    return blocks


def read_all(path: str | os.PathLike[str]) -> tuple[list[Stamped | Welcome], list[str]]:
    with read(path) as reader:
        return stamped(list(reader)), reader.notes
