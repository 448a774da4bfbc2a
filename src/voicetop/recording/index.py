"""An index from time to position in a recording: a cache in the file itself, in frames that zstd tools skip.

There are two kinds of skippable frame, both appended by the recorder:

    index   0x184D2A5D | size | "VTIX" | version (1 byte) | zstd of MessagePack of `_Run`
    table   0x184D2A5E | size | 8 bytes for each frame before it | footer      (the zstd seekable format's seek table)

An index frame describes the blocks directly before it: their sizes, the first and last seq and stamp of each, and which
hold a checkpoint. It has no absolute positions, so it stays valid when recordings are joined by `cat`. The recorder
writes one every 128 blocks, and at the end the table of all frames. In a file without them (after a crash, from another
tool) the frame headers are scanned, and the first lines of blocks that no index frame covers are decompressed.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import mmap
import os
import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from voicetop.recording.compression import (
    DATA_MAGIC,
    ZstdDecompressor,
    ZstdError,
    compressor,
    get_frame_size,
    is_skippable,
)
from voicetop.wire.batches import UNDECODABLE, may_hold_acts

INDEX_MAGIC = b"\x5d\x2a\x4d\x18"
TABLE_MAGIC = b"\x5e\x2a\x4d\x18"
RUN_BLOCKS = 128
STATE = 1
"""Marks a block that holds a welcome with a checkpoint: a replay may start there."""
ACTS = 2
"""Marks a block that may hold operator acts, so that notes are found quickly."""

_TAG = b"VTIX\x01"
_SEEKABLE = 0x8F92EAB1
_FOOTER = struct.Struct("<IBI")
_ENTRY = struct.Struct("<II")
_HEAD_BYTES = 64 * 1024
_MICRO = 1_000_000


class IndexedBlock(Struct, frozen=True):
    """A block's position, and its first and last seq and stamp (epoch s); -1 and 0.0 if it has none."""

    offset: int
    size: int
    first_seq: int = -1
    last_seq: int = -1
    first_at: float = 0.0
    last_at: float = 0.0
    marks: int = 0


class _Run(Struct, frozen=True, array_like=True):
    """Blocks as columns, each number delta-coded, because small numbers compress well."""

    sizes: list[int]
    seqs: list[int]
    seq_spans: list[int]
    ats: list[int]
    at_spans: list[int]
    marks: list[int]


class _Line(Struct, frozen=True, gc=False):
    """The fields of a line that an index needs."""

    seq: int = -1
    at: float = 0.0
    type: str = ""
    voicetop: str = ""
    state: Raw | UnsetType = UNSET


_line_decoder = msgspec.json.Decoder(_Line)
_run_decoder = msgspec.msgpack.Decoder(_Run)


class IndexWriter:
    """Collects the blocks for an index. Call `add` or `add_skippable` for each frame appended, in order."""

    def __init__(self) -> None:
        self._run: list[IndexedBlock] = []
        self._sizes = array("I")
        self._texts = array("I")
        self._broken = False
        self._pack = compressor(9)

    @property
    def due(self) -> bool:
        """Whether enough blocks have been added for an index frame."""
        return len(self._run) >= RUN_BLOCKS

    def resume(self, data: memoryview) -> int:
        """Take over the frames already in a file; returns where the last whole one ends."""
        end = 0
        for offset, size in scan_frames(data):
            self._broken |= offset != end
            self._note(size, content_size(data[offset : offset + size]))
            end = offset + size
        return end

    def add(self, block: IndexedBlock, text_size: int) -> None:
        """Add a block of records."""
        self._run.append(block)
        self._note(block.size, text_size)

    def add_skippable(self, frame: bytes) -> None:
        """Add a skippable frame."""
        self._note(len(frame), 0)

    def _note(self, size: int, text_size: int | None) -> None:
        if text_size is None or max(size, text_size) >= 1 << 32:
            self._broken = True
            return
        self._sizes.append(size)
        self._texts.append(text_size)

    def index_frame(self) -> bytes:
        """The index frame of the blocks since the last one; empty if there are none."""
        if not self._run:
            return b""
        body = _TAG + self._pack(msgspec.msgpack.encode(_columns(self._run)))
        self._run.clear()
        return INDEX_MAGIC + struct.pack("<I", len(body)) + body

    def seek_table(self) -> bytes:
        """The seek table of all frames so far; empty if a size is unknown (damage)."""
        count = len(self._sizes)
        if self._broken or not count or count >= 1 << 27:
            return b""
        body = b"".join(map(_ENTRY.pack, self._sizes, self._texts)) + _FOOTER.pack(count, 0, _SEEKABLE)
        return TABLE_MAGIC + struct.pack("<I", len(body)) + body


class BlockIndex:
    """The blocks of a recording, in file order. `refresh` adds new ones.

    Stamps may step back (two recordings in one file): a time is located where the stamps first pass it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        self.blocks: list[IndexedBlock] = []
        self.end = 0
        self._inode = -1
        self._reached: list[float] = []
        self.refresh()

    @property
    def first_at(self) -> float:
        """The first stamp; 0.0 if there is none."""
        return next((block.first_at for block in self.blocks if block.first_at), 0.0)

    @property
    def last_at(self) -> float:
        """The last stamp; 0.0 if there is none."""
        return self._reached[-1] if self._reached else 0.0

    def refresh(self) -> None:
        """Read what was appended since the last call. Raises OSError."""
        with open(self.path, "rb") as file:  # noqa: PTH123 - a path of any kind
            found = os.fstat(file.fileno())
            if (
                found.st_ino != self._inode or found.st_size < self.end
            ):  # another file, or truncated: begin again
                self._inode, self.end = found.st_ino, 0
                self.blocks, self._reached = [], []
            if found.st_size <= self.end:
                return
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped, memoryview(mapped) as data:
                self._read(data)

    def before(self, at: float, mark: int) -> IndexedBlock | None:
        """The last block with this mark that begins before the stamps pass `at`."""
        marked = (block for block in reversed(self.blocks[: self.first_after(at) + 1]) if block.marks & mark)
        return next((block for block in marked if block.first_at <= at), None)

    def first_after(self, at: float) -> int:
        """The number of the first block with a stamp after `at`; the count of blocks if there is none.

        Blocks that end at 3, 7, 7 and 12 s: 5 gives 1, 7 gives 3, 12 gives 4.
        """
        return bisect_right(self._reached, at)

    def _read(self, data: memoryview) -> None:
        frames = _from_table(data) if not self.end else None
        pending: list[tuple[int, int]] = []
        for offset, size in frames or scan_frames(data, self.end):
            if data[offset : offset + 4] == INDEX_MAGIC:
                self._add_run(data, pending, offset, size)
            elif not is_skippable(bytes(data[offset : offset + 4])):
                pending.append((offset, size))
            self.end = offset + size
        self._scan_blocks(data, pending)

    def _add_run(self, data: memoryview, pending: list[tuple[int, int]], offset: int, size: int) -> None:
        """Add the blocks an index frame describes; blocks before those, which none describes, are scanned."""
        blocks = _decode_run(data[offset + 8 : offset + size], offset)
        count = len(blocks)
        if not blocks or [(block.offset, block.size) for block in blocks] != pending[-count:]:
            return
        self._scan_blocks(data, pending[:-count])
        pending.clear()
        for block in blocks:
            self._append(block)

    def _scan_blocks(self, data: memoryview, frames: list[tuple[int, int]]) -> None:
        scanned = [_scan_block(data, offset, size) for offset, size in frames]
        for number, block in enumerate(scanned):
            if number + 1 < len(scanned) and scanned[number + 1].first_at:
                after = scanned[number + 1]
                block = msgspec.structs.replace(  # noqa: PLW2901
                    block,
                    last_at=max(block.last_at, after.first_at),
                    last_seq=max(block.last_seq, after.first_seq),
                )
            elif number + 1 == len(scanned):
                block = _scan_block(data, block.offset, block.size, whole=True)  # noqa: PLW2901
            self._append(block)

    def _append(self, block: IndexedBlock) -> None:
        self.blocks.append(block)
        self._reached.append(max(self.last_at, block.last_at))


def is_closed(path: str | os.PathLike[str]) -> bool:
    """Whether the file ends with a seek table or index, as a closed recorder leaves it. Raises OSError.

    Otherwise it may still be growing under a program that takes no lock (`voicetop record - > FILE`).
    """
    with open(path, "rb") as file:  # noqa: PTH123 - a path of any kind
        if not os.fstat(file.fileno()).st_size:
            return False
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped, memoryview(mapped) as data:
            if _from_table(data):
                return True
            end, magic = 0, b""
            for offset, size in scan_frames(data):
                end, magic = offset + size, bytes(data[offset : offset + 4])
            return end == len(data) and magic in (INDEX_MAGIC, TABLE_MAGIC)


def is_locked(path: str | os.PathLike[str]) -> bool:
    """Whether a recorder is writing the file: it holds an exclusive lock."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        fcntl.flock(fd, fcntl.LOCK_UN)
        return False
    finally:
        os.close(fd)


def scan_frames(data: memoryview, position: int = 0) -> Iterator[tuple[int, int]]:
    """(offset, size) of each whole frame. After damage it continues at the next magic number.

    Reads frame and block headers only: a day of blocks takes a fraction of a second.
    """
    while position < len(data):
        try:
            size = get_frame_size(data[position:])
        except ZstdError:
            position = _find_magic(data, position + 1)
            if position < 0:
                return
            continue
        yield position, size
        position += size


def _find_magic(data: memoryview, position: int) -> int:
    """The offset of the next data frame's magic number at or after `position`; -1 if there is none."""
    while position < len(data):
        magic_at = bytes(data[position : position + (1 << 20)]).find(DATA_MAGIC)
        if magic_at >= 0:
            return position + magic_at
        position += (1 << 20) - len(DATA_MAGIC) + 1
    return -1


def content_size(frame: memoryview) -> int | None:
    """A frame's decompressed size from its header (RFC 8878, 3.1.1.1); None if it is not stated."""
    if is_skippable(bytes(frame[:4])):
        return 0
    descriptor = frame[4]
    single, width = descriptor & 0x20, (0, 2, 4, 8)[descriptor >> 6]
    if not width and not single:
        return None
    start = 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3]
    size = int.from_bytes(frame[start : start + (width or 1)], "little")
    return size + 256 if width == 2 else size


def _columns(run: list[IndexedBlock]) -> _Run:
    seqs, ats, seq, at = [], [], 0, 0
    for block in run:
        first_at, last_at = math.floor(block.first_at * _MICRO), math.ceil(block.last_at * _MICRO)
        seqs.append((block.first_seq - seq, block.last_seq - block.first_seq))
        ats.append((first_at - at, last_at - first_at))
        seq, at = block.last_seq, last_at
    return _Run(
        [block.size for block in run],
        [first for first, _ in seqs],
        [span for _, span in seqs],
        [first for first, _ in ats],
        [span for _, span in ats],
        [block.marks for block in run],
    )


def _decode_run(body: memoryview, end: int) -> list[IndexedBlock]:
    """The blocks described by the index frame at `end`; none if it is damaged or of another version."""
    if bytes(body[: len(_TAG)]) != _TAG:
        return []
    try:
        run = _run_decoder.decode(ZstdDecompressor().decompress(bytes(body[len(_TAG) :])))
        rows = list(zip(*msgspec.structs.astuple(run), strict=True))
    except (ZstdError, msgspec.MsgspecError, ValueError):
        return []
    offset, seq, at = end - sum(run.sizes), 0, 0
    blocks = []
    for size, seq_step, seq_span, at_step, at_span, marks in rows:
        first_seq, first_at = seq + seq_step, at + at_step
        seq, at = first_seq + seq_span, first_at + at_span
        blocks.append(IndexedBlock(offset, size, first_seq, seq, first_at / _MICRO, at / _MICRO, marks))
        offset += size
    return blocks


def _from_table(data: memoryview) -> list[tuple[int, int]] | None:
    """All frames, from the seek table at the end; None if there is none, or it doesn't cover the whole file."""
    if len(data) < _FOOTER.size + 8:
        return None
    count, flags, magic = _FOOTER.unpack(data[-_FOOTER.size :])
    start = len(data) - 8 - count * _ENTRY.size - _FOOTER.size
    if magic != _SEEKABLE or flags or start < 0 or data[start : start + 4] != TABLE_MAGIC:
        return None
    frames, offset = [], 0
    for size, _ in _ENTRY.iter_unpack(data[start + 8 : -_FOOTER.size]):
        frames.append((offset, size))
        offset += size
    return [*frames, (start, len(data) - start)] if offset == start else None


def _scan_block(data: memoryview, offset: int, size: int, *, whole: bool = False) -> IndexedBlock:
    """Index a block from its first lines, or from all. An unreadable block yields no stamps: the reader reports it."""
    packed = bytes(data[offset : offset + size])
    text = b""
    with contextlib.suppress(ZstdError):
        decoder = ZstdDecompressor()
        text = decoder.decompress(packed, -1 if whole else _HEAD_BYTES)
        if not whole and b"\n" not in text:
            text += decoder.decompress(b"", -1)
    lines = [line for line in map(_parse, text.split(b"\n")) if line and (line.at or line.seq >= 0)]
    lines = [line for line in lines if not line.voicetop]
    if not lines:
        return IndexedBlock(offset, size)
    ats, seqs = [line.at for line in lines if line.at], [line.seq for line in lines if line.seq >= 0]
    marks = STATE if any(line.type == "welcome" and line.state is not UNSET for line in lines) else 0
    marks |= ACTS if may_hold_acts(text) else 0
    return IndexedBlock(
        offset,
        size,
        seqs[0] if seqs else -1,
        seqs[-1] if seqs else -1,
        ats[0] if ats else 0.0,
        max(ats, default=0.0),
        marks,
    )


def _parse(text: bytes) -> _Line | None:
    try:
        return _line_decoder.decode(text) if text else None
    except UNDECODABLE:
        return None
