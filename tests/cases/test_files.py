"""Cases 00, 17, 28 and 31: the config, typed times and recordings."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cases.case_files import case
from hub.clients import publisher, send, turn, until
from recording.recording_samples import beat, record, welcome
from voicetop.cli import run
from voicetop.hub import Hub, HubConfig
from voicetop.recording.reader import shard_files
from voicetop.session import Session

Captured = pytest.CaptureFixture[str]
REPOSITORY = Path(__file__).parents[2]
FORMER_NAME = """
import runpy, sys, types
from voicetop.formatting import times
sys.modules["voicetop.recording.moments"] = former = types.ModuleType("moments")
former.parse_moment = times.parse_time
runpy.run_path(sys.argv[1])
"""
"""The case asks a module that has another name now."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "etc"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "etc" / "voicetop").mkdir(parents=True)
    return tmp_path


def test_00_a_config_that_is_not_toml_stops_no_replay_and_is_named_with_its_line(
    home: Path, capsys: Captured
) -> None:
    config = home / "etc" / "voicetop" / "config.toml"
    text = case("00-docs-config-example.toml").read_text()
    config.write_text(text)
    path = record(home / "a.vtr", [welcome(0, 1.76e9), *(beat(n, 1.76e9 + n) for n in range(1, 9))])
    assert run(["replay", str(path), "--plain", "--speed", "max"]) == 0
    said = capsys.readouterr()
    assert "live 0" in said.out
    assert f"voicetop: {config}" in said.err
    assert run(["config", "check"]) == 2
    _, again = [number for number, line in enumerate(text.splitlines(), 1) if line.startswith("[links]")]
    assert f"{config}, line {again}" in capsys.readouterr().err


def test_17_times_typed_across_the_end_of_summer_time_are_those_of_the_clock_on_the_wall() -> None:
    words = [sys.executable, "-c", FORMER_NAME, str(case("17-dst-moment.py"))]
    done = subprocess.run(
        words,
        env={**os.environ, "TZ": "Europe/Berlin"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    typed = dict(line.split(" -> ") for line in done.stdout.splitlines())
    assert {name.strip(): at for name, at in typed.items()} == {
        "14:05": "24 Oct 14:05 CEST",
        "23:50": "24 Oct 23:50 CEST",
        "01:55": "25 Oct 01:55 CEST",
        "02:30": "25 Oct 02:30 CET",
        "03:30": "25 Oct 03:30 CET",
        "2026-10-24T14:05": "24 Oct 14:05 CEST",
    }


async def test_28_a_recording_that_is_deleted_is_followed_by_another_and_that_is_told(tmp_path: Path) -> None:
    case("28-recording-removed.sh")
    folder = tmp_path / "x-rec"
    hub = Hub(HubConfig(port=0, record=f"{folder}/"), log=lambda _: None, new_session=Session)
    await hub.start()
    agent = await publisher(hub.url)
    await send(agent, turn(1))
    [first] = shard_files(folder)
    first.unlink()
    await until(lambda: "the recording continues" in hub._measure().recording_lost)
    assert hub._measure().recording_lost.startswith(f"{first} was deleted")
    assert len(shard_files(folder)) == 1
    await agent.close()
    await hub.close()


def test_31_until_counts_from_at(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    command = case("31-replay-at-until.sh").read_text().splitlines()[-1]
    monkeypatch.chdir(REPOSITORY)
    assert run([*shlex.split(command)[1:], "--speed", "max"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith(("14:02:59Z", "14:03:00Z"))
