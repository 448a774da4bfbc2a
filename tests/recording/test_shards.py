"""Endless recordings: no event is lost between files, and only the oldest files are deleted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recording.recording_samples import batch, beat, feed, read_all, stamped, welcome
from voicetop.clock import ManualClock
from voicetop.errors import RecordingError
from voicetop.recording import Recorder, read
from voicetop.recording.shards import FILES_PER_LIMIT, Shards
from voicetop.session import Session
from voicetop.wire.frames import Welcome

START = 1_760_000_000.0


def record_shards(folder: Path, frames: list[bytes], **options: float) -> list[Path]:
    clock = ManualClock(START)
    shards = Shards(folder, clock=clock, **{"shard_s": 60.0, **options})  # type: ignore[arg-type]
    with Recorder(folder, epoch="e1", shards=shards, clock=clock) as recorder:
        for frame in frames:
            recorder.write(frame)
    assert recorder.error == ""
    return sorted(folder.iterdir())


def minutes(count: int) -> list[bytes]:
    return [
        welcome(0, START, state=b"checkpoint"),
        *(beat(n, START + 10 * n) for n in range(1, 6 * count + 1)),
    ]


def without_resumes(records: list[object]) -> list[object]:
    return [record for record in records if not isinstance(record, Welcome) or record.state]


def test_no_record_is_lost_between_files_and_each_is_a_recording(tmp_path: Path) -> None:
    frames = minutes(5)
    files = record_shards(tmp_path / "day", frames)
    assert [path.name for path in files] == [
        f"voicetop-20251009T08{time}Z.vtr" for time in ("5320", "5400", "5500", "5600", "5700", "5800")
    ]
    found = [record for path in files for record in read_all(path)[0]]
    assert without_resumes(list(found)) == stamped(frames)
    assert read_all(tmp_path / "day")[0] == found


def test_rotation_within_a_busy_second_splits_no_batch(tmp_path: Path) -> None:
    frames = feed(1_000, each=3)
    record_shards(tmp_path / "day", frames, shard_s=7.0)
    found, notes = read_all(tmp_path / "day")
    assert (without_resumes(list(found)), notes) == (stamped(frames), [])


def test_each_file_names_its_feed(tmp_path: Path) -> None:
    last = record_shards(tmp_path / "day", minutes(3))[-1]
    session = Session()
    with read(last) as frames:
        for frame in frames:
            session.feed(frame)
        assert frames.header.epoch == "e1"
    assert session.epoch == "e1"


def test_files_that_are_too_old_are_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "day"
    old = record_shards(folder, minutes(2))
    for path in old:
        os.utime(path, (START - 1000, START - 1000))
    (folder / "notes.txt").write_text("mine")
    (folder / "incident.vtr").write_bytes(old[0].read_bytes())
    os.utime(folder / "incident.vtr", (0, 0))
    left = record_shards(folder, minutes(1), keep_s=500.0)
    assert not any(path.exists() and path.stat().st_mtime < START - 999 for path in old)
    assert {path.name for path in left} >= {"incident.vtr", "notes.txt"}


def test_the_oldest_are_deleted_when_the_total_is_too_large(tmp_path: Path) -> None:
    folder = tmp_path / "day"
    files = record_shards(folder, feed(6_000), keep_bytes=200_000, shard_s=30.0)
    sizes = [path.stat().st_size for path in files]
    assert 100_000 < sum(sizes) <= 220_000
    found, _ = read_all(folder)
    seqs = [record[0] for record in found if not isinstance(record, Welcome)]
    assert seqs == list(range(seqs[0], 30_001))
    assert seqs[0] > 1


def test_the_checkpoints_of_a_file_are_deleted_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "day"
    first = record_shards(folder, minutes(1))[0]
    cache = first.with_name(first.name + ".ckpt")
    cache.write_bytes(b"cache")
    os.utime(first, (0, 0))
    record_shards(folder, minutes(1), keep_s=500.0)
    assert not cache.exists()


def test_a_second_file_within_a_second_gets_another_name(tmp_path: Path) -> None:
    folder = tmp_path / "day"
    first = record_shards(folder, minutes(0))
    second = record_shards(folder, [batch(1, START + 1, {"type": "turn"})])
    assert len(second) == len(first) + 1
    assert [record[0] for record in read_all(folder)[0] if not isinstance(record, Welcome)] == [1]


def test_a_clock_that_steps_back_starts_no_new_file(tmp_path: Path) -> None:
    frames = [welcome(0, START), beat(1, START + 5), beat(2, START - 500), beat(3, START + 6)]
    assert len(record_shards(tmp_path / "day", frames)) == 1
    assert read_all(tmp_path / "day") == (stamped(frames), [])


def test_a_folder_without_recordings_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="contains no recordings"):
        read(tmp_path)


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="cannot record to"):
        Recorder(tmp_path, shards=Shards(tmp_path / "file" / "day"))


def test_a_folder_has_one_recorder_at_a_time(tmp_path: Path) -> None:
    with (
        Recorder(tmp_path, shards=Shards(tmp_path)),
        pytest.raises(RecordingError, match="is being written by another recorder: record to another folder"),
    ):
        Recorder(tmp_path, shards=Shards(tmp_path))
    with Recorder(tmp_path, shards=Shards(tmp_path)) as recorder:
        recorder.write(welcome(0, START))
    assert recorder.error == ""


def test_a_full_file_waits_for_a_state_but_not_for_ever(tmp_path: Path) -> None:
    clock = ManualClock(START)
    shards = Shards(tmp_path, clock=clock, shard_s=60.0, state_wait_s=10.0)
    with Recorder(tmp_path, epoch="e1", shards=shards, clock=clock) as recorder:
        recorder.write(welcome(0, START))
        for second in range(1, 131):
            recorder.write(beat(second, START + second))
            if second == 45:
                recorder.write(welcome(45, START + 45, state=b"checkpoint"))
    assert recorder.error == ""
    first, second_file, third = (read_all(path)[0] for path in sorted(tmp_path.glob("*.vtr")))
    assert len(first) == 46
    assert isinstance(second_file[0], Welcome)
    assert (second_file[0].seq, second_file[0].state) == (45, b"checkpoint")
    assert isinstance(third[0], Welcome)
    assert not third[0].state
    assert not isinstance(third[1], Welcome)
    assert third[1][1] == START + 110


def test_the_total_leaves_room_for_the_file_being_written(tmp_path: Path) -> None:
    limit = 60_000
    files = record_shards(tmp_path / "day", feed(3_000), keep_bytes=limit, shard_s=30.0)
    assert sum(path.stat().st_size for path in files) <= limit + limit // FILES_PER_LIMIT
