"""The recorder tap: wire frames in, a recording out, without the feed ever waiting for a disk.

The thread that calls `write` does no more than put the frame in a queue. A thread of the recorder's own splits
frames into lines, packs them (zstd releases the GIL) and appends blocks. Format and crash guarantee are in `format.py`.
"""

from __future__ import annotations

import math
import os
import queue
import threading
from enum import Enum
from types import TracebackType
from typing import BinaryIO, Self, TypeAlias

from voicetop.clock import Clock, WallClock
from voicetop.errors import RecordingError
from voicetop.formatting import times
from voicetop.recording.files import RecordingFile, StreamFile, explain
from voicetop.recording.format import Header
from voicetop.recording.shards import Shards
from voicetop.recording.writer import FrameWriter, Sink

QUEUE_BYTES = 64 * 1024 * 1024
SYNC_S = 5.0
GATHER_S = 0.1
"""Frames that follow each other faster than this are taken together: a thread that wakes for each of them takes the
interpreter from the feed fifty times a second."""


class _Signal(Enum):
    """What `write` and `close` tell the recorder's thread, in the order of the frames."""

    MISSING = 1
    CLOSE = 2


_Queue: TypeAlias = "queue.SimpleQueue[bytes | _Signal]"


class Recorder:
    """Appends frames to the recording at `path`. One thread calls `write`; another may read the state.

    Raises RecordingError at once where the file can't be had. Later trouble never raises: `failed` turns true and
    `error` says in one line what happened. A full or broken disk stops the recording (`stopped`). A slow one costs
    the frames that find `queue_bytes` of others waiting: `lost_frames` counts them and a gap in the file says where.
    With `shards`, `path` is a folder of files by time; an open binary stream instead of a path gets the bytes.
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
    ) -> None:
        clock = clock or WallClock()
        self.streams = not isinstance(path, (str, os.PathLike))
        """Whether what is written can't be read again."""
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
            self._writer = _begin(path, header, clock, level=level, flush_s=flush_s, shards=shards)
        except BaseException:
            self._let_go()
            raise
        self._thread = threading.Thread(target=self._run, name="voicetop-recorder", daemon=True)
        self._thread.start()

    @property
    def failed(self) -> bool:
        """Whether the recording lacks anything that was given to it."""
        return self.stopped or self.lost_frames > 0

    @property
    def error(self) -> str:
        """What went wrong, in one line; empty while all is well."""
        if self._stop_reason:
            return self._stop_reason
        if self.lost_frames:
            return f"the disk of {self.path} is too slow: {self.lost_frames:,} frames were not recorded"
        return ""

    @property
    def wants_state(self) -> bool:
        """Whether a welcome with a state would be welcome now: the next file of the folder begins with it."""
        return self._writer.frames.wants_state and not self.stopped

    @property
    def events(self) -> int:
        """Records in whole blocks of the file, written by this recorder."""
        return self._writer.frames.events

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._writer.frames.file.size

    @property
    def undecodable(self) -> int:
        """Frames that were no frame of the protocol: recorded as they came, since the console counts them."""
        return self._writer.frames.undecodable

    def write(self, frame: bytes) -> None:
        """Record this frame: a welcome or a batch, exactly as it came. Never blocks, never raises."""
        waiting = self._put_bytes - self._writer.taken_bytes
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
        """Write what is waiting, sync, close. A disk that hangs is left alone after `timeout` seconds."""
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
        except Exception as error:  # noqa: BLE001 - a thread that dies silently would be the worst of all
            self._stop(f"{type(error).__name__}: {error}")
        finally:
            self._writer.close()
            self._let_go()

    def _let_go(self) -> None:
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


def _begin(
    path: str | os.PathLike[str] | BinaryIO,
    header: Header,
    clock: Clock,
    *,
    level: int,
    flush_s: float,
    shards: Shards | None,
) -> _Writer:
    file: Sink
    if shards is not None:
        file = shards.open(clock.time())
    elif isinstance(path, (str, os.PathLike)):
        file = RecordingFile(path)
    else:
        file = StreamFile(path)
    try:
        return _Writer(FrameWriter(file, header, level=level, shelf=shards), clock, flush_s)
    except OSError as error:
        file.close()
        raise RecordingError(f"cannot record to {path}: {explain(error)}") from None


class _Writer:
    """What runs in the recorder's thread."""

    def __init__(self, frames: FrameWriter, clock: Clock, flush_s: float) -> None:
        self.frames = frames
        self.taken_bytes = 0
        self._clock = clock
        self._flush_s = flush_s
        self._due = 0.0
        self._taken_at = -math.inf
        self._sync_at = clock.monotonic() + SYNC_S
        self.closing = threading.Event()

    def close(self) -> None:
        self.frames.file.close()

    def run(self, frames: _Queue) -> None:
        """Take frames until told to close. Raises OSError where the file takes no more."""
        while True:
            try:
                frame = frames.get(timeout=self._patience())
            except queue.Empty:
                self.frames.flush()
                self._sync()
                continue
            if not self.frames.is_waiting:
                self._due = self._clock.monotonic() + self._flush_s
            self._gather()
            if not self._take_all(frame, frames):
                break
        self.frames.finish()

    def _gather(self) -> None:
        """Let frames come together, where they come fast."""
        if self._clock.monotonic() - self._taken_at < GATHER_S:
            self.closing.wait(GATHER_S)
        self._taken_at = self._clock.monotonic()

    def _take_all(self, frame: bytes | _Signal, frames: _Queue) -> bool:
        """Take this frame and all that wait behind it; False at the end."""
        while frame is not _Signal.CLOSE:
            self._take(frame)
            if self.frames.is_full or (self.frames.is_waiting and self._clock.monotonic() >= self._due):
                self.frames.flush()
                self._sync()
                self._due = self._clock.monotonic() + self._flush_s
            if frames.empty():
                return True
            frame = frames.get()
        return False

    def _patience(self) -> float | None:
        """Seconds until something must be done though no frame came."""
        if self.frames.is_waiting:
            return max(0.0, min(self._flush_s, self._due - self._clock.monotonic()))
        return SYNC_S if self.frames.unsynced else None

    def _take(self, frame: bytes | _Signal) -> None:
        if isinstance(frame, _Signal):
            self.frames.missing = True
            return
        self.taken_bytes += len(frame)
        self.frames.add(frame)

    def _sync(self) -> None:
        if self.frames.unsynced and self._clock.monotonic() >= self._sync_at:
            self.frames.sync()
            self._sync_at = self._clock.monotonic() + SYNC_S
