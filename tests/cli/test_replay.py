"""`voicetop replay`: real processes on real files and pipes, and one line for what can't be played."""

from __future__ import annotations

import asyncio
import math
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from msgspec import Raw

from hub.clients import publisher, send, turn
from recording.recording_samples import feed, record
from replay.replay_samples import START, sample_frames, write_sample
from voicetop.cli import run
from voicetop.cli.replay import parse_speed
from voicetop.errors import UsageError
from voicetop.hub import Hub, HubConfig
from voicetop.recording.extents import extent
from voicetop.recording.index import scan_frames
from voicetop.session import Session
from voicetop.wire.events import Heartbeat
from voicetop.wire.frames import RawBatch, Welcome
from zones import machine_zone

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("film") / "a.vtr", sample_frames(30))


def replay(*words: str, stdin: bytes | None = None, zone: str = "UTC") -> tuple[int, list[str], str]:
    """Exit code, the lines that were printed, and what was said on stderr."""
    ran = subprocess.run(
        [sys.executable, "-m", "voicetop", "replay", *words, "--plain"],
        input=stdin,
        capture_output=True,
        check=False,
        env=os.environ | {"TZ": zone},
        timeout=60,
    )
    return ran.returncode, ran.stdout.decode().splitlines(), ran.stderr.decode()


def test_it_plays_to_the_end_and_says_so(recording: Path) -> None:
    code, lines, error = replay(str(recording), "--speed", "max")
    assert code == 0
    assert lines[-1].startswith("08:53:50Z ")
    assert error == f"voicetop: {recording}: end of recording\n"


def test_lines_show_no_timeline_and_so_fold_the_recording_once(
    recording: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    folded: list[bytes] = []
    monkeypatch.setattr(Session, "feed", lambda _, frame: folded.append(frame))
    assert run(["replay", str(recording), "--plain", "--speed", "max"]) == 0
    assert "end of recording" in capsys.readouterr().err
    assert len(folded) == len(set(folded)) > 30


def test_it_begins_where_it_is_told_and_pauses_where_it_is_told(recording: Path) -> None:
    code, lines, error = replay(str(recording), "--at", "08:53:30", "--until", "-15s", "--speed", "50")
    assert code == 0
    assert "08:53:30Z" <= lines[0][:9] <= lines[-1][:9] == "08:53:35Z"
    assert error == f"voicetop: {recording}: paused as requested\n"


def quiet_day(path: Path, begins: str, ends: str) -> Path:
    """A recording with nothing but a heartbeat every five minutes."""
    at, last = (datetime.fromisoformat(text).timestamp() for text in (begins, ends))
    frames, seq = [msgspec.json.encode(Welcome(epoch="day", seq=0, at=at))], 0
    while at <= last:
        seq += 1
        beat = Raw(msgspec.json.encode(Heartbeat(ts=at, seq=seq)))
        frames.append(msgspec.json.encode(RawBatch(seq=seq, at=[(at, 1)], events=[beat])))
        at += 300
    return write_sample(path, iter(frames))


@pytest.mark.parametrize(
    ("zone", "words", "last"),
    [
        ("Europe/Berlin", ["--at", "23:50", "--until", "+10m"], "22:00:00Z"),
        ("Europe/Berlin", ["--at", "04:30", "--until", "05:00"], "04:00:00Z"),
        ("Europe/Berlin", ["--at", "23:50", "--until", "04:30"], "03:30:00Z"),
        ("Europe/Berlin", ["--at", "23:50", "--until", "+10m", "--utc"], "00:00:00Z"),
        ("Asia/Kolkata", ["--at", "2026-10-24T23:50", "--until", "+10m"], "18:30:00Z"),
    ],
)
def test_times_are_those_of_the_zone_across_a_change_of_the_clocks(
    tmp_path: Path, zone: str, words: list[str], last: str
) -> None:
    day = quiet_day(tmp_path / "day.vtr", "2026-10-24T12:00+02:00", "2026-10-25T10:00+01:00")
    code, lines, error = replay(str(day), *words, "--speed", "max", zone=zone)
    assert (code, lines[-1][:9]) == (0, last), error


def test_the_end_of_a_cut_counts_from_its_start(tmp_path: Path) -> None:
    day = quiet_day(tmp_path / "day.vtr", "2026-10-24T12:00+02:00", "2026-10-25T10:00+01:00")
    for words, expected in (
        (["--from", "23:50", "--to", "+10m"], ("2026-10-24T23:50+02:00", "2026-10-25T00:00+02:00")),
        (["--from", "23:50", "--to", "04:30"], ("2026-10-24T23:50+02:00", "2026-10-25T04:30+01:00")),
        (["--from", "23:50", "--to", "+10m", "--utc"], ("2026-10-24T23:50+00:00", "2026-10-25T00:00+00:00")),
    ):
        out = tmp_path / "part.vtr"
        with machine_zone("Europe/Berlin"):
            assert run(["cut", str(day), *words, "-o", str(out)]) == 0
        assert extent(out) == tuple(datetime.fromisoformat(text).timestamp() for text in expected)
        out.unlink()


def test_the_first_part_of_a_recording_says_that_the_rest_is_missing(
    recording: Path, tmp_path: Path, capsys: Captured
) -> None:
    whole = recording.read_bytes()
    part, out = tmp_path / "part.vtr", str(tmp_path / "out.vtr")
    part.write_bytes(whole[: len(whole) // 2])
    code, _, error = replay(str(part), "--speed", "max")
    assert code == 0
    assert error.startswith(
        f"voicetop: {part}: the rest of the recording is missing · {part} is incomplete: its records"
    )
    assert run(["cut", str(part), "-o", out]) == 0
    assert f"voicetop: {part} is incomplete: its records end at 2025-10-09T08:53:" in capsys.readouterr().err
    header = next(scan_frames(memoryview(whole)))[1]
    part.write_bytes(whole[: header + 9])
    missing = f"{part} has no records; {part} is incomplete: it has no complete record, and anything later is missing"
    for command in (
        ["cut", str(part), "-o", out],
        ["cut", str(part), "--from", "14:05", "--to", "+1m", "-o", out],
        ["replay", str(part), "--at", "14:05", "--plain"],
    ):
        assert run(command) == 2
        assert missing in (said := capsys.readouterr().err)
        assert ("1970" in said, said.count("\n")) == (False, 1)


def test_a_folder_is_played_as_one(tmp_path: Path) -> None:
    frames = list(sample_frames(30))
    write_sample(tmp_path / "a.vtr", iter(frames[:60]))
    write_sample(tmp_path / "b.vtr", iter(frames[60:]))
    code, lines, _ = replay(str(tmp_path), "--speed", "max")
    assert (code, lines[-1][:9]) == (0, "08:53:50Z")


def test_a_dash_is_standard_input_and_one_can_begin_anywhere_in_it(recording: Path) -> None:
    code, lines, error = replay(
        "-", "--at", "+1s", "--until", "+5s", "--speed", "max", stdin=recording.read_bytes()
    )
    assert (code, lines[-1][:9]) == (0, "08:53:26Z"), "5 s after --at"
    assert error == "voicetop: standard input: paused as requested\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{}", "--at", "25:00"], "'25:00' is not a time of day: type it like 14:05 or 14:05:30"),
        (["{}", "--at", "tomorrow"], "'tomorrow' is not a time"),
        (
            ["{}", "--at", "2020-01-01T00:00Z"],
            "a.vtr covers 2025-10-09T08:53:20.000Z to 2025-10-09T08:53:50.000Z",
        ),
        (["{}", "--until", "+10m"], "a.vtr covers"),
        (
            ["{}", "--at", "+9s", "--until", "2025-10-09T08:53:23Z"],
            "--until 2025-10-09T08:53:23Z is not after --at +9s",
        ),
        (["{}", "--speed", "5000"], "--speed 5000: give a number from 0.25 to 1000, or max"),
        (["{}", "--sped", "5"], "unknown option --sped; did you mean '--speed'?"),
        (["/no/such.vtr"], "cannot read /no/such.vtr: No such file or directory"),
        (["/dev/null"], "/dev/null is empty: nothing was recorded"),
        ([sys.executable], "is not a recording: it does not begin with a zstd frame"),
        ([str(Path(__file__).parent)], "contains no recordings (*.vtr)"),
    ],
)
def test_what_cannot_be_played_is_one_line_and_exit_2(
    words: list[str], said: str, recording: Path, capsys: Captured
) -> None:
    assert run(["replay", *(word.format(recording) for word in words), "--plain"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("voicetop: ")
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(("content", "said"), [(b"", "is empty"), (b"hello, world", "is not a recording")])
def test_a_pipe_without_a_recording_is_one_line(content: bytes, said: str) -> None:
    code, lines, error = replay("-", stdin=content)
    assert (code, lines) == (2, [])
    assert error.startswith("voicetop: standard input ")
    assert said in error
    assert error.count("\n") == 1


def test_a_file_of_a_later_version_says_to_update(tmp_path: Path, capsys: Captured) -> None:
    path = record(tmp_path / "a.vtr", feed(2))
    from voicetop.recording.compression import compressor

    path.write_bytes(compressor(3)(b'{"voicetop":"recording","version":9}\n'))
    assert run(["replay", str(path), "--plain"]) == 2
    assert "update voicetop" in capsys.readouterr().err


def test_a_dash_on_a_terminal_says_how_to_give_a_file(capsys: Captured) -> None:
    controller, terminal = os.openpty()
    before = os.dup(0)
    try:
        os.dup2(terminal, 0)
        assert run(["replay", "-", "--plain"]) == 2
    finally:
        os.dup2(before, 0)
        for fd in (controller, terminal, before):
            os.close(fd)
    assert capsys.readouterr().err == "voicetop: standard input is a terminal: voicetop replay - < FILE\n"


@pytest.mark.parametrize(
    ("text", "speed"), [("1", 1.0), ("0.25", 0.25), ("10x", 10.0), ("1000", 1000.0), ("max", math.inf)]
)
def test_a_speed_as_people_type_it(text: str, speed: float) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["0", "-1", "fast", "nan", "inf", "", "0.1", "1001"])
def test_a_speed_that_is_none_says_what_to_give(text: str) -> None:
    with pytest.raises(UsageError, match=r"give a number from 0\.25 to 1000, or max"):
        parse_speed(text)


async def test_what_is_recorded_to_a_pipe_is_replayed_while_it_grows() -> None:
    """voicetop record - | voicetop replay -, from a hub that lives."""
    hub = Hub(HubConfig(port=0), new_session=Session)
    await hub.start()
    voicetop = f"{sys.executable} -m voicetop"
    command = f"{voicetop} record {hub.url} -o - | {voicetop} replay - --plain"
    piped = await asyncio.create_subprocess_shell(
        f"exec bash -c '{command}'", stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert piped.stdout is not None
    agent = await publisher(hub.url)
    await send(agent, *(turn(number) for number in range(40)))
    try:
        async with asyncio.timeout(30):
            while b"live 7 " not in (line := await piped.stdout.readline()):
                assert line
            first = line
            assert await piped.stdout.readline() != first
        await agent.close()
        await hub.close()
    finally:
        os.killpg(piped.pid, 15)
        said = await asyncio.wait_for(piped.communicate(), 40)
    assert b"Traceback" not in said[1]


def test_the_beginning_is_the_recordings_own() -> None:
    assert START == 1_760_000_000.0
