"""The log of long-running commands: lines on stderr with UTC times."""

from __future__ import annotations

import contextlib
import sys

from voicetop.clock import WallClock
from voicetop.formatting import times


def log(line: str) -> None:
    """Write a line. A closed stderr must not stop the hub, the watcher or the recording."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{times.iso(WallClock().time(), 'seconds')} {line}\n")
        sys.stderr.flush()
