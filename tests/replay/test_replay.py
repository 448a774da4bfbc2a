"""A replay can't notify, page or act on the outside: it imports nothing that could."""

from __future__ import annotations

import ast
import importlib.util
import math
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from replay.replay_samples import START, arrive, player_of, sample_frames, until, write_sample
from voicetop.recording.notes import Notebook
from voicetop.replay.annotations import RecordingNotes
from voicetop.simulator.incidents import SimulatedIncident
from voicetop.sources import Act

OUTSIDE = ("voicetop.notify", "voicetop.publish", "voicetop.hub", "voicetop.sources.socket", "websockets",
           "plyer", "urllib.request", "http.client", "smtplib", "ssl")  # fmt: skip


def imported(module: str, seen: set[str]) -> set[str]:
    """All of voicetop's modules, and all others by name, that a module imports, however late."""
    if module in seen:
        return seen
    seen.add(module)
    spec = importlib.util.find_spec(module) if module.partition(".")[0] == "voicetop" else None
    if spec is None or spec.origin is None:
        return seen
    for node in ast.walk(ast.parse(Path(spec.origin).read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if not name.startswith("voicetop") or _is_module(name):
                imported(name, seen)
    return seen


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize(
    "module",
    [
        "player",
        "cursor",
        "timeline_scan",
        "annotations",
        "live_history",
        "live_checkpoints",
        "pipe_spool",
        "timeline_cache",
    ],
)
def test_its_imports_cannot_act_on_the_outside(module: str) -> None:
    reached = imported(f"voicetop.replay.{module}", set())
    assert "voicetop.recording.reader" in reached
    assert not {name for name in reached for way in OUTSIDE if name == way or name.startswith(f"{way}.")}


@pytest.fixture
def walled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whatever opens a socket or starts a process is noted, and refused."""
    tried: list[str] = []

    def no(*args: object, **_: object) -> None:
        tried.append(str(args))
        raise AssertionError("a replay reached out")

    for where, name in ((socket.socket, "connect"), (socket.socket, "sendto"), (socket, "getaddrinfo"),
                        (subprocess, "Popen")):  # fmt: skip
        monkeypatch.setattr(where, name, no)
    return tried


def test_an_outage_that_pages_live_reaches_nobody_when_it_is_replayed(
    tmp_path: Path, walled: list[str]
) -> None:
    outage = SimulatedIncident("llm_outage", at=20.0, duration=60.0)
    path = write_sample(tmp_path / "a.vtr", sample_frames(100, calls=60, incidents=(outage,)))
    player = player_of(path, speed=math.inf)
    player.start()
    until(lambda: player.ended, 60)
    until(lambda: player.timeline.complete, 60)
    assert {note.kind for note in player.timeline.notes} & {"trouble", "alert"}
    player.close()
    assert walled == []


def test_effects_go_only_to_the_timeline(tmp_path: Path) -> None:
    player = player_of(write_sample(tmp_path / "a.vtr", sample_frames(20)), playing=False)
    player.start()
    arrive(player, START + 10)
    assert player._playback.cursor is not None
    session = player._playback.cursor.session
    assert session is not None
    assert session.on_effect == []
    player.close()


def test_operators_can_only_add_notes(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "a.vtr", sample_frames(5))
    annotations = RecordingNotes(lambda: Notebook(path), author="ada")
    for act in ("ack", "silence", "resolve", "duty", "page"):
        assert annotations.operate(Act(act, target="i1", at=START)) == (
            f"{act} works only on a live feed: a recording takes notes and bookmarks"
        )
    assert annotations.acts == []


def test_a_process_that_replays_has_loaded_nothing_that_reaches_out(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "a.vtr", sample_frames(5))
    code = (
        "import sys\nfrom voicetop.cli import run\n"
        f"assert run(['replay', {str(path)!r}, '--plain', '--speed', 'max']) == 0\n"
        "print([name for name in sys.modules if name.startswith(('voicetop.notify.', 'voicetop.publish',"
        " 'voicetop.hub', 'websockets', 'plyer')) and name != 'voicetop.notify.settings'])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"
