"""A folder plays as one recording: entered in the right file, read across files, and followed as it grows."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest

from replay.replay_samples import START, digests, sample_frames, write_sample
from voicetop.errors import RecordingError
from voicetop.recording.extents import extent
from voicetop.recording.reader import Place
from voicetop.replay.frame_cursor import FrameCursor
from voicetop.replay.recording_set import RecordingSet
from voicetop.replay.seek import Seeker
from voicetop.session import Session

FRAMES = list(sample_frames(60))
BORDERS = (0, 81, 161, 241)


def folded(*frames: bytes) -> Session:
    session = Session()
    for frame in frames:
        session.feed(frame)
    return session


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files of 20 s; the second begins with a state, as a hub's would."""
    state = msgspec.json.encode(folded(*FRAMES[: BORDERS[1]]).welcome())
    for number in range(3):
        part = FRAMES[BORDERS[number] : BORDERS[number + 1]]
        write_sample(tmp_path / f"part{number}.vtr", iter([state, *part] if number == 1 else part))
    return tmp_path


def entered(recordings: RecordingSet, at: float) -> tuple[Session, FrameCursor]:
    session = recordings.new_session()
    return session, recordings.enter(at, session)


def test_it_plays_from_the_first_file_to_the_last(folder: Path) -> None:
    recordings = RecordingSet(folder, Session)
    assert (recordings.first_at, recordings.last_at) == extent(folder) == (START, START + 60)
    assert [part.path.name for part in recordings.parts] == ["part0.vtr", "part1.vtr", "part2.vtr"]


@pytest.mark.parametrize(("second", "nearest"), [(5, -math.inf), (25, START + 20), (45, START + 20)])
def test_it_is_entered_at_the_nearest_state_of_any_file(folder: Path, second: int, nearest: float) -> None:
    recordings = RecordingSet(folder, Session)
    assert recordings.nearest(START + second) == nearest
    session, frames = entered(recordings, START + second)
    rest = digests(frame for _, frame in frames)
    assert max(rest) == START + 60
    if nearest > 0:
        whole = digests(iter(FRAMES))
        assert {at: digest for at, digest in rest.items() if at > nearest} == {
            at: digest for at, digest in whole.items() if at > nearest
        }
    assert session.at == 0.0


def test_checkpoints_of_a_file_played_alone_are_not_used_for_the_folder(folder: Path) -> None:
    alone = Seeker(folder / "part2.vtr", Session, share=5.0)
    alone.build()
    assert alone.checkpoints.saved
    assert RecordingSet(folder, Session).parts[2].checkpoints.saved == []
    standing = Seeker(folder / "part1.vtr", Session, share=5.0)
    standing.build()
    assert RecordingSet(folder, Session).parts[1].checkpoints.saved == standing.checkpoints.saved


def test_a_frame_cursor_continues_when_more_is_written(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "a.vtr", iter(FRAMES[:40]))
    frames = FrameCursor(lambda: sorted(tmp_path.glob("*.vtr")), path, Place(0, 0))
    session = folded(*(frame for _, frame in frames))
    assert next(frames, None) is None
    write_sample(path, iter(FRAMES[40:100]))
    for _, frame in frames:
        session.feed(frame)
    write_sample(tmp_path / "b.vtr", iter(FRAMES[100:]))
    for _, frame in frames:
        session.feed(frame)
    assert session.digest() == folded(*FRAMES).digest()
    assert frames.notes == []


def test_a_block_that_is_being_written_is_read_once_complete(tmp_path: Path) -> None:
    whole = write_sample(tmp_path / "whole", iter(FRAMES[:40])).read_bytes()
    path = tmp_path / "a.vtr"
    path.write_bytes(whole[: len(whole) // 2])
    frames = FrameCursor(lambda: [path], path, Place(0, 0))
    session = folded(*(frame for _, frame in frames))
    assert any("incomplete" in note for note in frames.notes)
    path.write_bytes(whole)
    for _, frame in frames:
        session.feed(frame)
    assert session.digest() == folded(*FRAMES[:40]).digest()
    assert frames.notes == []


def test_files_come_and_go(folder: Path) -> None:
    recordings = RecordingSet(folder, Session)
    (folder / "part0.vtr").unlink()
    (folder / "part9.vtr").touch()
    recordings.refresh()
    assert [part.path.name for part in recordings.parts] == ["part1.vtr", "part2.vtr"]
    write_sample(folder / "part9.vtr", sample_frames(5, begin=START + 60, seq=100_000))
    recordings.refresh()
    assert recordings.last_at == START + 65


def test_a_folder_without_recordings_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="contains no recordings"):
        RecordingSet(tmp_path, Session)
