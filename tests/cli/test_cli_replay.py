from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recording.recording_samples import feed, record
from voicetop.cli import console, run
from voicetop.cli.replay import parse_speed
from voicetop.errors import UsageError
from voicetop.sources.replay import ReplaySource


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[ReplaySource]:
    """What the console would have been asked to show."""
    asked: list[ReplaySource] = []

    def show(source: ReplaySource, *, args: argparse.Namespace, title: str) -> int:
        assert (args.plain, title) == (True, source.link.where)
        asked.append(source)
        source.close()
        return 0

    monkeypatch.setattr(console, "show", show)
    return asked


def test_replay_shows_the_recording(tmp_path: Path, shown: list[ReplaySource]) -> None:
    path = record(tmp_path / "a.vtr", feed(2))
    assert run(["replay", str(path), "--speed", "max", "--plain"]) == 0
    assert [source.link.where for source in shown] == [str(path)]


@pytest.mark.parametrize(("text", "speed"), [("1", 1.0), ("0.25", 0.25), ("10x", 10.0), ("max", math.inf)])
def test_a_speed_as_people_type_it(text: str, speed: float) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["0", "-1", "fast", "nan", "inf", ""])
def test_a_speed_that_is_none_says_what_to_give(text: str) -> None:
    with pytest.raises(UsageError, match="give a number above 0"):
        parse_speed(text)


@pytest.mark.parametrize("content", [None, b"", b"hello"])
def test_a_bad_file_is_one_line_and_exit_2_before_any_screen(
    tmp_path: Path, content: bytes | None, shown: list[ReplaySource], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.vtr"
    if content is not None:
        path.write_bytes(content)
    assert run(["replay", str(path), "--plain"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("voicetop: ")
    assert error.count("\n") == 1
    assert str(path) in error
    assert shown == []


READ_STDIN = """
import sys, asyncio
from voicetop.cli import console, run
async def count(source):
    print(len([frame async for frame in source.frames()]), source.link.where)
def show(source, args, title):
    asyncio.run(count(source))
    return 0
console.show = show
sys.exit(run(["replay", "-", "--speed", "max", "--plain"]))
"""


def test_a_dash_is_standard_input(tmp_path: Path) -> None:
    path = record(tmp_path / "a.vtr", feed(2))
    with path.open("rb") as stdin:
        ran = subprocess.run(
            [sys.executable, "-c", READ_STDIN], stdin=stdin, capture_output=True, text=True, check=True
        )
    assert ran.stdout == "2 standard input\n"


def test_a_dash_on_a_terminal_says_how_to_give_a_file(capsys: pytest.CaptureFixture[str]) -> None:
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
