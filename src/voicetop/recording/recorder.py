"""The recorder tap: wire frames in, a recording out, without the feed ever waiting for a disk.

The thread that calls `write` does no more than put the frame in a queue. A thread of the recorder's own splits
frames into lines, packs them (zstd releases the GIL) and appends blocks. Format and crash guarantee are in `format.py`.
"""

from __future__ import annotations

import os
import queue
import threading
from enum import Enum
from types import TracebackType
from typing import Self, TypeAlias

import msgspec
from msgspec import Struct

from voicetop.clock import Clock, WallClock
from voicetop.errors import RecordingError
from voicetop.recording.compression import compressor
from voicetop.recording.files import RecordingFile, explain
from voicetop.recording.format import (
    BLOCK_BYTES,
    UNDECODABLE,
    Header,
    clock_text,
    frame_line,
    gap_frame,
    header_line,
    record_lines,
)
from voicetop.wire.codec import MAX_FRAME
from voicetop.wire.frames import RawBatch

QUEUE_BYTES = 64 * 1024 * 1024
SYNC_S = 5.0
MAX_SEQ = 2**62


class _Signal(Enum):
    """What `write` and `close` tell the recorder's thread, in the order of the frames."""

    MISSING = 1
    CLOSE = 2


class _WelcomeHead(Struct, frozen=True, tag_field="type", tag="welcome"):
    epoch: str
    seq: int
    at: float = 0.0


_Queue: TypeAlias = "queue.SimpleQueue[bytes | _Signal]"
_frame_decoder: msgspec.json.Decoder[RawBatch | _WelcomeHead] = msgspec.json.Decoder(RawBatch | _WelcomeHead)
_batch_decoder = msgspec.json.Decoder(RawBatch)


class Recorder:
    """Appends frames to the recording at `path`. One thread calls `write`; another may read the state.

    Raises RecordingError at once where the file can't be had. Later trouble never raises: `failed` turns true and
    `error` says in one line what happened. A full or broken disk stops the recording (`stopped`). A slow one costs
    the frames that find `queue_bytes` of others waiting: `lost_frames` counts them and a gap in the file says where.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        epoch: str = "",
        source: str = "",
        clock: Clock | None = None,
        level: int = 3,
        flush_s: float = 0.5,
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        clock = clock or WallClock()
        self.path = path
        self.stopped = False
        self.lost_frames = 0
        self._stop_reason = ""
        self._queue_bytes = queue_bytes
        self._put_bytes = 0
        self._behind = False
        self._closed = False
        self._queue: _Queue = queue.SimpleQueue()
        header = Header(voicetop="recording", epoch=epoch, source=source, at=clock.time())
        self._writer = _begin(path, header, clock, level, flush_s)
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
            return f"the disk under {self.path} is too slow: {self.lost_frames:,} frames were not recorded"
        return ""

    @property
    def events(self) -> int:
        """Records in whole blocks of the file, written by this recorder."""
        return self._writer.events

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._writer.file.size

    @property
    def undecodable(self) -> int:
        """Frames that were no frame of the protocol: recorded as they came, since the console counts them."""
        return self._writer.undecodable

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
        except Exception as error:  # noqa: BLE001 - a thread that dies silently would be the worst of all
            self._stop(f"{type(error).__name__}: {error}")
        finally:
            self._writer.file.close()

    def _stop(self, why: str) -> None:
        until = (
            f"it ends at {clock_text(self._writer.written_at)}" if self._writer.written_at else "it is empty"
        )
        self._stop_reason = f"recording to {self.path} stopped: {why}; {until}"
        self.stopped = True


def _decode(frame: bytes) -> RawBatch | _WelcomeHead | None:
    """A frame that the codec takes, its records on one line each; None for what it refuses."""
    try:
        decoded = _frame_decoder.decode(frame)
        if isinstance(decoded, RawBatch) and (len(frame) > MAX_FRAME or not 0 <= decoded.seq < MAX_SEQ):
            return None
        return _frame_decoder.decode(_on_one_line(frame)) if b"\n" in frame or b"\r" in frame else decoded
    except UNDECODABLE:
        return None


def _on_one_line(frame: bytes) -> bytes:
    """JSON that is well formed has line ends between its tokens only, where a space means the same."""
    return frame.replace(b"\n", b" ").replace(b"\r", b" ")


def _begin(path: str | os.PathLike[str], header: Header, clock: Clock, level: int, flush_s: float) -> _Writer:
    file = RecordingFile(path)
    try:
        return _Writer(file, header, clock, level, flush_s)
    except OSError as error:
        file.close()
        raise RecordingError(f"cannot record to {path}: {explain(error)}") from None


class _Writer:
    """What runs in the recorder's thread."""

    def __init__(self, file: RecordingFile, header: Header, clock: Clock, level: int, flush_s: float) -> None:
        self.file = file
        self.taken_bytes = 0
        self.events = 0
        self.undecodable = 0
        self.written_at = 0.0
        self._clock = clock
        self._flush_s = flush_s
        self._pack = compressor(level)
        self._text: list[bytes] = []
        self._text_bytes = 0
        self._text_events = 0
        self._due = 0.0
        self._at = 0.0
        self._seq = 0
        self._epoch = header.epoch
        self._missing = False
        self._sync_at = clock.monotonic() + SYNC_S
        self._synced = True
        self._put(header_line(header))
        self._flush()

    def run(self, frames: _Queue) -> None:
        """Take frames until told to close. Raises OSError where the file takes no more."""
        while True:
            try:
                frame = frames.get(timeout=self._patience())
            except queue.Empty:
                self._flush()
                self._sync()
                continue
            if frame is _Signal.CLOSE:
                break
            self._take(frame)
            if self._text_bytes >= BLOCK_BYTES or (self._text and self._clock.monotonic() >= self._due):
                self._flush()
                self._sync()
        self._flush()
        self.file.sync()

    def _patience(self) -> float | None:
        """Seconds until something must be done though no frame came."""
        if self._text:
            return max(0.0, min(self._flush_s, self._due - self._clock.monotonic()))
        return None if self._synced else SYNC_S

    def _take(self, frame: bytes | _Signal) -> None:
        if isinstance(frame, _Signal):
            self._missing = True
        else:
            self.taken_bytes += len(frame)
            self._add(frame)

    def _add(self, frame: bytes) -> None:
        if not self._text:
            self._due = self._clock.monotonic() + self._flush_s
        decoded = _decode(frame)
        if isinstance(decoded, RawBatch):
            self._add_batch(decoded)
        elif decoded:
            self._add_welcome(decoded, frame)
        else:
            self.undecodable += 1
            self._put(frame_line(self._seq, self._at, frame))

    def _add_welcome(self, welcome: _WelcomeHead, frame: bytes) -> None:
        self._at = welcome.at or self._at
        self._tell_gap(self._at, welcome.seq + 1 if welcome.epoch == self._epoch else 0)
        self._seq, self._epoch = welcome.seq, welcome.epoch
        self._put(_on_one_line(frame) + b"\n")

    def _add_batch(self, batch: RawBatch) -> None:
        if not batch.events:
            return
        if not batch.local:
            self._tell_gap(batch.at[0][0] if batch.at else self._at, batch.seq)
        self._put(record_lines(batch))
        self._text_events += len(batch.events)
        self._seq = batch.seq if batch.local else batch.seq + len(batch.events) - 1
        self._at = batch.at[-1][0] if batch.at else self._at

    def _tell_gap(self, at: float, next_seq: int) -> None:
        if self._missing:
            self._missing = False
            gap = gap_frame(at, self._seq, max(self._seq + 1, next_seq), "recorder")
            self._put(record_lines(_batch_decoder.decode(gap)))

    def _put(self, lines: bytes) -> None:
        self._text.append(lines)
        self._text_bytes += len(lines)

    def _flush(self) -> None:
        if self._text:
            self.file.append(self._pack(b"".join(self._text)))
            self._text.clear()
            self._text_bytes = 0
            self._synced = False
            self.events += self._text_events
            self._text_events = 0
            self.written_at = self._at

    def _sync(self) -> None:
        if not self._synced and self._clock.monotonic() >= self._sync_at:
            self.file.sync()
            self._synced = True
            self._sync_at = self._clock.monotonic() + SYNC_S
