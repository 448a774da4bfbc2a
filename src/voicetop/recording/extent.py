"""From when to when a recording goes, without what it takes to fold it: asked before a screen opens."""

from __future__ import annotations

import os
from pathlib import Path

from voicetop.errors import RecordingError
from voicetop.recording.index import BlockIndex
from voicetop.recording.reader import Reader, shard_files


def extent(path: str | os.PathLike[str]) -> tuple[float, float]:
    """The first and the last stamp of a recording, or of a folder of them; 0.0 of none. Raises RecordingError."""
    Reader(path).close()
    files = shard_files(path) if Path(path).is_dir() else [Path(path)]
    try:
        first, last = BlockIndex(files[0]), BlockIndex(files[-1])
    except (OSError, ValueError) as error:  # ValueError: an empty file can't be mapped
        raise RecordingError(f"cannot read {path}: {error}") from None
    return first.first_at, max(first.last_at, last.last_at)
