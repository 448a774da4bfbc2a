"""Structs with numpy arrays in them as bytes, the same on every machine, and back."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def encode(value: Any) -> bytes:
    """`value` as MessagePack; arrays as (dtype, shape, bytes), little-endian."""
    return msgspec.msgpack.encode(value, enc_hook=_told)


def decode(data: bytes, kind: type[T]) -> T:
    """What `encode` made. Raises msgspec.DecodeError of anything else."""
    return msgspec.msgpack.decode(data, type=kind, dec_hook=_held)


def _told(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return (value.dtype.newbyteorder("<").str, value.shape, value.tobytes())
    raise NotImplementedError(type(value).__name__)


def _held(kind: type[Any], value: Any) -> Any:  # noqa: ARG001 - msgspec's signature
    name, shape, data = value
    return np.frombuffer(data, np.dtype(name)).reshape(shape).copy()
