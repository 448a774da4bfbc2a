"""`voicetop cut FILE --from --to -o OUT`: saves a part of a recording, with full windows from its start."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC
from math import nan
from typing import TYPE_CHECKING

from voicetop import config as configuration
from voicetop.cli import redact
from voicetop.cli.config_warnings import warn
from voicetop.cli.log import say
from voicetop.errors import UsageError
from voicetop.formatting import times
from voicetop.formatting.times import parse_end, parse_time
from voicetop.recording import read
from voicetop.recording.extents import covered, ending
from voicetop.recording.format import Header
from voicetop.recording.merge import write_recording
from voicetop.recording.notes import notes_about
from voicetop.replay.cut import cut_frames
from voicetop.replay.seek import Seeker
from voicetop.replay.session_cursor import SessionCursor

if TYPE_CHECKING:
    from voicetop.recording.redact import Redactor

_EPILOG = """\
times: 14:05, 14:05:30, 3m ago (before the end), -90s, 2026-11-22T14:05Z,
+10m (after the beginning; with --to, after --from)
  voicetop cut day.vtr --from 14:00 --to 14:20 -o incident.vtr --share
--share replaces phone numbers, e-mail addresses, card and account numbers and names, like voicetop redact.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `voicetop cut`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    add = parser.add_argument
    add("file", metavar="FILE", help="the recording")
    add("--from", dest="start", metavar="MOMENT", default="", help="start (default: its beginning)")
    add("--to", dest="end", metavar="MOMENT", default="", help="end (default: its end)")
    add("--utc", action="store_true", help="times are UTC, not this machine's time zone")
    add("-o", "--output", metavar="OUT", default="", help="the new recording")
    add("--share", action="store_true", help="remove personal data, before sharing outside your company")
    redact.what_options(parser)


def run(args: argparse.Namespace) -> int:
    """Cut. Raises UsageError and RecordingError."""
    redact.check_output(args)
    if not args.share and (args.drop_text or args.fields):
        raise UsageError("--drop-text and --fields require --share")
    from voicetop.session import Session

    settings = configuration.load()
    warn(settings)
    engine = settings.engine()
    seeker = Seeker(args.file, lambda: Session(engine))
    first, last = seeker.index.first_at, seeker.index.last_at
    zone = UTC if args.utc or settings.utc else None
    start = parse_time(args.start, first=first, last=last, zone=zone) if args.start else 0.0
    end = parse_end(args.end, start=start or nan, first=first, last=last, zone=zone) if args.end else last
    if start >= end or start > last or end < first:
        part = f" from {times.iso(start or first)} to {times.iso(end)}" if last else ""
        raise UsageError(f"nothing recorded{part}: {covered(args.file, first, last)}")
    redactor = redact.redactor(args) if args.share else None
    cursor = _shared(seeker, start, redactor) if redactor else seeker.seek(start)
    with read(args.file) as reader:
        header = Header(
            voicetop="recording",
            epoch=cursor.session.epoch or reader.header.epoch,
            source="" if redactor else reader.header.source,
            at=reader.header.at,
        )
    notes = [
        note.redacted(redactor) if redactor else note for note in notes_about(args.file, start or first, end)
    ]
    events = write_recording(args.output, cut_frames(cursor, end), header, notes)
    if end >= last and (missing := ending(args.file)):
        say(missing)
    say(f"{events:,} records in {args.output}")
    if redactor:
        redact.print_report(redactor)
    return 0


def _shared(seeker: Seeker, start: float, redactor: Redactor) -> SessionCursor:
    """The state at `start` after redacting everything before it, so that no personal data remains in the state."""

    def redacted() -> Iterator[tuple[float, bytes]]:
        with read(seeker.path) as reader:
            for at, frame in reader.stamped():
                yield at, redactor.frame(frame)

    cursor = SessionCursor(seeker.empty_session(), redacted())
    cursor.advance_to(start)
    return cursor
