"""Where in a recording which moment is: a cache that stands in the file, in frames that every zstd tool passes over.

Two kinds of skippable frame, both written by the recorder and both only ever appended:

    index   0x184D2A5D | size | "VTIX" | version (1 byte) | zstd of MessagePack of `_Run`
    table   0x184D2A5E | size | 8 bytes for each frame before it | footer      (the zstd seekable format's seek table)

An index frame tells of the blocks that stand directly before it: their sizes, the first and last seq and stamp in
each, and which hold a checkpoint. It has no absolute positions, so it stays right when recordings are joined by
`cat`. The recorder writes one every 128 blocks, and at the end the table of all frames before it. A file without
either (from a crash, from another tool) is walked from frame header to frame header, and of blocks that no index
frame tells of the first lines are unpacked.
"""

from __future__ import annotations

import contextlib
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
"""The mark of a block that holds a welcome with a checkpoint: a replay may begin there."""
ACTS = 2
"""The mark of a block that may hold what a person did: notes are found by it."""

_TAG = b"VTIX\x01"
_SEEKABLE = 0x8F92EAB1
_FOOTER = struct.Struct("<IBI")
_ENTRY = struct.Struct("<II")
_HEAD_BYTES = 64 * 1024
_MICRO = 1_000_000


class IndexedBlock(Struct, frozen=True):
    """One block: where it is, and the first and last seq and stamp in it (epoch s); -1 and 0.0 where it has none."""

    offset: int
    size: int
    first_seq: int = -1
    last_seq: int = -1
    first_at: float = 0.0
    last_at: float = 0.0
    marks: int = 0


class _Run(Struct, frozen=True, array_like=True):
    """Blocks in columns, each number told as its distance from the one before, because small numbers pack well."""

    sizes: list[int]
    seqs: list[int]
    seq_spans: list[int]
    ats: list[int]
    at_spans: list[int]
    marks: list[int]


class _Line(Struct, frozen=True, gc=False):
    """What of a line an index tells."""

    seq: int = -1
    at: float = 0.0
    type: str = ""
    voicetop: str = ""
    state: Raw | UnsetType = UNSET


_line_decoder = msgspec.json.Decoder(_Line)
_run_decoder = msgspec.msgpack.Decoder(_Run)


class IndexWriter:
    """What a recorder notes of its blocks. `add` each frame that was appended, in order."""

    def __init__(self) -> None:
        self._run: list[IndexedBlock] = []
        self._sizes = array("I")
        self._texts = array("I")
        self._broken = False
        self._pack = compressor(9)

    @property
    def due(self) -> bool:
        """Whether the blocks since the last index frame are many."""
        return len(self._run) >= RUN_BLOCKS

    def go_on(self, data: memoryview) -> int:
        """Take over what stands in a file already; returns where its last whole frame ends."""
        end = 0
        for offset, size in walk(data):
            self._broken |= offset != end
            self._note(size, content_size(data[offset : offset + size]))
            end = offset + size
        return end

    def add(self, block: IndexedBlock, text_size: int) -> None:
        """A block of records was appended."""
        self._run.append(block)
        self._note(block.size, text_size)

    def skipped(self, frame: bytes) -> None:
        """A frame that holds no records was appended."""
        self._note(len(frame), 0)

    def _note(self, size: int, text_size: int | None) -> None:
        if text_size is None or max(size, text_size) >= 1 << 32:
            self._broken = True
            return
        self._sizes.append(size)
        self._texts.append(text_size)

    def index_frame(self) -> bytes:
        """Tells of the blocks since the last one; empty where there are none."""
        if not self._run:
            return b""
        body = _TAG + self._pack(msgspec.msgpack.encode(_columns(self._run)))
        self._run.clear()
        return INDEX_MAGIC + struct.pack("<I", len(body)) + body

    def seek_table(self) -> bytes:
        """Tells the sizes of all frames so far; empty where they are not all known (a damaged place)."""
        count = len(self._sizes)
        if self._broken or not count or count >= 1 << 27:
            return b""
        body = b"".join(map(_ENTRY.pack, self._sizes, self._texts)) + _FOOTER.pack(count, 0, _SEEKABLE)
        return TABLE_MAGIC + struct.pack("<I", len(body)) + body


class BlockIndex:
    """The blocks of a recording, in the order of the file. Grows with it by `refresh`.

    Stamps may step back (two recordings in one file): a moment is where time first passes it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        self.blocks: list[IndexedBlock] = []
        self.end = 0
        self._until: list[float] = []
        self.refresh()

    @property
    def first_at(self) -> float:
        """The first stamp; 0.0 where there is none."""
        return next((block.first_at for block in self.blocks if block.first_at), 0.0)

    @property
    def last_at(self) -> float:
        """The last stamp; 0.0 where there is none."""
        return self._until[-1] if self._until else 0.0

    def refresh(self) -> None:
        """Read what was appended since. Raises OSError."""
        with open(self.path, "rb") as file:  # noqa: PTH123 - a path of any kind
            size = os.fstat(file.fileno()).st_size
            if size <= self.end:
                return
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped, memoryview(mapped) as data:
                self._read(data)

    def before(self, at: float, mark: int) -> IndexedBlock | None:
        """The last block with this mark that begins before time passes `at`."""
        marked = (block for block in reversed(self.blocks[: self.passes(at) + 1]) if block.marks & mark)
        return next((block for block in marked if block.first_at <= at), None)

    def passes(self, at: float) -> int:
        """Which block is the first with a stamp after `at`; the number of blocks where none is.

        Blocks that end at 3, 7, 7 and 12 s: 5 gives 1, 7 gives 3, 12 gives 4.
        """
        return bisect_right(self._until, at)

    def _read(self, data: memoryview) -> None:
        frames = _from_table(data) if not self.end else None
        pending: list[tuple[int, int]] = []
        for offset, size in frames or walk(data, self.end):
            if data[offset : offset + 4] == INDEX_MAGIC:
                self._take_run(data, pending, offset, size)
            elif not is_skippable(bytes(data[offset : offset + 4])):
                pending.append((offset, size))
            self.end = offset + size
        self._look_into(data, pending)

    def _take_run(self, data: memoryview, pending: list[tuple[int, int]], offset: int, size: int) -> None:
        """An index frame tells of blocks directly before it; what no index frame tells of is looked into."""
        told = _decode_run(data[offset + 8 : offset + size], offset)
        known = len(told)
        if not told or [(block.offset, block.size) for block in told] != pending[-known:]:
            return
        self._look_into(data, pending[:-known])
        pending.clear()
        for block in told:
            self._append(block)

    def _look_into(self, data: memoryview, frames: list[tuple[int, int]]) -> None:
        looked = [_look(data, offset, size) for offset, size in frames]
        for number, block in enumerate(looked):
            if number + 1 < len(looked) and looked[number + 1].first_at:
                after = looked[number + 1]
                block = msgspec.structs.replace(  # noqa: PLW2901
                    block,
                    last_at=max(block.last_at, after.first_at),
                    last_seq=max(block.last_seq, after.first_seq),
                )
            elif number + 1 == len(looked):
                block = _look(data, block.offset, block.size, whole=True)  # noqa: PLW2901
            self._append(block)

    def _append(self, block: IndexedBlock) -> None:
        self.blocks.append(block)
        self._until.append(max(self.last_at, block.last_at))


def is_closed(path: str | os.PathLike[str]) -> bool:
    """Whether the file ends as a recorder leaves one behind: with a seek table or an index. Raises OSError.

    One that ends otherwise may still be growing under a program that takes no lock (`voicetop record - > FILE`).
    """
    with open(path, "rb") as file:  # noqa: PTH123 - a path of any kind
        if not os.fstat(file.fileno()).st_size:
            return False
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped, memoryview(mapped) as data:
            if _from_table(data):
                return True
            end, magic = 0, b""
            for offset, size in walk(data):
                end, magic = offset + size, bytes(data[offset : offset + 4])
            return end == len(data) and magic in (INDEX_MAGIC, TABLE_MAGIC)


def walk(data: memoryview, position: int = 0) -> Iterator[tuple[int, int]]:
    """(offset, size) of each whole frame. Where none stands, the search goes on at the next magic number.

    Looks at frame and block headers only: a day of blocks takes a fraction of a second.
    """
    while position < len(data):
        try:
            size = get_frame_size(data[position:])
        except ZstdError:
            position = _find(data, position + 1)
            if position < 0:
                return
            continue
        yield position, size
        position += size


def _find(data: memoryview, position: int) -> int:
    """The next data frame's magic number at or after `position`; -1 where there is none."""
    while position < len(data):
        found = bytes(data[position : position + (1 << 20)]).find(DATA_MAGIC)
        if found >= 0:
            return position + found
        position += (1 << 20) - len(DATA_MAGIC) + 1
    return -1


def content_size(frame: memoryview) -> int | None:
    """What a frame unpacks to, as its header says (RFC 8878, 3.1.1.1); None where it doesn't say."""
    if is_skippable(bytes(frame[:4])):
        return 0
    descriptor = frame[4]
    single, width = descriptor & 0x20, (0, 2, 4, 8)[descriptor >> 6]
    if not width and not single:
        return None
    start = 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3]
    told = int.from_bytes(frame[start : start + (width or 1)], "little")
    return told + 256 if width == 2 else told


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
    """The blocks that an index frame at `end` tells of; none where it is damaged or of another version."""
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
    """All frames, by the seek table at the end; None where there is none, or it isn't of all of this file."""
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


def _look(data: memoryview, offset: int, size: int, *, whole: bool = False) -> IndexedBlock:
    """What the first lines of a block, or all, say. A block that can't be read tells nothing: the reader says so."""
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
