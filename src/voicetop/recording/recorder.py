"""Records wire frames as they arrive, without the feed ever waiting for a disk.

`write` only puts the frame in a queue. The recorder's own thread splits frames into lines, compresses them (zstd
releases the GIL) and appends blocks. `format.py` describes the format and its crash guarantees.
"""

from __future__ import annotations

import math
import os
import queue
import threading
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeAlias

from voicetop.clock import Clock, WallClock
from voicetop.errors import RecordingError
from voicetop.formatting import times
from voicetop.recording.files import OneFile, RecordingFile, StreamFile, explain
from voicetop.recording.format import Header
from voicetop.recording.shards import Shards
from voicetop.recording.writer import FrameWriter, Retention, Sink

QUEUE_BYTES = 64 * 1024 * 1024
SYNC_S = 5.0
LOST_WAIT_S = 3.0
"""How long a file that takes the place of a lost one may wait for a state to begin with."""
COALESCE_S = 0.1
"""Frames that arrive faster than this are processed together: waking for each of them would take the interpreter from
the feed fifty times a second."""


class _Signal(Enum):
    """Signals to the recorder's thread, queued in order with the frames."""

    MISSING = 1
    CLOSE = 2


_Queue: TypeAlias = "queue.SimpleQueue[bytes | _Signal]"


class Recorder:
    """Appends frames to the recording at `path`. One thread calls `write`; another may read the properties.

    Raises RecordingError if the file can't be opened. Later errors never raise: `failed` turns true and `error`
    describes them in one line. A full or broken disk stops the recording (`stopped`). With a slow one, frames that find
    `queue_bytes` already waiting are dropped: `lost_frames` counts them and a gap in the file marks the place.
    With `shards`, `path` is a folder of files by time. `path` may also be an open binary stream.

    If the file is deleted, moved or truncated, another one takes its place and `loss` says so. It begins with a state
    if one is written within `lost_wait_s` after `wants_state` turns true.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | BinaryIO,
        *,
        epoch: str = "",
        source: str = "",
        clock: Clock | None = None,
        level: int = 3,
        flush_s: float = 0.5,
        queue_bytes: int = QUEUE_BYTES,
        shards: Shards | None = None,
        lost_wait_s: float = 0.0,
    ) -> None:
        clock = clock or WallClock()
        self.is_stream = not isinstance(path, (str, os.PathLike))
        """Whether the output is a stream, which can't be read back."""
        self.path = path if isinstance(path, (str, os.PathLike)) else "standard output"
        self.stopped = False
        self.lost_frames = 0
        self._stop_reason = ""
        self._queue_bytes = queue_bytes
        self._put_bytes = 0
        self._behind = False
        self._closed = False
        self._queue: _Queue = queue.SimpleQueue()
        header = Header(voicetop="recording", epoch=epoch, source=source, at=clock.time())
        self._shards = shards
        try:
            frames = _open(path, header, level=level, shards=shards, lost_wait_s=lost_wait_s)
            self._writer = _Writer(frames, clock, flush_s)
        except BaseException:
            self._unlock_folder()
            raise
        self._thread = threading.Thread(target=self._run, name="voicetop-recorder", daemon=True)
        self._thread.start()

    @property
    def failed(self) -> bool:
        """Whether any frame passed to `write` is missing from the recording."""
        return self.stopped or self.lost_frames > 0

    @property
    def error(self) -> str:
        """What went wrong, in one line; empty if nothing did."""
        if self._stop_reason:
            return self._stop_reason
        if self.lost_frames:
            return f"the disk of {self.path} is too slow: {self.lost_frames:,} frames were not recorded"
        return ""

    @property
    def lost_file(self) -> str:
        """What has happened to the file, in one line, until another one takes its place; else empty."""
        return self._writer.frames.lost_file

    @property
    def loss(self) -> str:
        """Which file was lost last, and where the recording continues; empty if none was."""
        return self._writer.frames.loss

    @property
    def wants_state(self) -> bool:
        """Whether to write a welcome with a state now, for the folder's next file to begin with."""
        return self._writer.frames.wants_state and not self.stopped

    @property
    def events(self) -> int:
        """Records that this recorder has written in whole blocks."""
        return self._writer.frames.events

    @property
    def size(self) -> int:
        """Size of the file in bytes."""
        return self._writer.frames.file.size

    @property
    def undecodable(self) -> int:
        """Invalid frames: recorded unchanged, since the console counts them."""
        return self._writer.frames.undecodable

    def write(self, frame: bytes) -> None:
        """Record a frame as received. Never blocks, never raises."""
        waiting = self._put_bytes - self._writer.processed_bytes
        if waiting > self._queue_bytes or self.stopped or self._closed:
            self.lost_frames += 1
            self._behind = True
            return
        if self._behind:
            self._behind = False
            self._queue.put(_Signal.MISSING)
        self._put_bytes += len(frame)
        self._queue.put(frame)

    def close(self, timeout: float = 10.0) -> None:
        """Write waiting frames, sync and close. Gives up on a hung disk after `timeout` seconds."""
        self._closed = True
        self._queue.put(_Signal.CLOSE)
        self._writer.closing.set()
        self._thread.join(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        try:
            self._writer.run(self._queue)
        except OSError as error:
            self._stop(explain(error))
        except RecordingError as error:
            self._stop(str(error))
        except Exception as error:  # noqa: BLE001 - the thread must not die silently
            self._stop(f"{type(error).__name__}: {error}")
        finally:
            self._writer.close()
            self._unlock_folder()

    def _unlock_folder(self) -> None:
        if self._shards is not None:
            self._shards.close()

    def _stop(self, why: str) -> None:
        until = (
            f"it ends at {times.iso(self._writer.frames.written_at)}"
            if self._writer.frames.written_at
            else "it is empty"
        )
        self._stop_reason = f"recording to {self.path} stopped: {why}; {until}"
        self.stopped = True


def _open(
    path: str | os.PathLike[str] | BinaryIO,
    header: Header,
    *,
    level: int,
    shards: Shards | None,
    lost_wait_s: float,
) -> FrameWriter:
    file: Sink
    retention: Retention | None = shards
    if shards is not None:
        file = shards.open(header.at)
    elif isinstance(path, (str, os.PathLike)):
        file, retention = RecordingFile(path), OneFile(Path(path))
    else:
        file = StreamFile(path)
    try:
        return FrameWriter(file, header, level=level, retention=retention, lost_wait_s=lost_wait_s)
    except OSError as error:
        file.close()
        raise RecordingError(f"cannot record to {path}: {explain(error)}") from None


class _Writer:
    """Runs in the recorder's thread."""

    def __init__(self, frames: FrameWriter, clock: Clock, flush_s: float) -> None:
        self.frames = frames
        self.processed_bytes = 0
        self._clock = clock
        self._flush_s = flush_s
        self._due = 0.0
        self._processed_at = -math.inf
        self._sync_at = clock.monotonic() + SYNC_S
        self.closing = threading.Event()

    def close(self) -> None:
        self.frames.file.close()

    def run(self, frames: _Queue) -> None:
        """Process frames until CLOSE. Raises OSError if writing fails."""
        while True:
            try:
                frame = frames.get(timeout=self._timeout())
            except queue.Empty:
                self._flush()
                continue
            if not self.frames.is_waiting:
                self._due = self._clock.monotonic() + self._flush_s
            self._coalesce()
            if not self._process_waiting(frame, frames):
                break
        self.frames.finish()

    def _coalesce(self) -> None:
        """If frames arrive fast, wait for more of them."""
        if self._clock.monotonic() - self._processed_at < COALESCE_S:
            self.closing.wait(COALESCE_S)
        self._processed_at = self._clock.monotonic()

    def _process_waiting(self, frame: bytes | _Signal, frames: _Queue) -> bool:
        """Process this frame and all waiting ones; False after CLOSE."""
        while frame is not _Signal.CLOSE:
            self._process(frame)
            if self.frames.is_full or (self.frames.is_waiting and self._clock.monotonic() >= self._due):
                self._flush()
                self._due = self._clock.monotonic() + self._flush_s
            if frames.empty():
                return True
            frame = frames.get()
        return False

    def _timeout(self) -> float | None:
        """Seconds until a flush or sync is due without a further frame; None if neither is."""
        if self.frames.is_waiting:
            return max(0.0, min(self._flush_s, self._due - self._clock.monotonic()))
        return SYNC_S if self.frames.unsynced else None

    def _process(self, frame: bytes | _Signal) -> None:
        if isinstance(frame, _Signal):
            self.frames.missing = True
            return
        self.processed_bytes += len(frame)
        self.frames.add(frame)

    def _flush(self) -> None:
        self.frames.look()
        self.frames.flush()
        self._sync()

    def _sync(self) -> None:
        if self.frames.unsynced and self._clock.monotonic() >= self._sync_at:
            self.frames.sync()
            self._sync_at = self._clock.monotonic() + SYNC_S
