"""A recording's file or pipe as a sequence of verified texts, with damaged and torn places told of.

A block counts once its checksum was seen to be right. Blocks of other tools that are too large to be held (8 MiB)
are passed on as they unpack, so that memory is bounded whatever the file holds; damage in these is found late.
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
HELD = 8 * 1024 * 1024


class BlockStream(Protocol):
    """Bytes to be read in order: a file, a pipe. `read` gives what is there, and b"" at the end."""

    def read(self, size: int, /) -> bytes | None: ...


class Damaged(Struct, frozen=True):
    """From `offset` on something cannot be read; whole blocks may follow."""

    offset: int


class Torn(Struct, frozen=True):
    """The file ends within a block that began at `offset`; `size` bytes of it are there."""

    offset: int
    size: int


Piece: TypeAlias = bytes | Damaged | Torn


class Blocks:
    """Iterate to get the pieces of a stream that stands at `offset`.

    `offset` is where in it the next one begins, `start` where the block of the last text did.
    """

    def __init__(self, stream: BlockStream, offset: int = 0) -> None:
        self._stream = stream
        self._data = bytearray()
        self._ended = False
        self.offset = offset
        self.start = offset

    def begins_like_one(self) -> bool:
        """Whether the first bytes are those of a zstd frame."""
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
                yield from self._unpack(self._take(size))
            elif not self._ended and self._data.startswith(DATA_MAGIC):
                yield from self._unpack(self._take(len(self._data)))
            else:
                yield from self._resume()

    def _fill(self) -> bool:
        chunk = self._stream.read(CHUNK)
        if not chunk:
            self._ended = True
            return False
        self._data += chunk
        return True

    def _take(self, size: int) -> bytes:
        taken = bytes(self._data[:size])
        del self._data[:size]
        self.offset += len(taken)
        return taken

    def _whole_frame(self) -> int:
        """The size of the frame that begins here, once all of it is held; 0 where it is torn, huge or none."""
        while True:
            try:
                return get_frame_size(self._data)
            except ZstdError:
                if len(self._data) >= HELD or not self._fill():
                    return 0

    def _skip(self) -> None:
        left = 8 + int.from_bytes(self._data[4:8], "little")
        while left and (self._data or self._fill()):
            left -= len(self._take(min(left, len(self._data))))

    def _unpack(self, packed: bytes) -> Iterator[Piece]:
        start, first = self.offset - len(packed), packed
        decoder = ZstdDecompressor()
        try:
            while not decoder.eof:
                text = decoder.decompress(packed, HELD)
                if text:
                    self.start = start
                    yield text
                packed = b""
                if decoder.needs_input and not decoder.eof:
                    packed = self._take(CHUNK) if self._data or self._fill() else b""
                    if not packed:
                        yield Torn(start, self.offset - start)
                        return
        except ZstdError:
            if self.offset == start + len(
                first
            ):  # its length may be what is damaged: look inside for the next one
                self._give_back(first[len(DATA_MAGIC) :])
            yield Damaged(start)
            return
        self._give_back(decoder.unused_data)

    def _give_back(self, unused: bytes) -> None:
        if unused:
            self._data[:0] = unused
            self.offset -= len(unused)

    def _resume(self) -> Iterator[Piece]:
        """No frame stands here: go to where the next one may begin. Where none does, the end is torn."""
        start = self.offset
        found = self._data.find(DATA_MAGIC, 1)
        while found < 0 and not self._ended:
            self._take(max(0, len(self._data) - len(DATA_MAGIC) + 1))
            self._fill()
            found = self._data.find(DATA_MAGIC)
        if found >= 0:
            self._take(found)
            yield Damaged(start)
            return
        only_an_index = start == self.offset and is_skippable(self._data)
        self._take(len(self._data))
        if not only_an_index:
            yield Torn(start, self.offset - start)
