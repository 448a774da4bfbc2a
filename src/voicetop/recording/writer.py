"""Writes every recording: frames into lines, lines into blocks, blocks and their index into a file (see `format.py`).

The recorder runs it in its own thread; cut, merge and redact call it directly.
"""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Raw, Struct

from voicetop.formatting import times
from voicetop.recording.compression import compressor
from voicetop.recording.format import (
    BLOCK_BYTES,
    Header,
    frame_line,
    gap_frame,
    header_line,
    record_lines,
)
from voicetop.recording.index import ACTS, STATE, IndexedBlock, IndexWriter
from voicetop.wire.batches import UNDECODABLE, may_hold_acts
from voicetop.wire.codec import MAX_FRAME
from voicetop.wire.frames import RawBatch, Welcome

MAX_SEQ = 2**62
SMALL_TABLE = 4096
SMALL_BLOCK, SMALL_LEVEL = 16 * 1024, 19
"""A slow feed writes two small blocks a second with little repetition: a high level pays off, at 2 ms each."""


class Sink(Protocol):
    """Where blocks go: a locked file or a pipe. Raises OSError if writing fails."""

    index: IndexWriter

    @property
    def path(self) -> Path | str: ...

    @property
    def size(self) -> int: ...

    def lost(self) -> str: ...

    def append(self, block: bytes) -> None: ...

    def sync(self) -> None: ...

    def close(self) -> None: ...


class Retention(Protocol):
    """Opens the next file when one is full or lost: see `shards.Shards` and `files.OneFile`."""

    def is_full(self, at: float, size: int, /) -> bool: ...

    def may_wait(self, at: float, /) -> bool: ...

    def open(self, at: float, /) -> Sink: ...


class _WelcomeHead(Struct, frozen=True, tag_field="type", tag="welcome"):
    epoch: str
    seq: int
    at: float = 0.0
    server: str = ""
    deployment: str = ""
    state: Raw = Raw(b'""')


_frame_decoder: msgspec.json.Decoder[RawBatch | _WelcomeHead] = msgspec.json.Decoder(RawBatch | _WelcomeHead)
_batch_decoder = msgspec.json.Decoder(RawBatch)


class FrameWriter:
    """Writes a recording to `file`, one block per `flush`; call it when `is_full`.

    With `retention` it continues in the next file when one is full, or lost, then waiting up to `lost_wait_s` for a
    state; a frame is never split between two. Not thread-safe. Raises OSError if writing fails.
    """

    def __init__(
        self,
        file: Sink,
        header: Header,
        *,
        level: int = 3,
        retention: Retention | None = None,
        lost_wait_s: float = 0.0,
    ) -> None:
        self.file = file
        self.events = 0
        self.undecodable = 0
        self.written_at = 0.0
        self.at = 0.0
        self.seq = 0
        self.unsynced = False
        self.missing = False
        """Frames were dropped before the next one: write a gap first."""
        self.wants_state = False
        """A file is full or lost and the next one should begin with a state: add a welcome that carries one now."""
        self.lost_file = ""
        """What has happened to the file, until the next one begins."""
        self.loss = ""
        """What happened to the file before the current one, and what that costs; empty if nothing did."""
        self._lost_at = 0.0
        self._lost_wait_s = lost_wait_s
        self._header = header
        self._epoch = header.epoch
        self._welcome: _WelcomeHead | None = None
        self._retention = retention
        self._pack = compressor(level)
        self._pack_small = compressor(max(level, SMALL_LEVEL)) if level > 1 else self._pack
        self._text: list[bytes] = []
        self._text_bytes = 0
        self._text_events = 0
        self._span = _Span()
        self._put(header_line(header))
        self.flush()

    @property
    def is_waiting(self) -> bool:
        """Whether lines wait to be written."""
        return bool(self._text)

    @property
    def is_full(self) -> bool:
        """Whether the waiting lines fill a block."""
        return self._text_bytes >= BLOCK_BYTES

    def add(self, frame: bytes) -> None:
        """Add one frame as a hub sends it."""
        decoded = _decode(frame)
        if isinstance(decoded, RawBatch):
            self._add_batch(decoded, ACTS if may_hold_acts(frame) else 0)
        elif decoded:
            self._add_welcome(decoded, frame)
        else:
            self.undecodable += 1
            self._span.note(self.seq, self.seq, self.at, self.at)
            self._put(frame_line(self.seq, self.at, frame))

    def flush(self) -> None:
        """Write the waiting lines to the file as a block."""
        if not self._text:
            return
        text = b"".join(self._text)
        packed = (self._pack_small if len(text) < SMALL_BLOCK else self._pack)(text)
        offset = self.file.size
        self.file.append(packed)
        self.file.index.add(self._span.block(offset, len(packed)), len(text))
        self._text.clear()
        self._text_bytes = 0
        self._span = _Span()
        self.unsynced = True
        self.events += self._text_events
        self._text_events = 0
        self.written_at = self.at
        if self.file.index.due:
            self._append_optional(self.file.index.index_frame())

    def look(self) -> None:
        """Notice that the file was deleted, moved or truncated: then the next frame begins another."""
        if self._retention is not None and not self.lost_file and (why := self.file.lost()):
            self.lost_file = f"{self.file.path} {why}"
            self._lost_at = self.at

    def sync(self) -> None:
        """Flush the file to the disk."""
        self.file.sync()
        self.unsynced = False

    def finish(self, *, share: float = 1.0) -> None:
        """Write waiting lines, the index and the seek table; sync. The file stays open.

        A seek table past 4 KiB that is more than `share` of the file is omitted: it is optional.
        """
        self.flush()
        self._append_optional(self.file.index.index_frame())
        table = self.file.index.seek_table()
        if len(table) <= max(SMALL_TABLE, share * self.file.size):
            self._append_optional(table)
        self.sync()

    def _append_optional(self, frame: bytes) -> None:
        """Write an index or seek table. A full disk is no loss: readers do without."""
        if frame:
            with contextlib.suppress(OSError):
                self.file.append(frame)
                self.file.index.add_skippable(frame)

    def _add_welcome(self, welcome: _WelcomeHead, frame: bytes) -> None:
        self.at = welcome.at or self.at
        has_state = bytes(welcome.state) not in (b'""', b"null")
        self._rotate(fresh=has_state)
        self._write_gap(self.at, welcome.seq + 1 if welcome.epoch == self._epoch else 0)
        self.seq, self._epoch = welcome.seq, welcome.epoch
        self._welcome = welcome
        marks = STATE if has_state else 0
        self._span.note(welcome.seq, welcome.seq, self.at, self.at, marks)
        self._put(_on_one_line(frame) + b"\n")

    def _add_batch(self, batch: RawBatch, marks: int) -> None:
        if not batch.events:
            return
        first_at = batch.at[0][0] if batch.at else self.at
        last_at = batch.at[-1][0] if batch.at else self.at
        last_seq = batch.seq if batch.local else batch.seq + len(batch.events) - 1
        self.at = first_at
        self._rotate()
        if not batch.local:
            self._write_gap(first_at, batch.seq)
        self._put(record_lines(batch))
        self._span.note(batch.seq, last_seq, first_at, last_at, marks)
        self._text_events += len(batch.events)
        self.seq, self.at = last_seq, last_at

    def _write_gap(self, at: float, next_seq: int) -> None:
        if not self.missing:
            return
        self.missing = False
        gap = gap_frame(at, self.seq, max(self.seq + 1, next_seq), "recorder")
        self._span.note(self.seq, self.seq, at, at)
        self._put(record_lines(_batch_decoder.decode(gap)))

    def _rotate(self, *, fresh: bool = False) -> None:
        """Switch to the next file if this one is full or lost. With `fresh` a state follows for it to begin with;
        otherwise it begins as for a resuming console, with a welcome that has no state.
        """
        if self._retention is None or not (
            self.lost_file or self._retention.is_full(self.at, self.file.size + self._text_bytes // 8)
        ):
            return
        if not fresh and self._may_wait(self._retention):
            self.wants_state = True
            return
        self.wants_state = False
        self.finish()
        self.file.close()
        self.file = self._retention.open(self.at)
        self._begin_file(fresh=fresh)

    def _may_wait(self, retention: Retention) -> bool:
        """Whether to wait for a state before the next file begins."""
        if self.lost_file:
            return self.at - self._lost_at < self._lost_wait_s
        return retention.may_wait(self.at)

    def _begin_file(self, *, fresh: bool) -> None:
        self._put(header_line(msgspec.structs.replace(self._header, epoch=self._epoch, at=self.at)))
        if self._welcome is not None and not fresh:
            last = self._welcome
            resumed = Welcome(
                epoch=last.epoch, seq=self.seq, at=self.at, server=last.server, deployment=last.deployment
            )
            self._span.note(self.seq, self.seq, self.at, self.at)
            self._put(msgspec.json.encode(resumed) + b"\n")
        self.flush()
        if self.lost_file:
            at = times.iso(self.at, "seconds")
            self.loss = f"{self.lost_file}: from {at} the recording continues in {self.file.path}"
            self.lost_file = ""

    def _put(self, lines: bytes) -> None:
        self._text.append(lines)
        self._text_bytes += len(lines)


class _Span:
    """The first and last stamp and seq of the unfinished block."""

    def __init__(self) -> None:
        self._first_seq = self._last_seq = -1
        self._first_at = self._last_at = 0.0
        self._marks = 0

    def note(self, first_seq: int, last_seq: int, first_at: float, last_at: float, marks: int = 0) -> None:
        if self._first_seq < 0:
            self._first_seq = first_seq
        self._last_seq = last_seq
        self._first_at = self._first_at or _plausible(first_at)
        self._last_at = max(self._last_at, _plausible(last_at))
        self._marks |= marks

    def block(self, offset: int, size: int) -> IndexedBlock:
        return IndexedBlock(
            offset, size, self._first_seq, self._last_seq, self._first_at, self._last_at, self._marks
        )


def _plausible(at: float) -> float:
    """Replaces an implausible stamp by 0.0, which must not break the index."""
    return at if math.isfinite(at) and 0 <= at <= 1e11 else 0.0


def _decode(frame: bytes) -> RawBatch | _WelcomeHead | None:
    """Decode a frame, with each record on one line; None if the codec rejects it."""
    try:
        decoded = _frame_decoder.decode(frame)
        if isinstance(decoded, RawBatch) and (len(frame) > MAX_FRAME or not 0 <= decoded.seq < MAX_SEQ):
            return None
        return _frame_decoder.decode(_on_one_line(frame)) if b"\n" in frame or b"\r" in frame else decoded
    except UNDECODABLE:
        return None


def _on_one_line(frame: bytes) -> bytes:
    """Well-formed JSON has line ends only between tokens, where a space means the same."""
    return frame.replace(b"\n", b" ").replace(b"\r", b" ")
