"""Large zeroed tables that use memory only where written."""

from __future__ import annotations

import contextlib
import mmap
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", np.uint32, np.int64)


def sparse_zeros(shape: tuple[int, ...], kind: type[Number]) -> NDArray[Number]:
    """A table of zeros, allocated in pages of 4 KB as they are written.

    numpy prefers pages of 2 MB; a mostly untouched table for 2,048 cells would then take 136 MB.
    """
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    if not hasattr(mmap, "MAP_ANONYMOUS"):  # no POSIX system
        return np.zeros(shape, kind)
    block = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without huge pages
            block.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(block, kind).reshape(shape)
