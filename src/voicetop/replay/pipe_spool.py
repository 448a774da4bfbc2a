"""Copies a recording from a pipe to a temporary file, so that it can be sought in."""

from __future__ import annotations

import fcntl
import os
import threading
from typing import BinaryIO

from voicetop.errors import RecordingError
from voicetop.recording.compression import DATA_MAGIC, is_skippable
from voicetop.recording.files import explain
from voicetop.recording.reader import Reader
from voicetop.replay.scratch import Scratch

CHUNK = 256 * 1024


class PipeSpool:
    """Copies `stream` to the file at `path` as it arrives, in a thread. `note` says what went wrong.

    Waits for the first block, and raises RecordingError if it is not a recording. The file stays locked until the
    stream ends, like a recorder's, so that a player knows that more may follow.
    """

    def __init__(self, stream: BinaryIO, name: str = "standard input") -> None:
        self.note = ""
        self._stream = stream
        self._scratch = Scratch()
        self.path = self._scratch.path / "pipe.vtr"
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            more = self._begin(name)
        except BaseException:
            self.close()
            raise
        if more:
            threading.Thread(target=self._copy, name="voicetop pipe", daemon=True).start()
        else:
            self._release()

    def close(self) -> None:
        """Remove the file."""
        self._scratch.close()

    def _begin(self, name: str) -> bool:
        """Copy up to the first whole block; returns whether more may follow."""
        first = b""
        while True:
            chunk = self._read()
            first = first or chunk
            if len(first) >= len(DATA_MAGIC) and not (first.startswith(DATA_MAGIC) or is_skippable(first)):
                raise RecordingError(f"{name} is not a recording: it does not begin with a zstd frame")
            self._write(chunk)
            try:
                Reader(self.path).close()
            except RecordingError as error:
                if not chunk:
                    raise RecordingError(str(error).replace(str(self.path), name)) from None
            else:
                return bool(chunk)

    def _copy(self) -> None:
        try:
            while chunk := self._read():
                self._write(chunk)
        except OSError as error:
            self.note = f"later data can't be shown: {explain(error)}"
        finally:
            self._release()

    def _read(self) -> bytes:
        read = getattr(self._stream, "read1", self._stream.read)
        return bytes(read(CHUNK) or b"")

    def _write(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    def _release(self) -> None:
        os.close(self._fd)
