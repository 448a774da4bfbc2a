"""`voicetop record`: a real process on a real hub, ended by real signals."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.clients import publisher, send, turn, until
from recording.recording_samples import read_all
from voicetop.cli import parse, run
from voicetop.hub import Hub, HubConfig
from voicetop.recording import read
from voicetop.wire.frames import Welcome

SERVICE = Path(__file__).parents[2] / "examples" / "voicetop-record.service"


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub(HubConfig(port=0))
    await hub.start()
    yield hub
    await hub.close()


async def recording(*words: str, stdout: int = subprocess.PIPE) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "voicetop",
        "record",
        *words,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
    )


def recorded(path: Path, word: bytes) -> int:
    if not path.exists() or not path.stat().st_size:
        return 0
    with read(path) as frames:
        return sum(frame.count(word) for frame in frames)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
async def test_a_signal_closes_the_file_cleanly(hub: Hub, tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "a.vtr"
    process = await recording(hub.url, "-o", str(path))
    await until(lambda: recorded(path, b"heartbeat") > 0, 15)
    connection = await publisher(hub.url)
    await send(connection, *(turn(n) for n in range(20)))
    await until(lambda: recorded(path, b"e2e_ms") == 20, 15)
    process.send_signal(number)
    _, said = await asyncio.wait_for(process.communicate(), 40)
    await connection.close()
    assert process.returncode == 0
    assert f"records in {path}" in said.decode()
    assert path.stat().st_mode & 0o777 == 0o600
    records, notes = read_all(path)
    assert notes == []
    assert isinstance(records[0], Welcome)
    assert records[0].state


async def test_standard_output_gets_the_recording_as_it_grows(hub: Hub, tmp_path: Path) -> None:
    recorder = await recording(hub.url, "-o", "-")
    assert recorder.stdout is not None
    data = b""
    async with asyncio.timeout(60):
        while b"\x28\xb5\x2f\xfd" not in data[8:]:
            data += await recorder.stdout.read(65_536)
    recorder.terminate()
    rest, _ = await asyncio.wait_for(recorder.communicate(), 40)
    path = tmp_path / "piped.vtr"
    path.write_bytes(data + rest)
    records, notes = read_all(path)
    assert notes == []
    assert len(records) > 1


async def test_a_reader_that_goes_away_ends_it_with_one_line(hub: Hub) -> None:
    reading, writing = os.pipe()
    process = await recording(hub.url, "-o", "-", stdout=writing)
    os.close(writing)
    assert await asyncio.to_thread(os.read, reading, 10)
    os.close(reading)
    _, said = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode == 1
    assert b"its reader is gone" in said
    assert b"Traceback" not in said


async def test_a_folder_gets_shards_that_replay_as_one(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    process = await recording(hub.url, "-o", f"{folder}/", "--shard", "1s")
    connection = await publisher(hub.url)
    numbers = iter(range(10_000))

    async def enough() -> bool:
        await send(connection, *(turn(next(numbers)) for _ in range(3)))
        return len(list(folder.glob("*.vtr"))) >= 4

    await until(enough, 20)
    process.terminate()
    await asyncio.wait_for(process.communicate(), 40)
    await connection.close()
    records, notes = read_all(folder)
    seqs = [record[0] for record in records if not isinstance(record, Welcome) and not record[2]]
    assert notes == []
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())


def test_recording_needs_no_engine() -> None:
    code = (
        "import sys\nfrom voicetop.cli import parse\nparse(['record', '-o', 'x.vtr'])\n"
        "print([n for n in ('numpy', 'textual', 'voicetop.engine', 'voicetop.session') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "name the output: add -o FILE"),
        (["-o", "a.vtr", "--keep", "7d"], "--keep needs a folder of files: give -o FOLDER/"),
        (["-o", "-", "--shard", "1h"], "--shard needs a folder"),
        (["-o", "x/", "--shard", "soon"], "'soon' is not a length of time"),
        (["-o", "x/", "--shard", "5ms"], "--shard 5ms: give at least 1s"),
        (["-o", "x/", "--keep-size", "much"], "'much' is not a size"),
        (["http://hub", "-o", "a.vtr"], "did you mean ws://hub"),
        (["-o", "missing/a.vtr"], "cannot record to missing/a.vtr"),
    ],
)
def test_what_cannot_work_is_one_clear_line(
    words: list[str],
    why: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["record", *words]) == 2
    said = capsys.readouterr().err
    assert why in said
    assert said.count("\n") == 1


async def test_a_second_recorder_of_the_same_file_is_refused(tmp_path: Path) -> None:
    from voicetop.recording import Recorder

    with Recorder(tmp_path / "a.vtr"):
        process = await recording("-o", str(tmp_path / "a.vtr"))
        _, said = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode == 2
    assert b"is being written by another recorder: record to another file" in said


def test_the_service_file_calls_it_as_it_is() -> None:
    line = next(line for line in SERVICE.read_text().splitlines() if line.startswith("ExecStart="))
    words = line.partition("voicetop record ")[2].split()
    args = parse(["record", *words])
    assert (args.url, args.keep, args.keep_size, args.shard) == ("${HUB}", "7d", "20GB", "1h")


async def test_a_full_disk_ends_it_loudly_with_what_was_recorded_whole(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "a.vtr"
    command = f"ulimit -f 8; exec {sys.executable} -m voicetop record {hub.url} -o {path}"
    process = await asyncio.create_subprocess_exec("sh", "-c", command, stderr=subprocess.PIPE)
    await until(lambda: recorded(path, b"heartbeat") > 0, 15)
    connection = await publisher(hub.url)
    rng = random.Random(1)
    async with asyncio.timeout(60):
        while process.returncode is None:
            await send(connection, *(turn(rng.getrandbits(40), note=str(rng.random())) for _ in range(20)))
            await asyncio.sleep(0.01)
    _, said = await process.communicate()
    await connection.close()
    assert process.returncode == 1
    assert f"recording to {path} stopped: the file has reached the size limit" in said.decode()
    records, notes = read_all(path)
    assert notes == []
    assert len(records) > 1


@pytest.mark.parametrize("output", ["a.vtr", "folder/"])
async def test_a_file_that_is_deleted_is_followed_by_one_that_begins_with_the_state_of_the_hub(
    hub: Hub, tmp_path: Path, output: str
) -> None:
    process = await recording(hub.url, "-o", f"{tmp_path}/{output}")
    folder = tmp_path / output if output.endswith("/") else tmp_path
    await until(lambda: any(recorded(path, b"heartbeat") for path in folder.glob("*.vtr")), 30)
    [first] = folder.glob("*.vtr")
    first.unlink()
    connection = await publisher(hub.url)
    numbers = iter(range(10_000))

    async def records_turns() -> bool:
        await send(connection, turn(next(numbers)))
        return any(recorded(path, b"e2e_ms") for path in folder.glob("*.vtr"))

    await until(records_turns, 30)
    process.terminate()
    _, said = await process.communicate()
    await connection.close()
    [second] = folder.glob("*.vtr")
    records, notes = read_all(second)
    assert notes == []
    assert isinstance(records[0], Welcome)
    assert records[0].state
    assert said.decode().count(f"{first} was deleted with all its records: from ") == 1
    assert f"the recording continues in {second}\n" in said.decode()
    assert process.returncode == 0
