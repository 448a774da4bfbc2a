from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import voicetop


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(args, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_one_line(option: str) -> None:
    done = run(sys.executable, "-m", "voicetop", option)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"voicetop {voicetop.__version__}\n", "")


def test_the_version_imports_next_to_nothing() -> None:
    after = "from voicetop.__main__ import main; sys.argv[1:] = ['--version']; main()"
    loaded = imported_by(after) - imported_by("pass")
    assert loaded <= {"voicetop", "voicetop.__main__", "__future__"} | imported_by("import typing")


def imported_by(code: str) -> set[str]:
    return set(
        run(sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)").stderr.split()
    )


def test_the_installed_command_says_the_same() -> None:
    command = Path(sys.executable).parent / "voicetop"
    if not command.exists():
        pytest.skip("voicetop is not installed as a command here")
    assert run(str(command), "--version").stdout == f"voicetop {voicetop.__version__}\n"


def test_an_unknown_option_is_refused_before_any_screen_opens() -> None:
    done = run(sys.executable, "-m", "voicetop", "serve", "--no-such-option")
    assert done.returncode == 2
    assert "--no-such-option" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_help_names_every_verb() -> None:
    done = run(sys.executable, "-m", "voicetop", "--help")
    assert done.returncode == 0
    for verb in ("demo", "serve", "simulate", "publish", "replay"):
        assert f"voicetop {verb}" in done.stdout
