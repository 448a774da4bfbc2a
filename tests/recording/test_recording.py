"""kill -9 of a real recording process: how much of the recording can be read afterwards."""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recording.recording_samples import Stamped, read_all, turn
from voicetop.wire.frames import Welcome

RECORD_FOREVER = """
import os, random, struct, sys, time
sys.path.insert(0, sys.argv[2])
from recording.recording_samples import batch, turn, welcome
from voicetop.recording import Recorder
recorder, rng, seq = Recorder(sys.argv[1]), random.Random(1), int(sys.argv[3])
recorder.write(welcome(seq, state=b"checkpoint"))
os.write(1, struct.pack("dq", time.monotonic(), seq))
while True:
    recorder.write(batch(seq + 1, 1.76e9 + seq / 100, *(turn(rng, 1.76e9 + seq / 100) for _ in range(7))))
    seq += 7
    os.write(1, struct.pack("dq", time.monotonic(), seq))
    time.sleep(rng.random() * 0.01)
"""
REPORT = struct.Struct("dq")
TESTS = str(Path(__file__).parent.parent)


def kill_one(path: Path, first: int, life_s: float) -> tuple[int, int]:
    """Let a process record for a while, then kill it: (last seq that it wrote 1 s before, last seq that it wrote)."""
    command = [sys.executable, "-c", RECORD_FOREVER, str(path), TESTS, str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        reported = process.stdout.read(REPORT.size)
        time.sleep(life_s)
        os.kill(process.pid, signal.SIGKILL)
        killed = time.monotonic()
        reported += process.stdout.read()
    marks = list(REPORT.iter_unpack(reported[: len(reported) // REPORT.size * REPORT.size]))
    return max((seq for at, seq in marks if at <= killed - 1.0), default=first), marks[-1][1]


def crash_again_and_again(path: Path, kills: int, seed: int) -> None:
    """Each process appends to the file that the last one left; all that any wrote in time must be there."""
    rng, first, due = random.Random(seed), 0, set[int]()
    for _ in range(kills):
        safe, last = kill_one(path, first, rng.uniform(0.0, 1.6))
        due |= set(range(first + 1, safe + 1))
        first = last + 1_000
        records, notes = read_all(path)
        seqs = [record[0] for record in records if not isinstance(record, Welcome)]
        assert due <= set(seqs)
        assert seqs == sorted(set(seqs))
        assert all("is incomplete" in note for note in notes)
    assert len(due) > 100
    check_content(records)


def check_content(records: list[Stamped | Welcome]) -> None:
    for record in records:
        if not isinstance(record, Welcome):
            assert record[3].startswith(b'{"type": "turn"')
            assert len(record[3]) > len(turn(random.Random(1), 0.0)) * 5


def crash_in_parallel(folder: Path, files: int, kills: int) -> None:
    with ThreadPoolExecutor(files) as pool:
        list(pool.map(lambda n: crash_again_and_again(folder / f"{n}.vtr", kills, n), range(files)))


def test_ten_kills_at_random_moments_lose_at_most_a_second(tmp_path: Path) -> None:
    crash_in_parallel(tmp_path, files=2, kills=5)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_200_kills_at_random_moments_lose_at_most_a_second(tmp_path: Path) -> None:
    crash_in_parallel(tmp_path, files=4, kills=50)
