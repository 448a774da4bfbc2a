"""`voicetop`: what is wrong is one clear line and exit 2 before a screen opens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from recording.recording_samples import beat, record, welcome
from terminal.emulator import Terminal
from voicetop.cli import run

Captured = pytest.CaptureFixture[str]
CERTIFICATE = str(Path(__file__).parents[1] / "hub" / "localhost-cert.pem")


@pytest.fixture(autouse=True)
def _own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("VOICETOP_TOKEN", raising=False)
    monkeypatch.delenv("VOICETOP_URL", raising=False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("http://hub:8377/", "'http://hub:8377/' is not a hub URL: did you mean ws://hub:8377/ ?"),
        ("hub:8377", "'hub:8377' is not a hub URL: did you mean ws://hub:8377 ?"),
        (
            "ws://hub:99999",
            "'ws://hub:99999' is not a URL (Port out of range 0-65535): write it like ws://127.0.0.1:8377",
        ),
        ("wss://hub --cafile /no/such.pem", "no file /no/such.pem: --cafile takes PEM certificates"),
        (
            f"ws://hub --cafile {CERTIFICATE}",
            "--cafile is for wss://, but ws://hub isn't encrypted",
        ),
        ("ws://hub --record /no/such/a.vtr", "cannot record to /no/such/a.vtr: No such file or directory"),
        ("ws://hub --them light", None),
        ("ws://hub --theem light", "unknown option --theem; did you mean '--theme'?"),
        ("ws://hub --record", "--record needs a value; see voicetop --help"),
        ("replay a.vtr b.vtr", "'b.vtr' is one argument too many; see voicetop replay --help"),
        (
            "replya a.vtr",
            "unknown command 'replya'; did you mean 'replay'? (to open a hub, type ws://replya:8377)",
        ),
        ("ws://hub --utc --local-time", "argument --local-time: not allowed with argument --utc"),
    ],
)
def test_what_cannot_work_is_one_line_and_exit_2(words: str, said: str | None, capsys: Captured) -> None:
    if said is None:  # an abbreviation is no mistake: what is wrong is only that this is no terminal
        said = "standard output is not a terminal: add --plain for a line per second"
    else:
        words = f"{words} --plain" if not words.endswith("--record") else words
    assert run(words.split()) == 2
    assert capsys.readouterr() == ("", f"voicetop: {said}\n")


def test_the_verb_comes_first(capsys: Captured) -> None:
    assert run(["--plain", "demo"]) == 2
    assert capsys.readouterr().err == "voicetop: put the command first: voicetop demo ...\n"


def test_a_recording_is_replayed_not_connected_to(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "a.vtr"
    path.write_bytes(b"")
    assert run([str(path), "--plain"]) == 2
    assert capsys.readouterr().err == f"voicetop: {path} is a file, not a hub: try voicetop replay {path}\n"


def test_a_token_that_can_be_none_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("VOICETOP_TOKEN", "with spaces")
    assert run(["ws://hub", "--plain"]) == 2
    assert "the token (VOICETOP_TOKEN) contains spaces" in capsys.readouterr().err


def test_the_token_file_of_the_config_is_named_where_it_cannot_be_read(
    tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "voicetop").mkdir()
    (tmp_path / "voicetop" / "config.toml").write_text('token_file = "/no/such/token"\n')
    assert run(["ws://hub", "--plain"]) == 2
    assert (
        capsys.readouterr().err
        == "voicetop: /no/such/token: cannot read the token: No such file or directory\n"
    )


@pytest.mark.parametrize("verb", [[], ["demo"], ["replay", "a.vtr"]])
def test_without_a_terminal_it_names_plain_and_ends(verb: list[str], tmp_path: Path) -> None:
    record(tmp_path / "a.vtr", [welcome(0, 1.76e9), beat(1, 1.76e9)])
    done = subprocess.run(
        [sys.executable, "-m", "voicetop", *verb],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ("voicetop: standard output is not a terminal: add --plain for a line per second\n")


@pytest.mark.parametrize(
    ("words", "env", "said"),
    [
        (["--theme", "colourblind"], {}, "unknown theme 'colourblind'; did you mean 'colour-blind'?"),
        (
            [],
            {"TERM": "dumb"},
            "according to TERM, this terminal cannot position the cursor: set TERM, or add --plain",
        ),
    ],
)
def test_what_the_terminal_or_theme_lacks_is_said_before_the_screen_opens(
    words: list[str], env: dict[str, Any], said: str
) -> None:
    with Terminal(*words, columns=120, **env) as terminal:
        assert terminal.ended() == 2
        assert terminal.raw == f"voicetop: {said}\r\n".encode()


def test_errors_may_go_to_a_file_while_the_screen_stands(tmp_path: Path) -> None:
    """`voicetop replay FILE 2>err.log`: the screen is drawn on stdout then."""
    record(tmp_path / "a.vtr", [welcome(0, 1.76e9), beat(1, 1.76e9)])
    log = tmp_path / "err.log"
    with (
        log.open("wb") as errors,
        Terminal("replay", str(tmp_path / "a.vtr"), stderr=errors.fileno()) as terminal,
    ):
        terminal.shows("REPLAY a.vtr")
        terminal.press("?")
        terminal.shows("help · overview")
        terminal.press("q")
        assert terminal.ended() == 0
    assert b"\x1b" not in log.read_bytes(), "but for what is said at the end"
