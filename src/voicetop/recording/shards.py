"""A recording that never ends: a folder of files by time, the oldest of which go when they are too old or too many.

Files are called voicetop-20261122T140000Z.vtr after the first stamp in them, so that their names sort by time, and
`voicetop replay FOLDER` plays them as one. Only files of this name are ever deleted, and never the newest. A folder has
one recorder at a time, which holds a lock on it.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import re
from pathlib import Path

from voicetop.clock import Clock, WallClock
from voicetop.errors import RecordingError
from voicetop.formatting import times
from voicetop.formatting.numbers import known
from voicetop.recording.files import RecordingFile
from voicetop.recording.reader import shard_files

PATTERN = re.compile(r"voicetop-\d{8}T\d{6}Z(-\d+)?\.vtr")
PARTS_OF_SIZE = 8
"""A file is at most this share of the size that is kept, so that what goes with it is little."""


class Shards:
    """Gives a recorder its next file. Times in seconds; 0 says that nothing is to be deleted.

    A file goes from one whole multiple of `shard_s` of stamp time to the next (hours, for 3600). For up to `patience_s`
    a full one goes on until there is a state that the next can begin with.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        shard_s: float = 3600.0,
        keep_s: float = 0.0,
        keep_bytes: int = 0,
        patience_s: float = 0.0,
        durable: bool = True,
        clock: Clock | None = None,
    ) -> None:
        self.folder = Path(folder)
        self._shard_s = shard_s
        self._keep_s = keep_s
        self._keep_bytes = keep_bytes
        self._clock = clock or WallClock()
        self._patience_s = patience_s
        self._durable = durable
        self._until = math.inf
        self._full_at = math.nan
        self._lock = -1

    def is_full(self, at: float, size: int) -> bool:
        """Whether a record with the stamp `at` belongs into the next file."""
        return at >= self._until or (self._keep_bytes > 0 and size * PARTS_OF_SIZE >= self._keep_bytes)

    def waits(self, at: float) -> bool:
        """Whether a full file still goes on at `at`, for the sake of a state."""
        if not known(self._full_at):
            self._full_at = at
        return at - self._full_at < self._patience_s

    def open(self, at: float) -> RecordingFile:
        """The file that begins at `at` (epoch s); old ones are deleted. Raises RecordingError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._take()
        except BlockingIOError:
            raise RecordingError(
                f"{self.folder} is being written by another recorder: record to another folder"
            ) from None
        except OSError as error:
            raise RecordingError(f"cannot record to {self.folder}: {error.strerror}") from None
        file = RecordingFile(self._free_name(at), durable=self._durable)
        self._full_at = math.nan
        self._until = (math.floor(at / self._shard_s) + 1) * self._shard_s
        self._forget(file.path)
        return file

    def close(self) -> None:
        """Let another recorder have the folder."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _take(self) -> None:
        if self._lock >= 0:
            return
        lock = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise
        except OSError:  # a file system that locks no folders: each file still has its lock
            pass
        self._lock = lock

    def _free_name(self, at: float) -> Path:
        stem = f"voicetop-{times.file_stamp(at)}"
        path, number = self.folder / f"{stem}.vtr", 2
        while path.exists():
            path, number = self.folder / f"{stem}-{number}.vtr", number + 1
        return path

    def _forget(self, newest: Path) -> None:
        """Delete the oldest files while they are too old, or all together too large."""
        files = [path for path in shard_files(self.folder) if path != newest and PATTERN.fullmatch(path.name)]
        sizes = {path: path.stat().st_size for path in files}
        room = self._keep_bytes - self._keep_bytes // PARTS_OF_SIZE
        total = sum(sizes.values())
        now = self._clock.time()
        for path in files:
            too_old = self._keep_s > 0 and now - path.stat().st_mtime > self._keep_s
            if too_old or (self._keep_bytes > 0 and total > room):
                total -= sizes[path]
                for gone in (path, path.with_name(path.name + ".ckpt")):
                    with contextlib.suppress(OSError):
                        gone.unlink()
