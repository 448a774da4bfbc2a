"""`voicetop replay`: real processes on real files and pipes, and one line for what can't be played."""

from __future__ import annotations

import asyncio
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub.clients import publisher, send, turn
from recording.recording_samples import feed, record
from replay.replay_samples import START, sample_frames, write_sample
from voicetop.cli import run
from voicetop.cli.replay import parse_speed
from voicetop.errors import UsageError
from voicetop.hub import Hub, HubConfig
from voicetop.session import Session

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("film") / "a.vtr", sample_frames(30))


def replay(*words: str, stdin: bytes | None = None) -> tuple[int, list[str], str]:
    """Exit code, the lines that were printed, and what was said on stderr."""
    ran = subprocess.run(
        [sys.executable, "-m", "voicetop", "replay", *words, "--plain"],
        input=stdin,
        capture_output=True,
        check=False,
        env=os.environ | {"TZ": "UTC"},
        timeout=60,
    )
    return ran.returncode, ran.stdout.decode().splitlines(), ran.stderr.decode()


def test_it_plays_to_the_end_and_says_so(recording: Path) -> None:
    code, lines, error = replay(str(recording), "--speed", "max")
    assert code == 0
    assert lines[-1].startswith("08:53:50Z ")
    assert error == f"voicetop: {recording}: end of recording\n"


def test_it_begins_where_it_is_told_and_pauses_where_it_is_told(recording: Path) -> None:
    code, lines, error = replay(str(recording), "--at", "08:53:30", "--until", "-15s", "--speed", "50")
    assert code == 0
    assert "08:53:30Z" <= lines[0][:9] <= lines[-1][:9] == "08:53:35Z"
    assert error == f"voicetop: {recording}: paused as requested\n"


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
    assert (code, lines[-1][:9]) == (0, "08:53:25Z")
    assert error == "voicetop: standard input: paused as requested\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{}", "--at", "25:00"], "'25:00' is not a time of day: type it like 14:05 or 14:05:30"),
        (["{}", "--at", "tomorrow"], "'tomorrow' is not a time"),
        (
            ["{}", "--at", "2020-01-01T00:00Z"],
            "--at 2020-01-01T00:00Z: the recording covers 2025-10-09T08:53:20.000Z to 2025-10-09T08:53:50.000Z",
        ),
        (["{}", "--until", "+10m"], "--until +10m: the recording covers"),
        (["{}", "--at", "+9s", "--until", "+3s"], "--until +3s is not after --at +9s"),
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
