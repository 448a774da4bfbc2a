"""The one module that looks behind Textual's driver: where it draws, whether the terminal has taken it, how to write.

Textual writes from a thread with a queue of 30 places; once it is full the whole app stands still. So nothing is
painted while the queue or the terminal still holds the last frame.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Mapping
from typing import Any

from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver


class StdoutDriver(LinuxDriver):
    """Draws on stdout. Textual's own draws on stderr, which somebody may want in a file: `voicetop 2>err.log`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._file = sys.__stdout__


def driver_for(usual: type[Driver]) -> type[Driver]:
    """The driver that Textual would take, or one that draws on stdout where stderr isn't the terminal."""
    errors = sys.__stderr__
    elsewhere = errors is None or not errors.isatty()
    return StdoutDriver if usual is LinuxDriver and elsewhere else usual


def has_taken_all(driver: Any) -> bool:
    """Whether everything written has left the writer's queue and the terminal has room for more.

    A pseudo-terminal counts as writable while it holds next to nothing that its reader hasn't fetched. Drivers
    without a writer thread (a test's) are always ready.
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
    """Write a sequence of our own to the terminal, in order with the frames; nothing where there is no driver."""
    if driver is not None:
        driver.write(data)
        driver.flush()


def takes_links(env: Mapping[str, str]) -> bool:
    """Whether OSC 8 may be written: nearly all terminals know it or drop it, a few print it.

    VTE before 0.50 crashed on it; GNU screen (without tmux) and the console of Linux are too old for it.
    """
    term = env.get("TERM", "")
    if term in ("", "dumb", "linux") or term.startswith(("vt", "cons")):
        return False
    if term.startswith("screen") and not env.get("TMUX"):
        return False
    version = env.get("VTE_VERSION", "")
    return not (version.isdigit() and int(version) < 5000)
