"""The log of commands that run on: a line on stderr, with its time in UTC."""

from __future__ import annotations

import contextlib
import sys

from voicetop.clock import WallClock
from voicetop.formatting import times


def log(line: str) -> None:
    """Write a line. That whoever read stderr is gone ends nothing: the hub, the pager or the recording goes on."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{times.iso(WallClock().time(), 'seconds')} {line}\n")
        sys.stderr.flush()
