"""Temporary folders of this process, on a disk rather than in memory, removed when it ends.

They are in the state folder, readable by their owner only, each with a lock that the process holds. A folder whose lock
is free was left by a crashed process: the next one removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from voicetop.errors import RecordingError
from voicetop.locations import state_dir

LOCK = "lock"


class Scratch:
    """A new folder at `path`. Raises RecordingError if none can be made."""

    def __init__(self, home: Path | None = None) -> None:
        self._lock = -1
        home = home or state_dir() / "scratch"
        try:
            self.path = self._make(home)
        except OSError:  # not writable, or full
            try:
                self.path = self._make(Path(tempfile.gettempdir()) / f"voicetop-{os.getuid()}")
            except OSError as error:
                raise RecordingError(f"cannot write to {home}: {error.strerror}") from None

    def close(self) -> None:
        """Remove the folder and its contents."""
        if self._lock >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1

    def _make(self, home: Path) -> Path:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if home.stat().st_uid != os.getuid():
            raise PermissionError(13, "it belongs to another user")
        _sweep(home)
        path = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=home))
        self._lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return path


def _sweep(home: Path) -> None:
    """Remove the folders of processes that have ended."""
    for folder in home.iterdir():
        with contextlib.suppress(OSError):
            lock = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
