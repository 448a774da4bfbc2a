"""Structs with numpy arrays in them as bytes, the same on every machine, and back."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
SPARSE_FROM = 256
"""Arrays of so many numbers or more are written without their zeros, where that is shorter."""


def encode(value: Any) -> bytes:
    """`value` as MessagePack; an array as (dtype, shape, bytes), or (dtype, shape, bytes, places) of what isn't 0."""
    return msgspec.msgpack.encode(value, enc_hook=_told)


def decode(data: bytes, kind: type[T]) -> T:
    """What `encode` made. Raises msgspec.DecodeError of anything else."""
    return msgspec.msgpack.decode(data, type=kind, dec_hook=_held)


def meet(kind: type[Any]) -> None:
    """To be called where a kind is defined: msgspec 0.22 crashes where two threads meet one for the first time."""
    msgspec.msgpack.Decoder(kind, dec_hook=_held)


def _told(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        raise NotImplementedError(type(value).__name__)
    name = value.dtype.newbyteorder("<").str
    if value.size >= SPARSE_FROM:
        flat = value.reshape(-1)
        places = np.flatnonzero(flat)
        if 2 * len(places) < value.size:
            return name, value.shape, flat[places].tobytes(), places.astype("<u4").tobytes()
    return name, value.shape, value.tobytes()


def _held(kind: type[Any], value: Any) -> Any:  # noqa: ARG001 - msgspec's signature
    name, shape, data, *places = value
    found = np.frombuffer(data, np.dtype(name))
    if not places:
        return found.reshape(shape).copy()
    made = np.zeros(int(np.prod(shape)), np.dtype(name))
    made[np.frombuffer(places[0], "<u4")] = found
    return made.reshape(shape)
