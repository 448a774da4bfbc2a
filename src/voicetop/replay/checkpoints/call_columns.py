"""Calls field by field: a field of many calls packs a sixth smaller than many fields of one, and is read faster.

Numbers stand as whole ones of the coarsest unit that tells them exactly, byte by byte of all; what calls share stands
once: the segments of a cell, with the calls that have others (`odd`), and the kinds of marks. Nothing is lost: who
reads them has the same calls.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from typing import Any, get_type_hints

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from voicetop.engine.calls import Call, VoiceLevels, WindowMark
from voicetop.engine.windows.buckets import BUCKETS
from voicetop.engine.windows.ledger import RECORD
from voicetop.wire.events import NAN

Whole = NDArray[np.int64]
_FAR = 1e11
"""Numbers beyond this are told by their bits."""
_UNITS = (100, 1_000, 1_000_000)
_NONE = np.int64(-(2**62))
"""Stands for NaN."""

_hints = get_type_hints(Call)
_FLOATS = tuple(name for name in Call.__struct_fields__ if _hints[name] is float)
_SHARED = ("source", "state", "step", "measured_from")
_OTHERS = tuple(
    name
    for name in Call.__struct_fields__
    if name not in {*_FLOATS, "voice", "segments", "marks", "observed", "story"}
)
_VOICE = VoiceLevels.__struct_fields__


class _Columns(Struct, frozen=True, array_like=True):
    others: list[Any]
    floats: list[bytes]
    cells: list[int]
    segments: list[dict[str, str]]
    odd: list[tuple[int, dict[str, str]]]
    voices: list[int]
    voice: list[bytes]
    observed: bytes
    kinds: list[str]
    lengths: list[int]
    marks: bytes
    amounts: list[int]
    times: bytes


class _Read(_Columns, frozen=True, array_like=True):
    others: list[msgspec.Raw]


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(_Read)
_decoders: dict[str, msgspec.msgpack.Decoder[list[Any]]] = {
    name: msgspec.msgpack.Decoder(list[_hints[name]])  # type: ignore[valid-type]
    for name in _OTHERS
}


def columns(calls: list[Call]) -> bytes:
    """Calls without their stories."""
    segments = {call.cell: call.segments for call in calls}
    cells = sorted(segments)
    voices = [(place, call.voice) for place, call in enumerate(calls) if call.voice is not None]
    marks = [mark for call in calls for mark in call.marks.values()]
    kinds = sorted({kind for call in calls for kind in call.marks})
    codes = {kind: code for code, kind in enumerate(kinds)}
    return _encode(
        _Columns(
            others=[[getattr(call, name) for call in calls] for name in _OTHERS],
            floats=[_floats([getattr(call, name) for call in calls]) for name in _FLOATS],
            cells=cells,
            segments=[segments[cell] for cell in cells],
            odd=[
                (place, call.segments)
                for place, call in enumerate(calls)
                if call.segments is not segments[call.cell]
            ],
            voices=[place for place, _ in voices],
            voice=[_floats([float(getattr(voice, name)) for _, voice in voices]) for name in _VOICE],
            observed=pack_notes([call.observed for call in calls]),
            kinds=kinds,
            lengths=[len(call.marks) for call in calls],
            marks=_words([codes[kind] for call in calls for kind in call.marks]),
            amounts=[mark.amount for mark in marks],
            times=_times([mark.ts for mark in marks], [call.started for call in calls for _ in call.marks]),
        )
    )


def rows(block: bytes) -> list[Call]:
    """The calls again. Raises msgspec.DecodeError, ValueError or LookupError of what is damaged."""
    made = _decoder.decode(block)
    fields: dict[str, list[Any]] = {
        name: _decoders[name].decode(column) for name, column in zip(_OTHERS, made.others, strict=True)
    }
    fields |= {name: _of_floats(column) for name, column in zip(_FLOATS, made.floats, strict=True)}
    fields |= {name: list(map(sys.intern, fields[name])) for name in _SHARED}
    segments = dict(zip(made.cells, made.segments, strict=True))
    fields["segments"] = [segments[cell] for cell in fields["cell"]]
    calls = [Call(**dict(zip(fields, row, strict=True))) for row in zip(*fields.values(), strict=True)]
    for place, own in made.odd:
        calls[place].segments = own
    for call, noted in zip(calls, unpack_notes(made.observed), strict=True):
        call.observed = bytearray(noted)
    _give_voices(calls, made)
    _give_marks(calls, made)
    return calls


def _give_voices(calls: list[Call], made: _Read) -> None:
    heard = dict(zip(_VOICE, map(_of_floats, made.voice), strict=True))
    heard["told"] = list(map(int, heard["told"]))
    for place, *values in zip(made.voices, *heard.values(), strict=True):
        calls[place].voice = VoiceLevels(*values)


def _give_marks(calls: list[Call], made: _Read) -> None:
    starts = [call.started for call, count in zip(calls, made.lengths, strict=True) for _ in range(count)]
    marks = map(WindowMark, _of_times(made.times, starts), made.amounts)
    kinds = map(list(map(sys.intern, made.kinds)).__getitem__, _of_words(made.marks))
    pairs = zip(kinds, marks, strict=True)
    for call, count in zip(calls, made.lengths, strict=True):
        call.marks = dict(itertools.islice(pairs, count))


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
    """What calls noted of their turns (`ledger.RECORD`): it packs to half of what it does call by call."""
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


def _floats(values: list[float]) -> bytes:
    """A byte that tells the unit, and the numbers."""
    numbers = np.array(values, np.float64)
    known = numbers == numbers
    told = numbers[known]
    if (np.abs(told) < _FAR).all() and not np.signbit(told[told == 0]).any():
        for number, unit in enumerate(_UNITS, 1):
            whole = np.round(told * unit)
            if (whole / unit == told).all():
                column = np.full(len(numbers), _NONE)
                column[known] = whole.astype(np.int64)
                return bytes([number]) + _planes(column)
    return b"\x00" + _planes(numbers.view(np.int64))


def _of_floats(column: bytes) -> list[float]:
    whole = _of_planes(column[1:])
    if not column[0]:
        bits: list[float] = whole.view(np.float64).tolist()
        return bits
    numbers: list[float] = np.where(whole == _NONE, NAN, whole / _UNITS[column[0] - 1]).tolist()
    return numbers


def _times(values: list[float], bases: list[float]) -> bytes:
    """Times as their distance from others, in whole µs where that is exact, else by their bits; of these distances each
    as its difference from the one before, for much is counted at one moment.
    """
    times, since = np.array(values, np.float64), np.array(bases, np.float64)
    if np.isfinite(times).all() and np.isfinite(since).all() and (np.abs(times) < _FAR).all():
        micro = np.round(times * 1e6)
        if (micro / 1e6 == times).all():
            return b"\x01" + _planes(np.diff(micro.astype(np.int64) - _micro(since), prepend=np.int64(0)))
    return b"\x00" + _planes(times.view(np.int64) - since.view(np.int64))


def _of_times(block: bytes, bases: list[float]) -> list[float]:
    since, steps = np.array(bases, np.float64), _of_planes(block[1:])
    if block[0]:
        exact: list[float] = ((np.cumsum(steps) + _micro(since)) / 1e6).tolist()
        return exact
    times: list[float] = (steps + since.view(np.int64)).view(np.float64).tolist()
    return times


def _micro(times: NDArray[np.float64]) -> Whole:
    return np.round(np.clip(times, -_FAR, _FAR) * 1e6).astype(np.int64)


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


def _words(values: list[int]) -> bytes:
    return np.array(values, "<u4").tobytes()


def _of_words(words: bytes) -> list[int]:
    values: list[int] = np.frombuffer(words, "<u4").tolist()
    return values
