"""`voicetop redact FILE -o OUT`: removes personal data from a recording."""

from __future__ import annotations

import argparse
import os
import sys

from voicetop.errors import UsageError
from voicetop.recording import read
from voicetop.recording.format import Header
from voicetop.recording.merge import write_recording
from voicetop.recording.notes import with_notes
from voicetop.recording.redact import FIELDS, Redactor

_EPILOG = f"""\
phone numbers, e-mail addresses, card and account numbers are found in all texts; names are found in these fields:
  {", ".join(FIELDS)}
Each becomes a pseudonym, the same for the same caller within the file; with VOICETOP_REDACT_KEY set, in all files
that are redacted with that key. It can't find a person who is described in words: --drop-text removes all speech.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `voicetop redact`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("file", metavar="FILE", help="the recording, or a folder of them")
    parser.add_argument("-o", "--output", metavar="OUT", default="", help="the new recording")
    what_options(parser)


def what_options(parser: argparse.ArgumentParser) -> None:
    """The options for what to remove."""
    parser.add_argument("--drop-text", action="store_true", help="remove all speech")
    parser.add_argument(
        "--fields", metavar="A,B", default="", help="fields with names, in addition to the usual ones"
    )


def run(args: argparse.Namespace) -> int:
    """Redact. Raises UsageError and RecordingError."""
    check_output(args)
    removing = redactor(args)
    with read(args.file) as frames:
        header = Header(voicetop="recording", epoch=frames.header.epoch, at=frames.header.at)
        frames_out = (removing.frame(frame) for _, frame in with_notes(frames, args.file))
        events = write_recording(args.output, frames_out, header)
        notes = frames.notes
    for note in notes:
        sys.stderr.write(f"voicetop: {note}\n")
    sys.stderr.write(f"voicetop: {events:,} records in {args.output}\n")
    print_report(removing)
    return 0


def check_output(args: argparse.Namespace) -> None:
    """Raises UsageError where no output is named."""
    if not args.output:
        raise UsageError("name the output: add -o OUT")


def redactor(args: argparse.Namespace) -> Redactor:
    """What the options ask for."""
    more = tuple(word.strip() for word in args.fields.split(",") if word.strip())
    key = os.environ.get("VOICETOP_REDACT_KEY", "").encode()
    return Redactor(key, fields=(*FIELDS, *more), drop_text=args.drop_text)


def print_report(redactor: Redactor) -> None:
    """Print the redaction report."""
    for line in redactor.report():
        sys.stderr.write(f"  {line}\n")
