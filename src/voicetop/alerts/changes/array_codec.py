"""Encodes Structs with numpy arrays as bytes, the same on every machine, and decodes them."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
MIN_SPARSE_SIZE = 256
"""Arrays of at least this many numbers are written without zeros if that is shorter."""


def encode(value: Any) -> bytes:
    """`value` as MessagePack; an array as (dtype, shape, bytes), or (dtype, shape, bytes, places) of its nonzeros."""
    return msgspec.msgpack.encode(value, enc_hook=_encode_array)


def decode(data: bytes, kind: type[T]) -> T:
    """The inverse of `encode`. Raises msgspec.DecodeError if `data` isn't its output."""
    return msgspec.msgpack.decode(data, type=kind, dec_hook=_decode_array)


def register(kind: type[Any]) -> None:
    """Call where a type is defined: msgspec 0.22 crashes if two threads decode a new type at once."""
    msgspec.msgpack.Decoder(kind, dec_hook=_decode_array)


def _encode_array(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        raise NotImplementedError(type(value).__name__)
    name = value.dtype.newbyteorder("<").str
    if value.size >= MIN_SPARSE_SIZE:
        flat = value.reshape(-1)
        places = np.flatnonzero(flat)
        if 2 * len(places) < value.size:
            return name, value.shape, flat[places].tobytes(), places.astype("<u4").tobytes()
    return name, value.shape, value.tobytes()


def _decode_array(kind: type[Any], value: Any) -> Any:  # noqa: ARG001 - msgspec's signature
    name, shape, data, *places = value
    values = np.frombuffer(data, np.dtype(name))
    if not places:
        return values.reshape(shape).copy()
    dense = np.zeros(int(np.prod(shape)), np.dtype(name))
    dense[np.frombuffer(places[0], "<u4")] = values
    return dense.reshape(shape)
