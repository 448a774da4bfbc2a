"""From when to when a recording goes, and whether its end is missing."""

from __future__ import annotations

import collections
import os
from pathlib import Path

from voicetop.errors import RecordingError
from voicetop.formatting import times
from voicetop.recording.index import BlockIndex
from voicetop.recording.reader import Place, Reader, shard_files


def ending(path: str | os.PathLike[str]) -> str:
    """What is missing at the end of a recording, or of the last file of a folder, in one line; empty if nothing is.

    Reads only its last block. Raises RecordingError.
    """
    last = _files(path)[-1]
    with Reader(last) as reader:
        blocks = BlockIndex(last).blocks
        reader.enter(Place(blocks[-1].offset, 0))
        collections.deque(reader.stamped(), maxlen=0)
        return reader.ending


def extent(path: str | os.PathLike[str]) -> tuple[float, float]:
    """The first and last stamp of a recording or a folder; 0.0 if it has none. Raises RecordingError."""
    Reader(path).close()
    files = _files(path)
    try:
        first, last = BlockIndex(files[0]), BlockIndex(files[-1])
    except (OSError, ValueError) as error:  # ValueError: an empty file can't be mapped
        raise RecordingError(f"cannot read {path}: {error}") from None
    return first.first_at, max(first.last_at, last.last_at)


def covered(path: str | os.PathLike[str], first: float, last: float) -> str:
    """What a recording from `first` to `last` covers, and what it lacks, in words. Raises RecordingError."""
    return "; ".join(
        words
        for words in (
            f"{path} covers {times.iso(first)} to {times.iso(last)}" if last else f"{path} has no records",
            ending(path),
        )
        if words
    )


def _files(path: str | os.PathLike[str]) -> list[Path]:
    return shard_files(path) if Path(path).is_dir() else [Path(path)]
