"""Sorted indices with a whole number beside each, in less than a byte for both: how slots of the past are kept.

Neighbours lie close together and numbers are small, so that of the differences and of the numbers nearly all high
bytes are zero. Laid out plane by plane, all lowest bytes first, zstd makes 0.7 bytes of the 8 that a pair takes, and a
million of them in some 15 ms. A day of 100,000 calls is 200 MB this way, and more than 3 GB in arrays.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Index = NDArray[np.uint32]
_LEVEL = 1


def squeeze(index: Index, amounts: NDArray[Any]) -> bytes:
    """The block of sorted `index` and of `amounts` (i4 or i8)."""
    steps = np.diff(index, prepend=np.uint32(0))
    return pressed(_planes(steps.astype("<u4")) + _planes(amounts.astype(_little(amounts.dtype))))


def spread(block: bytes, kind: type[np.signedinteger[Any]]) -> tuple[Index, NDArray[Any]]:
    """What was squeezed; `kind` is that of the amounts."""
    dtype = _little(np.dtype(kind))
    planes = np.frombuffer(flat(block), np.uint8)
    size = len(planes) // (4 + dtype.itemsize)
    steps = np.ascontiguousarray(planes[: 4 * size].reshape(4, size).T).view("<u4").ravel()
    amounts = np.ascontiguousarray(planes[4 * size :].reshape(dtype.itemsize, size).T).view(dtype).ravel()
    return np.cumsum(steps, dtype=np.uint32), amounts.astype(kind, copy=False)


def flat(block: bytes) -> bytes:
    """The planes of a block, which depend on no version of zstd."""
    return zstd.decompress(block)


def pressed(planes: bytes) -> bytes:
    """The block of these planes."""
    return zstd.compress(planes, _LEVEL)


def summed(index: Index, amounts: NDArray[Any]) -> tuple[Index, NDArray[Any]]:
    """Sorted unique indices with the sum of their amounts; what sums to 0 is left out."""
    if not len(index):
        return index, amounts
    order = np.argsort(index, kind="stable")
    index, amounts = index[order], amounts[order]
    first = np.flatnonzero(np.concatenate(([True], index[1:] != index[:-1])))
    sums = np.add.reduceat(amounts, first)
    kept = sums != 0
    return index[first][kept], sums[kept].astype(amounts.dtype)


def _planes(values: NDArray[Any]) -> bytes:
    return values.view(np.uint8).reshape(-1, values.itemsize).T.tobytes()


def _little(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype.newbyteorder("<")
