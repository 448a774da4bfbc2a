"""`voicetop redact FILE -o OUT`: removes personal data from a recording."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from voicetop.cli.log import say
from voicetop.errors import UsageError
from voicetop.recording import read
from voicetop.recording.format import Header
from voicetop.recording.merge import write_recording
from voicetop.recording.notes import with_notes
from voicetop.recording.reader import shard_files
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
    what = "the new recording; a folder (OUT/) gets one for each recording in FILE"
    parser.add_argument("-o", "--output", metavar="OUT", default="", help=what)
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
    for recording, output in _outputs(Path(args.file), args.output):
        _redact(recording, output, removing)
    print_report(removing)
    return 0


def _redact(recording: str | Path, output: str | Path, removing: Redactor) -> None:
    with read(recording) as frames:
        header = Header(voicetop="recording", epoch=frames.header.epoch, at=frames.header.at)
        frames_out = (removing.frame(frame) for _, frame in with_notes(frames, recording))
        events = write_recording(output, frames_out, header)
        notes = frames.notes
    for note in notes:
        say(note)
    say(f"{events:,} records in {output}")


def _outputs(source: Path, output: str) -> list[tuple[str | Path, str | Path]]:
    """What is written where: with a folder as output (OUT/), a file for each of the recordings. Raises UsageError."""
    if not (output.endswith("/") or Path(output).is_dir()):
        return [(source, output)]
    folder = Path(output)
    files = shard_files(source) if source.is_dir() else [source]
    if source.is_dir() and folder.exists() and folder.samefile(source):
        raise UsageError(f"{output} is the folder of the recordings: name another with -o")
    for file in files:
        read(file).close()  # before anything is written
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from None
    return [(file, folder / file.name) for file in files if file.stat().st_size]


def check_output(args: argparse.Namespace) -> None:
    """Raises UsageError where no output is named, or standard output: nobody wants a file that is called -."""
    if not args.output:
        raise UsageError("name the output: add -o OUT")
    if args.output == "-":
        raise UsageError(
            "a recording that is made of others can't go to standard output: name a file with -o"
        )


def redactor(args: argparse.Namespace) -> Redactor:
    """What the options ask for."""
    more = tuple(word.strip() for word in args.fields.split(",") if word.strip())
    key = os.environ.get("VOICETOP_REDACT_KEY", "").encode()
    return Redactor(key, fields=(*FIELDS, *more), drop_text=args.drop_text)


def print_report(redactor: Redactor) -> None:
    """Print the redaction report."""
    for line in redactor.report():
        sys.stderr.write(f"  {line}\n")
