"""Reads a recording back into wire frames, and copes with torn and damaged files.

Replay, cut, merge and export all read through this. Memory is bounded by a block, not by the file.
"""

from __future__ import annotations

import itertools
import math
import operator
import os
import re
from bisect import bisect_right
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec
from msgspec import UNSET

from voicetop.errors import RecordingError
from voicetop.formatting import times
from voicetop.recording.blocks import Blocks, Damaged, Piece, Torn
from voicetop.recording.format import PROTOCOL as OURS
from voicetop.recording.format import (
    FrameLine,
    Header,
    RecordLine,
    gap_frame,
    parse_header,
)
from voicetop.recording.index import is_locked
from voicetop.wire.batches import UNDECODABLE, batch_frame

MAX_BATCH = 512
MAX_LINE = 256 * 1024 * 1024
_line_decoder = msgspec.json.Decoder(RecordLine)
_frame_line_decoder = msgspec.json.Decoder(FrameLine)
_ats = operator.attrgetter("at")
_seqs = operator.attrgetter("seq")
_raws = operator.attrgetter("raw")
_kinds = operator.attrgetter("local", "type", "voicetop")
_kind_fields = tuple(map(operator.attrgetter, ("local", "type", "voicetop")))


def read(recording: str | os.PathLike[str] | BinaryIO) -> Reader:
    """The wire frames of a recording, from a path or a byte stream. Raises RecordingError if it is not one."""
    return Reader(recording)


class Place(msgspec.Struct, frozen=True):
    """A position after `frames` frames of the block at `offset`, and `events` events of the next frame."""

    offset: int
    frames: int
    events: int = 0


class Reader(Iterator[bytes]):
    """Yields welcome and batch frames for `Session.feed`; `notes` says what could not be read.

    Batches hold consecutive events, at most 512 and at most `span_s` seconds of stamps; local and hub events are never
    mixed. Raises RecordingError at once if the file is not a recording, empty, or of a later version.
    """

    def __init__(self, recording: str | os.PathLike[str] | BinaryIO, *, span_s: float = math.inf) -> None:
        self.ending = ""
        """If the end is missing: until when the records go, in one line; known once all is read."""
        self._notes: list[str] = []
        self.header = Header(voicetop="recording")
        self.at = 0.0
        self.seq = 0
        self.epoch = ""
        self._span_s = span_s
        self._carry = b""
        self._gap_pending = False
        self._block = -1
        self._count = 0
        self._enterable = False
        self._stream, self.name = _open(recording)
        if isinstance(self._stream, _Folder):
            self._notes += self._stream.notes
        try:
            self._blocks = Blocks(self._stream)
            self._pieces = self._begin(self._blocks)
        except BaseException:
            self.close()
            raise
        self._frames = self.stamped()

    def __next__(self) -> bytes:
        return next(self._frames)[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def notes(self) -> list[str]:
        """What could not be read so far, one line each."""
        return [*self._notes, self.ending] if self.ending else self._notes

    def close(self) -> None:
        """Close the file. A stream stays open: it belongs to the caller."""
        if not isinstance(self._stream, _Pipe):
            self._stream.close()

    def stamped(self) -> Iterator[tuple[float, bytes]]:
        """Each frame with the stamp of its last record. Closes the file at the end."""
        try:
            for piece in self._pieces:
                if isinstance(piece, bytes):
                    self._enter_block()
                    for stamped in self._frames_of(self._whole_lines(piece)):
                        self._count += 1
                        yield stamped
                else:
                    self._note_unreadable(piece)
            if self._carry:
                self._enterable = False
                yield from self._frames_of(self._carry)
            if not (self.at or self.ending or self._blocks.after_index or self._is_growing()):
                self._note_missing_end("")
        finally:
            self.close()

    @property
    def place(self) -> Place | None:
        """The position after the last frame; None if reading can't start there (a block that another tool cut)."""
        return Place(self._block, self._count) if self._enterable else None

    def enter(self, place: Place, epoch: str = "") -> None:
        """Continue at another place of the file: `stamped` then yields the block's frames from its start."""
        assert isinstance(self._stream, FileIO)
        self._stream.seek(place.offset)
        self._blocks = Blocks(self._stream, place.offset)
        self._pieces = iter(self._blocks)
        self.epoch = epoch or self.epoch
        self._block, self._carry, self._gap_pending = -1, b"", False

    def _enter_block(self) -> None:
        if self._blocks.start != self._block:
            self._block, self._count = self._blocks.start, 0
            self._enterable = not self._carry and not self._gap_pending

    def _begin(self, blocks: Blocks) -> Iterator[Piece]:
        """Check that this is a recording; returns all its pieces."""
        if blocks.is_empty():
            raise RecordingError(f"{self.name} is empty: nothing was recorded")
        if not blocks.begins_with_frame():
            raise RecordingError(f"{self.name} is not a recording: it does not begin with a zstd frame")
        pieces = iter(blocks)
        seen: list[Piece] = []
        for piece in pieces:
            seen.append(piece)
            if isinstance(piece, bytes):
                self._check_first_block(piece, damaged=len(seen) > 1)
                return itertools.chain(seen, pieces)
        raise RecordingError(f"{self.name} is not a recording, or is truncated: it has no complete block")

    def _check_first_block(self, text: bytes, *, damaged: bool) -> None:
        first = text[: text.find(b"\n") + 1] or text
        if not damaged:
            self.header = parse_header(first, self.name)
        elif not self._parse([first]):
            raise RecordingError(f"{self.name} is not a recording: it contains no records")

    def _note_unreadable(self, piece: Damaged | Torn) -> None:
        self._carry = b""
        if isinstance(piece, Torn):
            self._note_missing_end(f" (its last {piece.size:,} bytes are skipped)")
        elif not self._gap_pending:
            self._gap_pending = True
            name, offset = self._place(piece.offset)
            self._notes.append(
                f"{name} is damaged at byte {offset:,}: data after {self._when()} is skipped "
                "up to the next complete block"
            )

    def _place(self, offset: int) -> tuple[str, int]:
        """The file that is meant by an offset, and the offset in it."""
        return self._stream.place(offset) if isinstance(self._stream, _Folder) else (self.name, offset)

    def _is_growing(self) -> bool:
        return not isinstance(self._stream, _Pipe) and is_locked(self._place(self._blocks.offset)[0])

    def _note_missing_end(self, skipped: str) -> None:
        until = f"its records end at {times.iso(self.at)}" if self.at else "it has no complete record"
        name, _ = self._place(self._blocks.offset)
        self.ending = f"{name} is incomplete: {until}, and anything later is missing{skipped}"

    def _when(self) -> str:
        return times.iso(self.at) if self.at else "its beginning"

    def _whole_lines(self, text: bytes) -> bytes:
        """The recorder's blocks hold whole lines; those of other tools may end anywhere."""
        if not self._carry and text.endswith(b"\n"):
            return text
        text = self._carry + text
        end = text.rfind(b"\n") + 1
        self._carry = text[end:]
        if len(self._carry) > MAX_LINE:
            raise RecordingError(
                f"{self.name} is not a recording: it has a line of more than {MAX_LINE:,} bytes"
            )
        return text[:end]

    def _frames_of(self, text: bytes) -> Iterator[tuple[float, bytes]]:
        try:
            lines = _line_decoder.decode_lines(text)
        except UNDECODABLE:
            yield from self._salvage(text)
            return
        if any(any(map(mark, lines)) for mark in _kind_fields):
            yield from self._mixed(lines, text)
        else:
            yield from self._batches(lines, local=False)

    def _mixed(self, lines: list[RecordLine], text: bytes) -> Iterator[tuple[float, bytes]]:
        texts: list[bytes] = []
        start = 0
        for (local, kind, header), run in itertools.groupby(lines, key=_kinds):
            group = list(run)
            if kind or header:
                texts = texts or [line for line in text.split(b"\n") if line.strip()]
                for line, line_text in zip(group, texts[start : start + len(group)], strict=True):
                    yield from self._special_line(line, line_text)
            else:
                yield from self._batches(group, local=local)
            start += len(group)

    def _salvage(self, text: bytes) -> Iterator[tuple[float, bytes]]:
        """The lines that are valid records, with a gap in place of others."""
        for good, run in itertools.groupby(text.split(b"\n"), key=self._is_line):
            if good:
                yield from self._frames_of(b"\n".join(run))
            else:
                self._gap_pending = True
                self._notes.append(
                    f"{self.name} has lines that are not records, after {self._when()}: skipped"
                )

    def _is_line(self, text: bytes) -> bool:
        return not text.strip() or bool(self._parse([text]))

    def _parse(self, texts: list[bytes]) -> list[RecordLine]:
        try:
            return _line_decoder.decode_lines(b"\n".join(texts))
        except UNDECODABLE:
            return []

    def _special_line(self, line: RecordLine, text: bytes) -> Iterator[tuple[float, bytes]]:
        if line.voicetop:
            self._take_header(parse_header(text, self.name))
        elif line.type == "welcome":
            yield from self._take_welcome(line, text)
        elif line.type == "frame":
            yield self.at, _frame_line_decoder.decode(text).frame

    def _take_header(self, header: Header) -> None:
        if header.protocol > OURS:
            self._notes.append(
                f"{self.name} uses protocol {header.protocol}, this voicetop {OURS}: "
                "newer fields are not shown"
            )
        self.epoch = header.epoch or self.epoch

    def _take_welcome(self, line: RecordLine, frame: bytes) -> Iterator[tuple[float, bytes]]:
        epoch = _epoch_of(frame)
        self.at = line.at or self.at
        yield from self._gap(self.at, line.seq + 1 if epoch == self.epoch else 0)
        self.seq, self.epoch = line.seq, epoch
        yield self.at, frame

    def _gap(self, at: float, next_seq: int) -> Iterator[tuple[float, bytes]]:
        if self._gap_pending:
            self._gap_pending = False
            yield at, gap_frame(at, self.seq, max(self.seq + 1, next_seq), "damaged")

    def _batches(self, lines: list[RecordLine], *, local: bool) -> Iterator[tuple[float, bytes]]:
        raws = list(map(_raws, lines))
        if UNSET in raws:  # an unknown kind of line
            lines = [line for line in lines if line.raw is not UNSET]
            raws = list(map(_raws, lines))
        seqs = list(map(_seqs, lines))
        ats = list(map(_ats, lines))
        for start, stop in _runs(seqs, ats, self._span_s, local=local):
            yield from self._gap(ats[start], 0 if local else seqs[start])
            self.seq, self.at = seqs[stop - 1], ats[stop - 1]
            yield self.at, batch_frame(seqs[start], ats[start:stop], raws[start:stop], local=local)


def _runs(seqs: list[int], ats: list[float], span_s: float, *, local: bool) -> Iterator[tuple[int, int]]:
    """Where batches start and stop: [7, 8, 9, 12] gives (0, 3) and (3, 4); a local run repeats one seq."""
    start, count = 0, len(seqs)
    while start < count:
        stop = min(start + MAX_BATCH, count)
        if ats[stop - 1] - ats[start] > span_s:
            stop = max(start + 1, bisect_right(ats, ats[start] + span_s, start, stop))
        first = seqs[start]
        expected = [first] * (stop - start) if local else list(range(first, first + stop - start))
        if seqs[start:stop] != expected:
            pairs = zip(seqs[start:stop], expected, strict=True)
            stop = start + next(number for number, (seq, wanted) in enumerate(pairs) if seq != wanted)
        yield start, stop
        start = stop


class _Welcome(msgspec.Struct):
    epoch: str = ""


_welcome_decoder = msgspec.json.Decoder(_Welcome)


def _epoch_of(frame: bytes) -> str:
    try:
        return _welcome_decoder.decode(frame).epoch
    except UNDECODABLE:
        return ""


def _open(recording: str | os.PathLike[str] | BinaryIO) -> tuple[FileIO | _Folder | _Pipe, str]:
    if not isinstance(recording, (str, os.PathLike)):
        name = getattr(recording, "name", "the stream")
        return _Pipe(recording), name if isinstance(name, str) else "standard input"
    path = os.fspath(recording)
    try:
        return (_Folder(path) if os.path.isdir(path) else FileIO(path)), path  # noqa: PTH112 - any path
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror}") from None


class _Folder:
    """The recordings of a folder, concatenated as by `cat`. `notes` names the files that are not recordings."""

    def __init__(self, path: str) -> None:
        self.notes: list[str] = []
        self._files = [file for file in shard_files(path) if self._is_recording(file)]
        if not self._files:
            why = self.notes[0] if self.notes else "it contains no recordings (*.vtr)"
            raise RecordingError(f"cannot read {path}: {why}")
        self._read = 0
        self._starts: list[tuple[int, Path]] = []
        self._open_next()

    def read(self, size: int) -> bytes:
        while not (chunk := self._file.read(size)) and self._files:
            self._file.close()
            self._open_next()
        self._read += len(chunk or b"")
        return chunk or b""

    def place(self, offset: int) -> tuple[str, int]:
        """The file that holds a byte of the whole, and its offset in there."""
        start, file = next(part for part in reversed(self._starts) if part[0] <= offset)
        return str(file), offset - start

    def _is_recording(self, file: Path) -> bool:
        """An empty one isn't either, but nobody needs to know: its recorder has just begun."""
        try:
            if file.stat().st_size:
                Reader(file).close()
                return True
        except (RecordingError, OSError) as error:
            self.notes.append(str(error))
        return False

    def _open_next(self) -> None:
        file = self._files.pop(0)
        self._starts.append((self._read, file))
        self._file = FileIO(file)

    def close(self) -> None:
        self._file.close()


def shard_files(folder: str | os.PathLike[str]) -> list[Path]:
    """The recordings in a folder, in playing order."""
    return sorted(Path(folder).glob("*.vtr"), key=_shard_order)


def _shard_order(path: Path) -> tuple[str, int, str]:
    """Sorts a.vtr, a-2.vtr, a-10.vtr in this order."""
    match = re.fullmatch(r"(.*?)(?:-(\d{1,6}))?\.vtr", path.name)
    assert match
    return match[1], int(match[2] or 0), path.name


class _Pipe:
    """The caller's stream. Reads what is available, without waiting for more."""

    def __init__(self, stream: BinaryIO) -> None:
        self.read = getattr(stream, "read1", stream.read)
