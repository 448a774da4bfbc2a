"""An endless recording: a folder of files by time. The oldest are deleted when too old or too large in total.

Files are named after their first stamp, voicetop-20261122T140000Z.vtr, so that names sort by time, and `voicetop replay
FOLDER` plays them as one. Only files with such names are ever deleted, and never the newest. One recorder at a time may
write to a folder; it holds a lock on it.
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
from voicetop.recording.files import RecordingFile, free_path
from voicetop.recording.reader import shard_files

PATTERN = re.compile(r"voicetop-\d{8}T\d{6}Z(-\d+)?\.vtr")
FILES_PER_LIMIT = 8
"""A file is at most one part in this many of `keep_bytes`, so that deleting one loses little."""


class Shards:
    """Opens a recorder's files, one after the other. `keep_s` and `keep_bytes` of 0 delete nothing.

    A file covers stamp time from one multiple of `shard_s` seconds to the next (3600: whole hours). A full one stays in
    use for up to `state_wait_s`, until there is a state for the next one to begin with.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        shard_s: float = 3600.0,
        keep_s: float = 0.0,
        keep_bytes: int = 0,
        state_wait_s: float = 0.0,
        durable: bool = True,
        clock: Clock | None = None,
    ) -> None:
        self.folder = Path(folder)
        self._shard_s = shard_s
        self._keep_s = keep_s
        self._keep_bytes = keep_bytes
        self._clock = clock or WallClock()
        self._state_wait_s = state_wait_s
        self._durable = durable
        self._ends_at = math.inf
        self._full_at = math.nan
        self._lock = -1

    def is_full(self, at: float, size: int) -> bool:
        """Whether a record stamped `at` belongs in the next file."""
        return at >= self._ends_at or (self._keep_bytes > 0 and size * FILES_PER_LIMIT >= self._keep_bytes)

    def may_wait(self, at: float) -> bool:
        """Whether a full file stays in use at `at`, to wait for a state."""
        if not known(self._full_at):
            self._full_at = at
        return at - self._full_at < self._state_wait_s

    def open(self, at: float) -> RecordingFile:
        """Create the file that begins at `at` (epoch s) and delete old ones. Raises RecordingError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock_folder()
        except BlockingIOError:
            raise RecordingError(
                f"{self.folder} is being written by another recorder: record to another folder"
            ) from None
        except OSError as error:
            raise RecordingError(f"cannot record to {self.folder}: {error.strerror}") from None
        name = f"voicetop-{times.file_stamp(at)}.vtr"
        file = RecordingFile(free_path(self.folder / name), durable=self._durable)
        self._full_at = math.nan
        self._ends_at = (math.floor(at / self._shard_s) + 1) * self._shard_s
        self._delete_old(file.path)
        return file

    def close(self) -> None:
        """Release the folder to other recorders."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _lock_folder(self) -> None:
        if self._lock >= 0 and os.path.samestat(os.fstat(self._lock), self.folder.stat()):
            return
        self.close()  # of a folder that was deleted or moved
        lock = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise
        except OSError:  # the file system can't lock folders: each file still has its own lock
            pass
        self._lock = lock

    def _delete_old(self, newest: Path) -> None:
        """Delete the oldest files while they are too old or the total is too large."""
        files = [path for path in shard_files(self.folder) if path != newest and PATTERN.fullmatch(path.name)]
        sizes = {path: path.stat().st_size for path in files}
        room = self._keep_bytes - self._keep_bytes // FILES_PER_LIMIT
        total = sum(sizes.values())
        now = self._clock.time()
        for path in files:
            too_old = self._keep_s > 0 and now - path.stat().st_mtime > self._keep_s
            if too_old or (self._keep_bytes > 0 and total > room):
                total -= sizes[path]
                for file in (path, path.with_name(path.name + ".ckpt")):
                    with contextlib.suppress(OSError):
                        file.unlink()
