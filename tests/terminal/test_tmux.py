"""`voicetop demo` in tmux, where many people will run it: live numbers, keys, and a clean terminal afterwards."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from terminal.emulator import alive, descendants

PROMPT = "ready>"

pytestmark = [
    pytest.mark.debian,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
]


class Tmux:
    """A tmux server of the test's own with one window, in which a shell runs."""

    def __init__(self, folder: Path, columns: int, lines: int) -> None:
        self._command = ["tmux", "-S", str(folder / "socket"), "-f", os.devnull]
        self._env = {
            **os.environ,
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "XDG_CONFIG_HOME": str(folder),
        }
        for name in ("COLUMNS", "LINES"):  # pytest's own terminal is not this one
            self._env.pop(name, None)
        self._run("new-session", "-d", "-x", str(columns), "-y", str(lines), "sh")

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            [*self._command, *words], env=self._env, capture_output=True, text=True, timeout=10, check=True
        )
        return done.stdout

    @property
    def text(self) -> str:
        return self._run("capture-pane", "-p")

    @property
    def shell(self) -> int:
        return int(self._run("display-message", "-p", "#{pane_pid}"))

    def asks(self, what: str) -> str:
        return self._run("display-message", "-p", f"#{{{what}}}").strip()

    def type(self, words: str) -> None:
        self._run("send-keys", "-l", words)
        self.press("Enter")

    def press(self, *keys: str) -> None:
        self._run("send-keys", *keys)

    def until(self, true: Callable[[str], object], seconds: float = 60.0) -> str:
        end = time.monotonic() + seconds
        while not true(text := self.text):
            assert time.monotonic() < end, text
            time.sleep(0.05)
        return text

    def shows(self, words: str) -> str:
        return self.until(lambda text: words in text)

    def end(self) -> None:
        subprocess.run([*self._command, "kill-server"], capture_output=True, check=False)


@pytest.fixture(params=[(80, 24), (200, 50)], ids=["80x24", "200x50"])
def tmux(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tmux]:
    window = Tmux(tmp_path, *request.param)
    yield window
    window.end()


def live_calls(text: str) -> int:
    found = re.search(r"LIVE CALLS +(\d+)", text)
    return int(found[1]) if found else 0


def test_the_demo_is_alive_obeys_keys_and_leaves_nothing_behind(tmux: Tmux) -> None:
    tmux.type(f"PS1='{PROMPT} '; clear")
    tmux.until(lambda text: text.startswith(PROMPT))
    tmux.type(f"clear; {sys.executable} -m voicetop demo --history 2")
    first = tmux.until(lambda text: live_calls(text) > 100 and "● LIVE" in text)
    children = descendants(tmux.shell)
    assert len(children) == 3
    assert "response time" in first
    assert max(map(len, first.splitlines())) <= int(tmux.asks("pane_width"))
    tmux.until(lambda text: clock(text) > clock(first))

    tmux.press("2")
    tmux.shows("── live calls")
    tmux.press("j", "j", "Enter")
    tmux.shows("── turns")
    tmux.press("Escape")
    tmux.until(lambda text: "── turns" not in text and "── live calls" in text)
    tmux.press("/")
    tmux.shows("Esc clear")
    tmux.type("billing")
    tmux.until(lambda text: re.search(r"/ billing +\d+ of \d+", text) and "billing" in text.splitlines()[6])
    tmux.press("Escape")
    tmux.until(lambda text: "/ billing" not in text)
    tmux.press("?")
    tmux.shows("Esc closes")
    tmux.press("Escape")
    tmux.until(lambda text: "Esc closes" not in text)
    tmux.press("1")
    tmux.shows("response time")

    tmux.press("q")
    tmux.until(lambda text: "LIVE CALLS" not in text and PROMPT in text)
    assert tmux.asks("alternate_on") == "0"
    assert tmux.asks("cursor_flag") == "1"
    assert tmux.asks("mouse_any_flag") == "0"
    end = time.monotonic() + 30
    while alive(children) and time.monotonic() < end:
        time.sleep(0.05)
    assert not alive(children)
    tmux.type("echo whole")
    tmux.shows("\nwhole")


def clock(text: str) -> str:
    found = re.search(r"\d\d:\d\d:\d\d", text.partition("\n")[0])
    return found[0] if found else ""
