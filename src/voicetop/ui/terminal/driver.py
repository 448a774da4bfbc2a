"""The only module that accesses Textual's driver: its output stream, its backlog, and writing to it.

Textual writes from a thread with a queue of 30 entries; once it is full, the whole app blocks. So nothing is painted
while the queue or the terminal still holds the last frame.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Mapping
from typing import Any

from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver


class StdoutDriver(LinuxDriver):
    """Draws on stdout. Textual draws on stderr, which may be redirected to a file: `voicetop 2>err.log`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._file = sys.__stdout__


def driver_for(usual: type[Driver]) -> type[Driver]:
    """Textual's default driver, or one that draws on stdout if stderr isn't the terminal."""
    errors = sys.__stderr__
    elsewhere = errors is None or not errors.isatty()
    return StdoutDriver if usual is LinuxDriver and elsewhere else usual


def has_taken_all(driver: Any) -> bool:
    """Whether the writer's queue is empty and the terminal accepts more.

    A pseudo-terminal is writable while its reader has fetched nearly everything. Drivers without a writer thread (in
    tests) are always ready.
    """
    writer = getattr(driver, "_writer_thread", None)
    if writer is None:
        return True
    if writer._queue.qsize():
        return False
    try:
        return bool(select.select([], [writer.fileno()], [], 0)[1])
    except (OSError, ValueError):  # closed, or a descriptor too large for select
        return True


def send(driver: Any, data: str) -> None:
    """Write an escape sequence to the terminal, in order with the frames; nothing without a driver."""
    if driver is not None:
        driver.write(data)
        driver.flush()


def takes_links(env: Mapping[str, str]) -> bool:
    """Whether OSC 8 is safe: nearly all terminals support or ignore it, a few print it.

    VTE before 0.50 crashed on it; GNU screen (without tmux) and the Linux console don't support it.
    """
    term = env.get("TERM", "")
    if term in ("", "dumb", "linux") or term.startswith(("vt", "cons")):
        return False
    if term.startswith("screen") and not env.get("TMUX"):
        return False
    version = env.get("VTE_VERSION", "")
    return not (version.isdigit() and int(version) < 5000)
