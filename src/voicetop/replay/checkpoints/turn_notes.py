"""Notes of turns packed together: they take half of what they do call by call.

Of all records together, each number stands in a column of its own, all lowest bytes first.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from voicetop.engine.windows.buckets import BUCKETS
from voicetop.engine.windows.ledger import RECORD

Whole = NDArray[np.int64]
_encode = msgspec.msgpack.Encoder().encode


class _Notes(Struct, frozen=True, array_like=True):
    """What is noted of turns: how many records each call has; of the records the slot and how many positions follow; of
    these the metric, and the buckets, metric after metric.
    """

    records: list[int]
    slots: bytes
    counts: bytes
    metrics: bytes
    buckets: bytes


_notes_decoder = msgspec.msgpack.Decoder(_Notes)
_HEAD = RECORD.size // 2


def pack_notes(noted: Sequence[bytes | bytearray]) -> bytes:
    """What calls noted of their turns (`ledger.RECORD`)."""
    words = np.frombuffer(b"".join(noted), "<u2").astype(np.int64)
    starts, records = _starts(words.tolist(), [len(each) // 2 for each in noted])
    positions = np.ones(len(words), bool)
    for head in range(_HEAD):
        positions[starts + head] = False
    metrics, buckets = np.divmod(words[positions], BUCKETS)
    return _encode(
        _Notes(
            records=records,
            slots=_planes(np.diff(words[starts] + (words[starts + 1] << 16), prepend=np.int64(0))),
            counts=_planes(words[starts + 2]),
            metrics=metrics.astype(np.uint8).tobytes(),
            buckets=_planes(buckets[np.argsort(metrics, kind="stable")]),
        )
    )


def _starts(words: list[int], sizes: list[int]) -> tuple[NDArray[np.intp], list[int]]:
    """Where the records begin, and how many there are in each of the notes that are so many words long."""
    starts: list[int] = []
    records, place, end = [], 0, 0
    for size in sizes:
        end, before = end + size, len(starts)
        while place < end:
            starts.append(place)
            place += _HEAD + words[place + 2]
        records.append(len(starts) - before)
    return np.array(starts, np.intp), records


def unpack_notes(block: bytes) -> list[bytes]:
    """What each call had noted."""
    made = _notes_decoder.decode(block)
    slots, counts = np.cumsum(_of_planes(made.slots)), _of_planes(made.counts)
    metrics = np.frombuffer(made.metrics, np.uint8).astype(np.int64)
    rest = np.empty(len(metrics), np.int64)
    rest[np.argsort(metrics, kind="stable")] = _of_planes(made.buckets)
    stops = np.cumsum(counts + _HEAD)
    starts = stops - counts - _HEAD
    words = np.empty(len(rest) + _HEAD * len(starts), "<u2")
    positions = np.ones(len(words), bool)
    for head, values in enumerate((slots & 0xFFFF, slots >> 16, counts)):
        words[starts + head] = values
        positions[starts + head] = False
    words[positions] = metrics * BUCKETS + rest
    ends = np.concatenate(([0], 2 * stops))[np.cumsum([0, *made.records])].tolist()
    noted = words.tobytes()
    return [noted[begin:end] for begin, end in itertools.pairwise(ends)]


def _planes(values: Whole) -> bytes:
    return values.astype("<i8").view(np.uint8).reshape(-1, 8).T.tobytes()


def _of_planes(planes: bytes) -> Whole:
    return (
        np.frombuffer(planes, np.uint8)
        .reshape(8, -1)
        .T.copy()
        .view("<i8")
        .ravel()
        .astype(np.int64, copy=False)
    )
