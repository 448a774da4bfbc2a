"""Standard input, output and error as they may be: in any encoding, closed, a pipe without a reader, a full disk."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys

from voicetop.cli.log import say

LOOKALIKES = "voicetop.lookalikes"
LOST = {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""Errors of an output that takes no more. What writes files gives its own reasons."""


def open_closed_streams() -> None:
    """Whoever is started with a closed stream (`voicetop >&-`) gets the null device, before a file gets its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(number, "r" if name == "stdin" else "w", encoding="utf-8"))


def print_lookalikes(*, ascii_only: bool) -> None:
    """Standard output and error never fail for a character: a Latin-1 terminal gets "..." for "…".

    With `ascii_only` they get nothing but ASCII.
    """
    codecs.register_error(LOOKALIKES, _lookalike)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="ascii" if ascii_only else None, errors=LOOKALIKES)


def _lookalike(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    from voicetop.ui.style.display_options import printed_ascii

    return printed_ascii(error.object[error.start : error.end]), error.end


def give_up_output(error: OSError) -> int:
    """The exit code after standard output has failed; it is not an error if its reader has seen enough (`| head`).

    Raises `error` if it is of something else.
    """
    if error.errno not in LOST or error.filename is not None:
        raise error
    if error.errno != errno.EPIPE:
        say(f"cannot write the output: {error.strerror}")
    return 0 if error.errno == errno.EPIPE else 1


def drop_unwritten() -> None:
    """Drop what an output doesn't take: Python writes it once more at exit, and fails."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
