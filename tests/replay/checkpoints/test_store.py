"""The cache beside a recording stays right when the disk is full or the process that writes it is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recording.fleet_samples import START, record_fleet
from voicetop.replay.seek import Seeker
from voicetop.session import Session

SECONDS = 120
BUILD = """
import resource, sys
from voicetop.replay.seek import Seeker
from voicetop.session import Session

if limit := int(sys.argv[2]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
Seeker(sys.argv[1], Session, share=9.0).build()
"""


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return record_fleet(tmp_path / "a.vtr", SECONDS)


def builder(path: Path, limit: int = 0) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", BUILD, str(path), str(limit)])


def check_and_finish(path: Path) -> None:
    """What is there leads to the same states as without a cache, and building goes on from it to the end."""
    cache = Seeker(path, Session).checkpoints.path
    moments = [START + 50, START + SECONDS]
    entered = [Seeker(path, Session).seek(at).session.digest() for at in moments]
    Seeker(path, Session, share=9.0).build()
    finished = Seeker(path, Session)
    assert finished.checkpoints.saved[-1].until > START + SECONDS - 15
    assert [finished.seek(at).session.digest() for at in moments] == entered
    cache.unlink()
    assert [Seeker(path, Session).seek(at).session.digest() for at in moments] == entered


def test_a_full_disk_ends_no_building_and_leaves_what_is_right(recording: Path) -> None:
    Seeker(recording, Session, share=9.0).build()
    whole = Seeker(recording, Session).checkpoints
    whole.path.unlink()
    limit = whole.saved[3].position + whole.saved[3].size // 2
    assert builder(recording, limit).wait(60) == 0
    assert whole.path.stat().st_size <= limit
    assert 1 <= len(Seeker(recording, Session).checkpoints.saved) < len(whole.saved)
    check_and_finish(recording)


def test_who_is_killed_while_building_leaves_what_is_right(recording: Path) -> None:
    cache = Seeker(recording, Session).checkpoints.path
    process = builder(recording)
    until = time.monotonic() + 60
    while not (cache.exists() and cache.stat().st_size > 4_096) and time.monotonic() < until:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    assert Seeker(recording, Session).checkpoints.saved
    check_and_finish(recording)
