"""`voicetop export FILE --format …`: a recording for other programs."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from voicetop.cli.log import say
from voicetop.errors import RecordingError, UsageError, nearest
from voicetop.recording import export, read

WRITERS = {"jsonl": export.to_jsonl, "csv": export.to_csv, "openmetrics": export.to_openmetrics}


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `voicetop export`."""
    parser.add_argument(
        "file", metavar="FILE", help="the recording, a folder of them, or - for standard input"
    )
    parser.add_argument(
        "--format", default="jsonl", metavar="F", help="jsonl (default), csv, openmetrics, parquet"
    )
    parser.add_argument(
        "-o", "--output", metavar="OUT", default="-", help="output file (default: standard output)"
    )


def run(args: argparse.Namespace) -> int:
    """Export. Raises UsageError and RecordingError."""
    if args.format not in (*WRITERS, "parquet"):
        raise UsageError(f"--format {args.format}{nearest(args.format, (*WRITERS, 'parquet'))}")
    with read(os.fdopen(os.dup(0), "rb") if args.file == "-" else args.file) as reader:
        rows = export.records(reader, None if args.file == "-" else args.file)
        if args.output != "-":
            _to_file(args, rows)
        elif args.format == "parquet":
            raise UsageError("parquet needs a file: add -o OUT.parquet")
        else:
            _to_stdout(WRITERS[args.format], rows)
        for note in reader.notes:
            say(note)
    return 0


def _to_stdout(write: Callable[[export.Rows, TextIO], None], rows: export.Rows) -> None:
    """UTF-8 in every locale, as in a file: data must not become lookalikes."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    write(rows, sys.stdout)
    sys.stdout.flush()


def _to_file(args: argparse.Namespace, rows: export.Rows) -> None:
    """Write a new file, readable only by its owner since it contains speech."""
    try:
        fd = os.open(Path(args.output), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise RecordingError(f"{args.output} already exists: give another name with -o") from None
    except OSError as error:
        raise RecordingError(f"cannot write {args.output}: {error.strerror}") from None
    try:
        if args.format == "parquet":
            with os.fdopen(fd, "wb") as table:
                export.to_parquet(rows, table)
        else:
            with os.fdopen(fd, "w", encoding="utf-8", newline="") as out:
                WRITERS[args.format](rows, out)
    except BaseException as error:
        Path(args.output).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise RecordingError(f"cannot write {args.output}: {error.strerror}") from None
        raise
