"""`voicetop merge A B… -o OUT`: several recordings as one, in the order of their stamps."""

from __future__ import annotations

import argparse

from voicetop.cli.log import say
from voicetop.cli.redact import check_output
from voicetop.recording import read
from voicetop.recording.format import Header
from voicetop.recording.merge import Merge, write_recording


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `voicetop merge`."""
    parser.add_argument("files", metavar="FILE", nargs="+", help="the recordings")
    parser.add_argument("-o", "--output", metavar="OUT", default="", help="the new recording")


def run(args: argparse.Namespace) -> int:
    """Merge. Raises UsageError and RecordingError."""
    check_output(args)
    merge = Merge(args.files)
    headers = []
    for path in args.files:
        with read(path) as reader:
            headers.append(reader.header)
    sources = dict.fromkeys(header.source for header in headers if header.source)
    header = Header(
        voicetop="recording",
        epoch=merge.epoch or headers[0].epoch,
        source=", ".join(sources),
        at=min(header.at for header in headers),
    )
    events = write_recording(args.output, merge, header)
    for note in merge.notes:
        say(note)
    say(f"{events:,} records in {args.output}")
    return 0
