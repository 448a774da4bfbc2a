"""voicetop in a terminal of the test's own: a pseudo-terminal whose screen pyte keeps. Only `pump` reads it."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

IN_A_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(1, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "voicetop", *sys.argv[1:]])
"""


class Terminal:
    """A terminal in which `voicetop *words` runs. `stdin` is what is piped into it, `stderr` where it goes."""

    def __init__(
        self,
        *words: str,
        columns: int = 100,
        lines: int = 30,
        stdin: int | None = None,
        stderr: int | None = None,
        **env: str,
    ) -> None:
        self.screen = pyte.Screen(columns, lines)
        self.raw = b""
        self._stream = pyte.ByteStream(self.screen)
        self._fd, terminal = os.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.before = termios.tcgetattr(terminal)
        self.process = subprocess.Popen(
            [sys.executable, "-c", IN_A_TERMINAL, *words],
            stdin=terminal if stdin is None else stdin,
            stdout=terminal,
            stderr=terminal if stderr is None else stderr,
            env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **env},
        )
        os.close(terminal)

    def pump(self, seconds: float = 0.0) -> None:
        """Read what is there, or comes in time."""
        end = time.monotonic() + seconds
        while self._fd >= 0 and select.select([self._fd], [], [], max(0.0, end - time.monotonic()))[0]:
            try:
                data = os.read(self._fd, 65536)
            except OSError:  # nobody has it open any more
                return
            self.raw += data
            self._stream.feed(data)

    @property
    def lines(self) -> list[str]:
        """What is on the screen, without blanks at the right."""
        self.pump()
        return [line.rstrip() for line in self.screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def until(self, true: Callable[[str], bool], seconds: float = 60.0) -> str:
        """Read until what is on the screen is as wanted."""
        end = time.monotonic() + seconds
        while not true(text := self.text):
            assert time.monotonic() < end, f"not on the screen in time:\n{text}"
            assert self.process.poll() is None, f"it ended:\n{text}"
            self.pump(0.05)
        return text

    def shows(self, words: str, seconds: float = 60.0) -> str:
        return self.until(lambda text: words in text, seconds)

    def press(self, keys: str) -> None:
        self.press_bytes(keys.encode())

    def press_bytes(self, keys: bytes) -> None:
        """Write all of them, as the program reads them."""
        while keys:
            keys = keys[os.write(self._fd, keys[:1024]) :]

    def modes(self) -> list[int | list[bytes | int]]:
        """How the terminal is set: as it was before, where the program has put it back."""
        return termios.tcgetattr(self._fd)

    def hang_up(self) -> None:
        """The window is closed, or ssh dies."""
        os.close(self._fd)
        self._fd = -1

    def ended(self, seconds: float = 30.0) -> int:
        """The exit code. A program that writes while nobody reads never ends."""
        end = time.monotonic() + seconds
        while (code := self.process.poll()) is None:
            assert time.monotonic() < end, f"still running:\n{self.text}"
            self.pump(0.05)
        self.pump()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if self._fd >= 0:
            os.close(self._fd)


def descendants(pid: int) -> set[int]:
    """The processes that this one has started, and those that they have (Linux)."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if after_name[0] != "Z":
            parents[int(stat.parent.name)] = int(after_name[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found and child not in found}:
        found |= more
    return found - {pid}


def alive(pids: set[int]) -> set[int]:
    """Those of them that still run."""
    return {pid for pid in pids if _state(pid) not in ("", "Z")}


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
