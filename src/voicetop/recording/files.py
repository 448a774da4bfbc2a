"""The file under a recorder: locked, appended to in whole blocks, and left at the end of a whole block.

The rules and what they guarantee are in `format.py`.
"""

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
_FULL = {
    errno.EPIPE: "its reader is gone",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is exhausted",
    errno.EFBIG: "the file has reached the size limit of this process",
}


class RecordingFile:
    """An open recording that this process alone may append to. Raises RecordingError where that can't be had."""

    def __init__(self, path: str | os.PathLike[str], *, durable: bool = True) -> None:
        """What isn't `durable` need not survive a power loss, and costs the disk less."""
        self.path = Path(path)
        self._durable = durable
        self.index = IndexWriter()
        self._fd = _open(self.path)
        try:
            self._regular = stat.S_ISREG(os.fstat(self._fd).st_mode)
            _lock(self._fd, self.path)
            self.size = self._cut_torn_tail() if self._regular else 0
        except BaseException:
            os.close(self._fd)
            raise

    def _cut_torn_tail(self) -> int:
        """Cut what follows the last whole block, in a file that is known to be a recording; returns its size."""
        size = os.fstat(self._fd).st_size
        if not size:
            return 0
        try:
            Reader(self.path).close()
        except RecordingError as error:
            raise RecordingError(f"{error}; record to another file") from None
        with mmap.mmap(self._fd, 0, prot=mmap.PROT_READ) as mapped, memoryview(mapped) as data:
            end = self.index.go_on(data)
        if end < size:
            os.ftruncate(self._fd, end)
        return end

    def append(self, block: bytes) -> None:
        """Write one block. Raises OSError; what was written of the block by then is taken back."""
        rest = memoryview(block)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            self._take_back()
            raise
        self.size += len(block)

    def _take_back(self) -> None:
        if self._regular:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.size)

    def sync(self) -> None:
        """See that what was written survives a power loss. Raises OSError."""
        if self._regular and self._durable:
            os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)


class StreamFile:
    """A pipe, or whatever standard output is: appended to, never looked into. Raises OSError as a pipe does."""

    def __init__(self, stream: BinaryIO) -> None:
        self.index = IndexWriter()
        self.size = 0
        self._stream = stream

    def append(self, block: bytes) -> None:
        """Hand on one block, at once."""
        rest = memoryview(block)
        while rest:
            rest = rest[self._stream.write(rest) :]
        self._stream.flush()
        self.size += len(block)

    def sync(self) -> None:
        """What was handed on is the reader's."""

    def close(self) -> None:
        """The stream is the caller's."""


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
    """Why writing failed, in words."""
    return _FULL.get(error.errno or 0, error.strerror or str(error))


def identity(recording: Path) -> str:
    """What names a recording however much it grows: a hash of its header, which has epoch, source and time."""
    with recording.open("rb") as file:
        first = file.read(_ID_BYTES)
    size = min(first.find(b"\x28\xb5\x2f\xfd", 1) % (_ID_BYTES + 1), len(first))
    return fingerprint(first[:size]).hex()


def fingerprint(data: bytes) -> bytes:
    """16 bytes that tell these from other bytes."""
    return hashlib.blake2b(data, digest_size=16).digest()
