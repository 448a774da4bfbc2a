"""The only module that accesses Textual's driver: its input, its output stream and backlog, and suspending it.

Textual writes from a thread with a queue of 30 entries; once it is full, the whole app blocks. So nothing is painted
while the queue or the terminal still holds the last frame.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from codecs import getincrementaldecoder
from collections.abc import Mapping
from typing import Any

from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver

from voicetop.clock import WallClock
from voicetop.ui.terminal.pastes import Pastes

POLL_S = 0.05


class ConsoleDriver(LinuxDriver):
    """Keeps pastes apart from keys, and comes back from a suspension however it began.

    It draws on stdout where stderr isn't a terminal; Textual draws on stderr, which may be redirected:
    `voicetop 2>err.log`.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        errors = sys.__stderr__
        if errors is None or not errors.isatty():
            self._file = sys.__stdout__

    def run_input_thread(self) -> None:
        """Read keys and pastes until `exit_event`; bytes that aren't UTF-8 don't end it, as they do in Textual's."""
        parser, pastes, clock = XTermParser(self._debug), Pastes(), WallClock()
        decode = getincrementaldecoder("utf-8")("replace").decode
        while not self.exit_event.is_set():
            data = ""
            if select.select([self.fileno], [], [], POLL_S)[0]:
                read = os.read(self.fileno, 4096)
                if not read:  # the terminal is gone
                    break
                data = decode(read)
            if text := pastes.feed(data, clock.monotonic()):
                for event in parser.feed(text):
                    self.process_message(event)
            for event in parser.tick():
                self.process_message(event)
        try:
            list(parser.feed(""))
        except (EOFError, ParseError):
            return

    def suspend_process(self) -> None:
        """Give the terminal back and stop this job. Returns when the shell continues it."""
        self._app._suspend_signal()
        self.suspend_application_mode()
        self._must_signal_resume = True
        stop_job()

    def _sigtstp_application(self, *_: object) -> None:
        self.suspend_process()

    def _sigcont_application(self, *_: object) -> None:
        """Take the terminal again. After a SIGSTOP, nothing has been given back yet."""
        if not self._must_signal_resume:
            self.suspend_application_mode()
            self._must_signal_resume = True
        self.resume_application_mode()


def stop_job() -> None:
    """Stop all processes of this job: a script or `uv run` that started the console waits for it otherwise."""
    handler = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    os.killpg(os.getpgrp(), signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, handler)
    os.kill(os.getpid(), signal.SIGSTOP)


def has_job_control() -> bool:
    """Whether a shell can continue this job; not if it is the terminal's first, as in `ssh -t host voicetop`."""
    return os.getpgrp() != os.getsid(0)


def driver_for(usual: type[Driver]) -> type[Driver]:
    """Our driver in place of Textual's for Unix terminals."""
    return ConsoleDriver if usual is LinuxDriver else usual


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
