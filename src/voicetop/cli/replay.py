"""`voicetop replay FILE`: shows a recording on the same screens, at any time and speed."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
from collections.abc import Callable
from datetime import UTC
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from voicetop import config as configuration
from voicetop.cli import console
from voicetop.errors import UsageError
from voicetop.formatting.times import parse_end, parse_time
from voicetop.recording.extents import covered, extent
from voicetop.replay.options import PlaybackStart
from voicetop.replay.pacing import FASTEST, SLOWEST
from voicetop.replay.pipe_spool import PipeSpool

if TYPE_CHECKING:
    from voicetop.config import Config
    from voicetop.recording.notes import Notebook
    from voicetop.replay.annotations import RecordingNotes
    from voicetop.replay.memory_checkpoints import MemoryCheckpoints
    from voicetop.replay.playback_thread import TimelineSource
    from voicetop.replay.player import Player
    from voicetop.replay.recording_set import RecordingSet
    from voicetop.session import Session

STANDARD_INPUT = "standard input"

_EPILOG = """\
times: 14:05, 14:05:30, -90s or "3m ago" (before its end), +10m (after its beginning; with --until, after --at) or
2026-11-22T14:05Z. On the screen: space pauses, [ ] { } move, g goes to a time, e E to events, ? lists all keys.

a pipe is replayed while it grows, and you can move through it like a file:
  ssh host voicetop record - | voicetop replay -
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `voicetop replay`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    add = parser.add_argument
    add("file", metavar="FILE|DIR|-", help="the recording, a folder of them, or - for standard input")
    add("--at", metavar="MOMENT", default="", help="start at this time")
    add("--until", metavar="MOMENT", default="", help="pause at this time")
    add("--speed", default="1", metavar="X", help="speed relative to the original (0.25 to 1000), or max")
    add("--loop", action="store_true", help="start again at the end")
    console.screen_options(parser)


def run(args: argparse.Namespace) -> int:
    """Open the recording, then show it. Raises UsageError and RecordingError before a screen opens."""
    settings = configuration.load()
    speed = parse_speed(args.speed)
    with contextlib.ExitStack() as stack:
        if args.file == "-":
            stream = _standard_input(keys_from_terminal=not args.plain)
            console.check_screen(args)
            spool = PipeSpool(stream, STANDARD_INPUT)
            stack.callback(spool.close)
            path, where, problem = spool.path, STANDARD_INPUT, lambda: spool.note
        else:
            path, where, problem = Path(args.file), args.file, lambda: ""
            extent(path)
            console.check_screen(args)
        utc = settings.utc if args.utc is None else args.utc
        start, author = start_of(args, path, speed, utc=utc), args.user or settings.user
        player = open_player(
            path, where, start, settings, author=author, problem=problem, timeline=not args.plain
        )
        stack.callback(player.close)
        return console.show_feed(player, args, settings, where)


def open_player(
    path: Path,
    where: str,
    start: PlaybackStart,
    settings: Config,
    *,
    author: str,
    problem: Callable[[], str],
    timeline: bool = True,
) -> Player:
    """A player for the recording at `path`; without a `timeline` the recording is folded only once.

    Raises RecordingError.
    """
    from voicetop.replay.annotations import RecordingNotes
    from voicetop.replay.memory_checkpoints import MemoryCheckpoints
    from voicetop.replay.player import Player

    states = MemoryCheckpoints()
    annotations = RecordingNotes(lambda: _notebook(path, piped=where == STANDARD_INPUT), author=author)
    return Player(
        lambda new_session: _recording_set(path, new_session, states),
        where=where,
        timeline_source=_scan(settings, annotations, states) if timeline else _no_timeline(),
        config=settings.engine,
        start=start,
        problem=problem,
        annotations=annotations,
    )


def _scan(settings: Config, annotations: RecordingNotes, states: MemoryCheckpoints) -> TimelineSource:
    from voicetop.replay.timeline_scan import TimelineScan

    return TimelineScan(settings.engine, annotations, states)


def _no_timeline() -> TimelineSource:
    from voicetop.replay.live_history import LiveTimeline

    return LiveTimeline()


def _recording_set(path: Path, new_session: Callable[[], Session], states: MemoryCheckpoints) -> RecordingSet:
    from voicetop.replay.recording_set import RecordingSet  # behind the first frame, as all that needs numpy

    return RecordingSet(path, new_session, states=states)


def _notebook(path: Path, *, piped: bool) -> Notebook:
    from voicetop.recording import Reader
    from voicetop.recording.notes import Notebook

    if not piped:
        return Notebook(path)
    with Reader(path) as reader:
        return Notebook(reader.header)


def start_of(args: argparse.Namespace, path: Path, speed: float, *, utc: bool) -> PlaybackStart:
    """The start of the replay from the options. Raises UsageError for times outside the recording."""
    first, last = extent(path)
    zone = UTC if utc else None
    at = parse_time(args.at, first=first, last=last, zone=zone) if args.at else math.nan
    until = parse_end(args.until, start=at, first=first, last=last, zone=zone) if args.until else math.nan
    reached = math.inf if args.file == "-" else last
    for option, text, moment, latest in (
        ("--at", args.at, at, last),
        ("--until", args.until, until, reached),
    ):
        if moment < first - 1 or moment > latest + 1:
            raise UsageError(f"{option} {text}: {covered(path, first, last)}")
    if until <= at:
        raise UsageError(f"--until {args.until} is not after --at {args.at}")
    return PlaybackStart(at=at, until=until, speed=speed, loop=args.loop)


def _standard_input(*, keys_from_terminal: bool) -> FileIO:
    """The recording on standard input; keys are then read from the terminal itself."""
    if os.isatty(0):
        raise UsageError("standard input is a terminal: voicetop replay - < FILE")
    recording = FileIO(os.dup(0))
    if keys_from_terminal:
        with contextlib.suppress(OSError):  # without a terminal, opening the screen reports it
            terminal = os.open("/dev/tty", os.O_RDONLY)
            os.dup2(terminal, 0)
            os.close(terminal)
    return recording


def parse_speed(text: str) -> float:
    """Parse a typed speed. Raises UsageError.

    >>> parse_speed("10x"), parse_speed("max")
    (10.0, inf)
    """
    if text.lower() == "max":
        return math.inf
    try:
        speed = float(text.lower().removesuffix("x"))
    except ValueError:
        speed = math.nan
    if not SLOWEST <= speed <= FASTEST:
        raise UsageError(f"--speed {text}: give a number from {SLOWEST:g} to {FASTEST:g}, or max")
    return speed
