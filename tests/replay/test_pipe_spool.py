"""Spooling a pipe to a file, and the temporary folder that the file is in."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import pytest

from replay.replay_samples import sample_frames, until, write_sample
from voicetop.errors import RecordingError
from voicetop.replay.pipe_spool import PipeSpool
from voicetop.replay.scratch import Scratch


@pytest.fixture
def data(tmp_path: Path) -> bytes:
    return write_sample(tmp_path / "a.vtr", sample_frames(10)).read_bytes()


@pytest.fixture
def pipe() -> Iterator[tuple[FileIO, FileIO]]:
    out, into = os.pipe()
    with FileIO(out) as reading, FileIO(into, "w") as writing:
        yield reading, writing


def is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_it_opens_after_the_first_block_and_is_locked_while_more_may_follow(
    data: bytes, pipe: tuple[FileIO, FileIO]
) -> None:
    reading, writing = pipe
    half = len(data) // 2
    writing.write(data[:half])
    spool = PipeSpool(reading)
    assert is_locked(spool.path)
    writing.write(data[half:])
    until(lambda: spool.path.stat().st_size == len(data))
    assert is_locked(spool.path)
    writing.close()
    until(lambda: not is_locked(spool.path))
    assert spool.path.read_bytes() == data
    assert spool.path.stat().st_mode & 0o777 == 0o600
    spool.close()
    assert not spool.path.exists()


def test_a_first_block_that_arrives_in_pieces_is_waited_for(data: bytes, pipe: tuple[FileIO, FileIO]) -> None:
    reading, writing = pipe

    def drip() -> None:
        for place in range(0, 400, 7):
            writing.write(data[place : place + 7])
        writing.close()

    threading.Thread(target=drip).start()
    spool = PipeSpool(reading)
    until(lambda: not is_locked(spool.path))
    assert spool.path.read_bytes() == data[:406]
    spool.close()


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"hello", "is not a recording"), (b"\x28\xb5\x2f\xfd", "truncated")],
)
def test_input_that_is_not_a_recording_is_rejected_and_nothing_is_left(
    content: bytes, said: str, pipe: tuple[FileIO, FileIO], state_home: Path
) -> None:
    reading, writing = pipe
    writing.write(content)
    writing.close()
    with pytest.raises(RecordingError, match=f"^standard input.*{said}"):
        PipeSpool(reading)
    assert not [path for path in state_home.rglob("*") if path.is_file()]


def test_a_full_disk_is_reported_and_earlier_data_can_be_played(
    data: bytes, pipe: tuple[FileIO, FileIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = pipe
    writing.write(data[:2000])
    spool = PipeSpool(reading)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(PipeSpool, "_write", full)
    writing.write(data[2000:4000])
    until(lambda: spool.note)
    assert spool.note == "later data can't be shown: the disk is full"
    spool.close()


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_has_is_not(tmp_path: Path) -> None:
    code = "import sys, time\nfrom pathlib import Path\nfrom voicetop.replay.scratch import Scratch\n"
    code += "print(Scratch(Path(sys.argv[1])).path, flush=True)\ntime.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    left = Path(other.stdout.readline().strip())
    mine = Scratch(tmp_path)
    assert left.exists()
    other.kill()
    other.communicate()
    following = Scratch(tmp_path)
    assert not left.exists()
    assert mine.path.exists()
    assert mine.path.stat().st_mode & 0o777 == 0o700
    mine.close()
    following.close()
    assert list(tmp_path.iterdir()) == []


def test_where_the_state_folder_cannot_be_written_a_temporary_one_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = Scratch(tmp_path / "state" / "scratch")
    assert folder.path.is_relative_to(tmp_path)
    folder.close()
