"""The file a recorder writes to: locked, and appended to in whole blocks only. `format.py` states the guarantees."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import mmap
import os
import stat
from pathlib import Path
from typing import BinaryIO

from voicetop.errors import RecordingError
from voicetop.recording.index import IndexWriter
from voicetop.recording.reader import Reader

_ID_BYTES = 4096
_REASONS = {
    errno.EPIPE: "its reader is gone",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is exhausted",
    errno.EFBIG: "the file has reached the size limit of this process",
}


class RecordingFile:
    """A recording opened and locked for appending. Raises RecordingError if it cannot be opened or locked."""

    def __init__(self, path: str | os.PathLike[str], *, durable: bool = True) -> None:
        """Without `durable` nothing is synced: cheaper, but a power loss may cost data."""
        self.path = Path(path)
        self._durable = durable
        self.index = IndexWriter()
        self._truncated = False
        self._fd = _open(self.path)
        try:
            self._regular = stat.S_ISREG(os.fstat(self._fd).st_mode)
            _lock(self._fd, self.path)
            self.size = self._cut_torn_tail() if self._regular else 0
        except BaseException:
            os.close(self._fd)
            raise

    def lost(self) -> str:
        """What has happened to the file, in words, if it isn't any more what stands under its name; else empty.

        Nothing is written to a truncated file any more: it would not begin with a header.
        """
        if not self._regular:
            return ""
        try:
            named = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return "was moved away" if os.fstat(self._fd).st_nlink else "was deleted with all its records"
        except OSError:  # it can't be seen, but maybe it can be written
            return ""
        if not os.path.samestat(named, os.fstat(self._fd)):
            return "was replaced by another file"
        self._truncated = named.st_size < self.size
        return "was truncated by another program" if self._truncated else ""

    def _cut_torn_tail(self) -> int:
        """Truncate an existing recording after its last whole block; returns its size."""
        size = os.fstat(self._fd).st_size
        if not size:
            return 0
        try:
            Reader(self.path).close()
        except RecordingError as error:
            raise RecordingError(f"{error}; record to another file") from None
        with mmap.mmap(self._fd, 0, prot=mmap.PROT_READ) as mapped, memoryview(mapped) as data:
            end = self.index.resume(data)
        if end < size:
            os.ftruncate(self._fd, end)
        return end

    def append(self, block: bytes) -> None:
        """Write one block. On OSError a partly written block is removed again."""
        rest = memoryview(b"" if self._truncated else block)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            self._undo_partial_write()
            raise
        self.size += len(block)

    def _undo_partial_write(self) -> None:
        if self._regular:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.size)

    def sync(self) -> None:
        """Flush to the disk, so that a power loss costs nothing written so far. Raises OSError."""
        if self._regular and self._durable:
            os.fsync(self._fd)

    def close(self) -> None:
        """Close and unlock; may be called again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class OneFile:
    """A recorder's only file. Another one begins only if it is deleted, moved or truncated."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def is_full(self, _at: float, _size: int, /) -> bool:
        """Never."""
        return False

    def may_wait(self, _at: float, /) -> bool:
        """It is never full."""
        return False

    def open(self, _at: float, /) -> RecordingFile:
        """The file under its own name again, or beside what stands there now. Raises RecordingError."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecordingError(f"cannot record to {self._path}: {error.strerror}") from None
        try:
            return RecordingFile(self._path)
        except RecordingError:  # what stands there is no recording, or another recorder's
            return RecordingFile(free_path(self._path))


def free_path(path: Path) -> Path:
    """`path`, or if that exists, the first of a-2.vtr, a-3.vtr, … that doesn't."""
    free, number = path, 2
    while free.exists():
        free, number = path.with_stem(f"{path.stem}-{number}"), number + 1
    return free


class StreamFile:
    """A pipe or standard output: written to and never read. Raises OSError."""

    def __init__(self, stream: BinaryIO) -> None:
        self.index = IndexWriter()
        self.size = 0
        self.path = "standard output"
        self._stream = stream

    def lost(self) -> str:
        """A stream has no name to be lost under."""
        return ""

    def append(self, block: bytes) -> None:
        """Write one block and flush it."""
        rest = memoryview(block)
        while rest:
            rest = rest[self._stream.write(rest) :]
        self._stream.flush()
        self.size += len(block)

    def sync(self) -> None:
        """Nothing to do: a stream has no disk of its own."""

    def close(self) -> None:
        """Leaves the stream open: it belongs to the caller."""


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise RecordingError(f"cannot record to {path}: {error.strerror}") from None


def _lock(fd: int, path: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RecordingError(f"{path} is being written by another recorder: record to another file") from None
    except OSError as error:
        raise RecordingError(f"cannot lock {path}: {error.strerror}; record to another file system") from None


def explain(error: OSError) -> str:
    """Why writing failed, in plain words."""
    return _REASONS.get(error.errno or 0, error.strerror or str(error))


def identity(recording: Path) -> str:
    """A recording's identity, unchanged as it grows: a hash of its header (epoch, source, time)."""
    with recording.open("rb") as file:
        first = file.read(_ID_BYTES)
    size = min(first.find(b"\x28\xb5\x2f\xfd", 1) % (_ID_BYTES + 1), len(first))
    return fingerprint(first[:size]).hex()


def fingerprint(data: bytes) -> bytes:
    """A 16-byte hash of `data`."""
    return hashlib.blake2b(data, digest_size=16).digest()
