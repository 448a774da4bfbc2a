"""`voicetop replay FILE`: a recording on the same screen."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
from io import FileIO

from voicetop.cli import console
from voicetop.errors import UsageError
from voicetop.sources.replay import ReplaySource


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `voicetop replay`."""
    parser.add_argument(
        "file", metavar="FILE|DIR|-", help="the recording, a folder of them, or - for standard input"
    )
    parser.add_argument(
        "--speed", default="1", metavar="X", help="how many times its own pace (0.25, 10, ...), or max"
    )
    console.screen_options(parser)


def run(args: argparse.Namespace) -> int:
    """Open the recording, then show it. Raises UsageError and RecordingError before a screen opens."""
    speed = parse_speed(args.speed)
    recording = _standard_input(keys_from_terminal=not args.plain) if args.file == "-" else args.file
    source = ReplaySource(recording, speed=speed)
    return console.show(source, args=args, title=source.link.where)


def _standard_input(*, keys_from_terminal: bool) -> FileIO:
    """The recording that comes in by a pipe; a screen's keys then come from the terminal itself."""
    if os.isatty(0):
        raise UsageError("standard input is a terminal: voicetop replay - < FILE")
    recording = FileIO(os.dup(0))
    if keys_from_terminal:
        with contextlib.suppress(OSError):  # no terminal: whoever opens the screen says so
            terminal = os.open("/dev/tty", os.O_RDONLY)
            os.dup2(terminal, 0)
            os.close(terminal)
    return recording


def parse_speed(text: str) -> float:
    """A speed as a person types it. Raises UsageError for what is none.

    >>> parse_speed("10x"), parse_speed("max")
    (10.0, inf)
    """
    if text.lower() == "max":
        return math.inf
    try:
        speed = float(text.lower().removesuffix("x"))
    except ValueError:
        speed = math.nan
    if not 0 < speed <= 1_000_000:
        raise UsageError(f"--speed {text}: give a number above 0 (0.25, 1, 10) or max")
    return speed
