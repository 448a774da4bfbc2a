"""Zstandard from the standard library (Python 3.14 and later), else from the backport."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression.zstd import (
        CompressionParameter,
        ZstdCompressor,
        ZstdDecompressor,
        ZstdDict,
        ZstdError,
        get_frame_size,
    )
    from compression.zstd import compress as zstd_compress
    from compression.zstd import decompress as zstd_decompress
else:
    from backports.zstd import (
        CompressionParameter,
        ZstdCompressor,
        ZstdDecompressor,
        ZstdDict,
        ZstdError,
        get_frame_size,
    )
    from backports.zstd import compress as zstd_compress
    from backports.zstd import decompress as zstd_decompress

__all__ = [
    "DATA_MAGIC",
    "CompressionParameter",
    "ZstdDecompressor",
    "ZstdDict",
    "ZstdError",
    "compressor",
    "get_frame_size",
    "is_skippable",
    "zstd_compress",
    "zstd_decompress",
]

DATA_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE_MAGIC = b"\x2a\x4d\x18"


def is_skippable(head: bytes | bytearray) -> bool:
    """Whether a frame that starts with these bytes is skippable (magics 0x184D2A50 to 0x184D2A5F).

    >>> is_skippable(bytes.fromhex("5e2a4d18"))
    True
    """
    return len(head) >= 4 and head[0] & 0xF0 == 0x50 and head[1:4] == _SKIPPABLE_MAGIC


class compressor:  # noqa: N801 - used like a function
    """Compresses each text into a frame that states its size and a content checksum."""

    def __init__(self, level: int) -> None:
        self._zstd = ZstdCompressor(
            options={
                CompressionParameter.compression_level: level,
                CompressionParameter.checksum_flag: 1,
            }
        )

    def __call__(self, text: bytes) -> bytes:
        return self._zstd.compress(text, ZstdCompressor.FLUSH_FRAME)
