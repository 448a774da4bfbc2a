"""Recordings of a small simulated fleet, and what a test waits for of who plays them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from msgspec import Raw

from voicetop.clock import Clock
from voicetop.engine.snapshot import Snapshot, View
from voicetop.recording.files import RecordingFile
from voicetop.recording.format import Header
from voicetop.recording.notes import Notebook
from voicetop.recording.writer import FrameWriter
from voicetop.replay.annotations import RecordingNotes
from voicetop.replay.options import PlaybackStart
from voicetop.replay.player import Player
from voicetop.replay.recording_set import RecordingSet
from voicetop.replay.timeline_scan import TimelineScan
from voicetop.session import Session
from voicetop.simulator import Fleet, FleetConfig
from voicetop.simulator.incidents import SimulatedIncident
from voicetop.wire.events import Heartbeat, Marker
from voicetop.wire.frames import RawBatch, Welcome

START = 1_760_000_000.0


def sample_frames(
    seconds: float,
    *,
    calls: int = 8,
    begin: float = START,
    seq: int = 0,
    incidents: tuple[SimulatedIncident, ...] = (),
) -> Iterator[bytes]:
    """A hub's frames: a batch and a heartbeat every quarter of a second, a deploy after ten."""
    encode = msgspec.json.encode
    fleet = Fleet(FleetConfig(start=begin, seed=3, calls=calls, incidents=incidents))
    yield encode(Welcome(epoch="film", seq=seq, at=begin, deployment="prod"))
    for step in range(int(seconds * 4)):
        at = begin + (step + 1) / 4
        raws = [Raw(encode(event)) for event in fleet.until(at)]
        if step == 40:
            raws.append(Raw(encode(Marker(ts=at, kind="deploy", label="v42"))))
        raws.append(Raw(encode(Heartbeat(ts=at, seq=seq + len(raws)))))
        yield encode(RawBatch(seq=seq + 1, at=[(at, len(raws))], events=raws))
        seq += len(raws)


def write_sample(path: Path, frames: Iterator[bytes], *, per_block: int = 2) -> Path:
    """A recording, closed as a recorder closes it."""
    file = RecordingFile(path)
    writer = FrameWriter(file, Header(voicetop="recording", epoch="film", source="test", at=START))
    for number, frame in enumerate(frames):
        writer.add(frame)
        if number % per_block == 0:
            writer.flush()
    writer.finish()
    file.close()
    return path


def digests(frames: Iterator[bytes]) -> dict[float, str]:
    """What a session that is fed these holds at every heartbeat."""
    session, found = Session(), dict[float, str]()
    session.on_beat.append(lambda beat: found.update({beat.at: session.digest()}))
    for frame in frames:
        session.feed(frame)
    return found


def player_of(path: Path, *, clock: Clock | None = None, **start: float | bool) -> Player:
    annotations = RecordingNotes(lambda: Notebook(path), author="ada")
    return Player(
        lambda new_session: RecordingSet(path, new_session),
        where=path.name,
        timeline_source=TimelineScan(annotations=annotations),
        annotations=annotations,
        start=PlaybackStart(**start),  # type: ignore[arg-type]
        clock=clock,
    )


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for something that another thread does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


def arrive(player: Player, at: float) -> Snapshot:
    """Seek; the picture that is there then."""
    player.seek(at)
    assert player.position.seeking == player.position.seeking or player.latest is not None
    until(lambda: player.position.seeking != player.position.seeking)
    assert player.latest is not None
    return player.latest


def asked(player: Player, view: View) -> Snapshot:
    answers: list[Snapshot] = []
    player.ask(view, answers.append)
    until(lambda: answers)
    return answers[0]
