"""Every command prints in every locale, `--ascii` prints ASCII, and an output that is gone is one line."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from voicetop.cli import run
from voicetop.cli.streams import print_lookalikes

SHIPPED = Path(__file__).parents[2] / "recordings" / "llm-outage.vtr"
RECORDING = "incident.vtr"
"""The part of it in which plain lines have every character that is not ASCII: "·", "×" and "≥"."""
LOCALES = {
    "Latin-1": {"PYTHONIOENCODING": "latin-1"},
    "ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
COMMANDS = [
    ["--help"],
    ["demo", "--help"],
    ["config", "show"],
    ["config", "check"],
    ["rules", "check"],
    ["doctor"],
    ["replay", RECORDING, "--plain", "--speed", "max"],
    ["replay", "no-such-…-≥.vtr"],
    ["export", RECORDING, "--format", "openmetrics"],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands run, with the recording."""
    made = tmp_path_factory.mktemp("incident")
    when = ["--from", "14:03:25", "--to", "14:03:40", "--utc"]
    assert run(["cut", str(SHIPPED), *when, "-o", str(made / RECORDING)]) == 0
    return made


def voicetop(*words: str, env: dict[str, str], folder: Path) -> subprocess.CompletedProcess[bytes]:
    home = {"XDG_CONFIG_HOME": str(folder), "XDG_STATE_HOME": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "voicetop", *words],
        env={**os.environ, "PYTHONIOENCODING": "", **home, **env},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("env", LOCALES.values(), ids=LOCALES)
def test_no_command_dies_of_a_character(words: list[str], env: dict[str, str], folder: Path) -> None:
    done = voicetop(*words, env=env, folder=folder)
    printed = done.stdout + done.stderr
    assert printed
    assert b"Traceback" not in printed
    assert b"UnicodeEncodeError" not in printed
    if env is LOCALES["ASCII"]:
        assert printed.isascii()


def test_plain_lines_in_a_latin_1_locale_keep_its_characters_and_replace_others(folder: Path) -> None:
    words = ("replay", RECORDING, "--plain", "--speed", "max")
    printed = voicetop(*words, env=LOCALES["Latin-1"], folder=folder).stdout.decode("latin-1")
    assert " · " in printed
    assert "×" in printed
    assert ">=" in printed
    assert "?" not in printed


@pytest.mark.parametrize("env", [{}, *LOCALES.values()], ids=["UTF-8", *LOCALES])
@pytest.mark.parametrize(
    "words",
    [
        ["replay", RECORDING, "--plain", "--speed", "max"],
        ["doctor"],
        ["replay", "no-such-…-≥.vtr", "--plain"],
    ],
    ids=" ".join,
)
def test_ascii_is_ascii_on_standard_output_and_error(
    words: list[str], env: dict[str, str], folder: Path
) -> None:
    done = voicetop(*words, "--ascii", env=env, folder=folder)
    assert (done.stdout + done.stderr).isascii()
    assert b"?" not in done.stdout


@pytest.mark.parametrize("env", LOCALES.values(), ids=LOCALES)
def test_exported_data_stays_utf_8_in_every_locale(env: dict[str, str], folder: Path) -> None:
    table = voicetop("export", RECORDING, "--format", "csv", env=env, folder=folder).stdout.decode()
    assert any(not cell.isascii() for row in csv.reader(io.StringIO(table)) for cell in row)


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [
        ("ascii", b"cafe >= 3.9 s ... - x <= +/- - ! * ? ?\n"),
        ("latin-1", b"caf\xe9 >= 3.9 s ... \xb7 \xd7 <= \xb1 - ! * ? ?\n"),
        ("utf-8", "café ≥ 3.9 s … · × ≤ ± – ▲ ● 漢 ?\n".encode()),
    ],
)
def test_what_an_encoding_lacks_is_printed_as_what_looks_like_it(
    encoding: str, printed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding=encoding))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    print_lookalikes(ascii_only=False)
    sys.stdout.write("café ≥ 3.9 s … · × ≤ ± – ▲ ● 漢 \ud800\n")
    sys.stdout.flush()
    assert out.getvalue() == printed


REPLAY = ["replay", RECORDING, "--plain", "--speed", "max"]
PRINTING = [REPLAY, ["export", RECORDING], ["config", "show"], ["--help"]]


def in_shell(redirected: str, *words: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run `voicetop WORDS REDIRECTED`."""
    return subprocess.run(
        ["sh", "-c", f'"$@" {redirected}', "sh", sys.executable, "-m", "voicetop", *words],
        env={
            **os.environ,
            "PYTHONUNBUFFERED": "",
            "XDG_CONFIG_HOME": str(folder),
            "XDG_STATE_HOME": str(folder),
        },
        cwd=folder,
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_a_full_disk_under_the_output_is_one_line(words: list[str], folder: Path) -> None:
    done = in_shell(">/dev/full", *words, folder=folder)
    said = done.stderr.decode().replace("voicetop: incident.vtr: end of recording\n", "")
    assert said == "voicetop: cannot write the output: No space left on device\n"
    assert done.returncode == 1


@pytest.mark.parametrize("words", PRINTING[1:3], ids=" ".join)
def test_a_reader_that_has_seen_enough_is_no_error(words: list[str], folder: Path) -> None:
    done = in_shell("| true", *words, folder=folder)
    assert b"Traceback" not in done.stderr
    assert b"BrokenPipe" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("redirected", ["2>/dev/full", "2>&-"])
def test_what_cannot_be_said_ends_nothing(redirected: str, folder: Path) -> None:
    done = in_shell(redirected, *REPLAY, folder=folder)
    assert b"14:03:40Z" in done.stdout
    assert done.returncode == 0
    assert in_shell(redirected, "cut", "no-such.vtr", folder=folder).returncode == 2


@pytest.mark.parametrize("words", [REPLAY, ["--help"]], ids=" ".join)
def test_closed_streams_are_the_null_device(words: list[str], folder: Path) -> None:
    done = in_shell("<&- >&-", *words, folder=folder)
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0
