"""Finds the first bad event of an array, so that those around it are decoded together and not one by one."""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec
from msgspec import Raw

from voicetop.wire.batches import UNDECODABLE
from voicetop.wire.lenient_json import end_of_event

MAX_TRIES = 8

_INDEX = re.compile(r"`\$\[(\d+)\]")
_BYTE = re.compile(r"\(byte (\d+)\)")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_raws_decoder = msgspec.json.Decoder(list[Raw])


class BadEvent(msgspec.ValidationError):
    """An event at an index is right for the decoder, and yet can't pass."""

    def __init__(self, index: int) -> None:
        super().__init__(f"Not allowed - at `$[{index}]`")


Cut: TypeAlias = tuple[bytes, bytes, bytes]
"""The events before the bad one as an array, or empty; itself; those after it as an array, or empty."""


def raw_events(array: bytes) -> list[Raw]:
    """The elements of a valid array."""
    return _raws_decoder.decode(array)


def array_of(events: list[Raw]) -> bytes:
    """An array of these elements, empty for none."""
    return b"[%b]" % b",".join(events) if events else b""


def cut_out(array: bytes, error: Exception) -> Cut | None:
    """`array` without the event that made decoding fail with `error`; None if it isn't clear which one that is."""
    found = _INDEX.search(str(error))
    if found is None:
        return _cut_around(array, _place_of(array, error))
    try:
        events = raw_events(array)
    except UNDECODABLE as syntax:
        return _cut_around(array, _place_of(array, syntax))
    index = int(found[1])
    return array_of(events[:index]), bytes(events[index]), array_of(events[index + 1 :])


def _place_of(array: bytes, error: Exception) -> int:
    """The byte at which it isn't JSON; -1 if that is unknown."""
    if isinstance(error, UnicodeDecodeError):
        return error.start
    if found := _BYTE.search(str(error)):
        return int(found[1])
    surrogate = _SURROGATE.search(array)
    return surrogate.start() if surrogate else -1


def _cut_around(array: bytes, place: int) -> Cut | None:
    """The event around a byte begins at a bracket before which there is a valid array."""
    start = place + 1
    for _ in range(MAX_TRIES):
        start = array.rfind(b"{", 0, max(0, start))
        if start < 0:
            return None
        before = array[:start].rstrip(b", \t\r\n")
        if before != b"[" and not _is_array(before + b"]"):
            continue
        end = end_of_event(array, start)
        after = array[end:].lstrip(b", \t\r\n")
        after = b"[" + after if after not in (b"", b"]") else b""
        return before + b"]" if before != b"[" else b"", array[start:end].rstrip(b", \t\r\n"), after
    return None


def _is_array(text: bytes) -> bool:
    try:
        _raws_decoder.decode(text)
    except UNDECODABLE:
        return False
    return True
