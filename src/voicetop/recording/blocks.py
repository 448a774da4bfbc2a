"""Reads a recording's file or pipe as a sequence of verified texts, and reports damaged and torn blocks.

A block is yielded once its checksum is verified. Blocks of other tools that are too large to hold (8 MiB) are yielded
as they decompress, so that memory stays bounded; damage in those is detected late.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeAlias

from msgspec import Struct

from voicetop.recording.compression import (
    DATA_MAGIC,
    ZstdDecompressor,
    ZstdError,
    get_frame_size,
    is_skippable,
)

CHUNK = 256 * 1024
IN_INDEX = 14
"""An index is zstd itself, from its byte 13 on: no block begins there."""
MAX_HELD = 8 * 1024 * 1024


class BlockStream(Protocol):
    """A file or pipe. `read` returns what is available, and b"" at the end."""

    def read(self, size: int, /) -> bytes | None: ...


class Damaged(Struct, frozen=True):
    """Data from `offset` on cannot be read; whole blocks may follow."""

    offset: int


class Torn(Struct, frozen=True):
    """The file ends within the block at `offset`; `size` bytes of it are present."""

    offset: int
    size: int


Piece: TypeAlias = bytes | Damaged | Torn


class Blocks:
    """Iterates over the pieces of a stream, starting at `offset`.

    `offset` advances to the start of the next block; `start` is the start of the block that the last text came from.
    """

    def __init__(self, stream: BlockStream, offset: int = 0) -> None:
        self._stream = stream
        self._data = bytearray()
        self._ended = False
        self.offset = offset
        self.start = offset
        self.after_index = False
        """Whether the last thing read was an index or another whole skippable frame, as at the end of a closed file."""

    def begins_with_frame(self) -> bool:
        """Whether the stream starts with a zstd frame."""
        while len(self._data) < len(DATA_MAGIC) and self._fill():
            pass
        return self._data.startswith(DATA_MAGIC) or is_skippable(self._data)

    def is_empty(self) -> bool:
        return not self._data and not self._fill()

    def __iter__(self) -> Iterator[Piece]:
        while self._data or self._fill():
            size = self._whole_frame()
            if is_skippable(self._data) and (size or not self._ended):
                self._skip()
            elif size:
                yield from self._unpack(self._consume(size))
            elif not self._ended and self._data.startswith(DATA_MAGIC):
                yield from self._unpack(self._consume(len(self._data)))
            else:
                yield from self._resync()

    def _fill(self) -> bool:
        chunk = self._stream.read(CHUNK)
        if not chunk:
            self._ended = True
            return False
        self._data += chunk
        return True

    def _consume(self, size: int) -> bytes:
        taken = bytes(self._data[:size])
        del self._data[:size]
        self.offset += len(taken)
        return taken

    def _whole_frame(self) -> int:
        """The size of the next frame once all of it is in memory; 0 if it is torn, too large or not a frame."""
        while True:
            try:
                return get_frame_size(self._data)
            except ZstdError:
                if len(self._data) >= MAX_HELD or not self._fill():
                    return 0

    def _skip(self) -> None:
        left = 8 + int.from_bytes(self._data[4:8], "little")
        while left and (self._data or self._fill()):
            left -= len(self._consume(min(left, len(self._data))))
        self.after_index = not left

    def _unpack(self, packed: bytes) -> Iterator[Piece]:
        start, first = self.offset - len(packed), packed
        self.after_index = False
        decoder = ZstdDecompressor()
        try:
            while not decoder.eof:
                text = decoder.decompress(packed, MAX_HELD)
                if text:
                    self.start = start
                    yield text
                packed = b""
                if decoder.needs_input and not decoder.eof:
                    packed = self._consume(CHUNK) if self._data or self._fill() else b""
                    if not packed:
                        yield Torn(start, self.offset - start)
                        return
        except ZstdError:
            if self.offset == start + len(
                first
            ):  # its length may be damaged: look inside it for the next frame
                self._push_back(first[len(DATA_MAGIC) :])
            yield Damaged(start)
            return
        self._push_back(decoder.unused_data)

    def _push_back(self, unused: bytes) -> None:
        if unused:
            self._data[:0] = unused
            self.offset -= len(unused)

    def _resync(self) -> Iterator[Piece]:
        """Not at a frame: skip to the next magic number. If there is none, the end is torn."""
        start = self.offset
        magic_at = self._data.find(DATA_MAGIC, IN_INDEX if is_skippable(self._data) else 1)
        while magic_at < 0 and not self._ended:
            self._consume(max(0, len(self._data) - len(DATA_MAGIC) + 1))
            self._fill()
            magic_at = self._data.find(DATA_MAGIC)
        if magic_at >= 0:
            self._consume(magic_at)
            yield Damaged(start)
            return
        only_a_table = self.after_index and start == self.offset and is_skippable(self._data)
        self._consume(len(self._data))
        if not only_a_table:
            yield Torn(start, self.offset - start)
