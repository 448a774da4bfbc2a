"""What commands tell on stderr. A closed stderr or a full disk must not stop the hub, the watcher or the recording."""

from __future__ import annotations

import contextlib
import sys

from voicetop.clock import WallClock
from voicetop.formatting import times


def log(line: str) -> None:
    """A line of the log of a long-running command, with its UTC time."""
    _write(f"{times.iso(WallClock().time(), 'seconds')} {line}\n")


def say(note: object) -> None:
    """A line that a command tells its user beside its output."""
    _write(f"voicetop: {note}\n")


def _write(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(line)
        sys.stderr.flush()
