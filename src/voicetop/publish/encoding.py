"""Events as bytes, and frames of them that every hub accepts."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from voicetop.wire.events import Event
from voicetop.wire.frames import MAX_EVENT_BYTES
from voicetop.wire.repair import Repair, is_sound, repair

FRAME_EVENTS = 500
FRAME_BYTES = MAX_EVENT_BYTES
"""A frame of at most this size, brackets apart, is one batch at the hub."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


def as_frame(payloads: list[bytes]) -> bytes:
    """Encoded events as one array frame; empty for none."""
    return b"[" + b",".join(payloads) + b"]" if payloads else b""


def frames_of(payloads: Iterable[bytes]) -> Iterator[bytes]:
    """Array frames of at most FRAME_EVENTS and FRAME_BYTES each, in order."""
    part: list[bytes] = []
    size = 0
    for payload in filter(None, payloads):
        if part and not fits(len(part), size, payload):
            yield as_frame(part)
            part, size = [], 0
        part.append(payload)
        size += len(payload) + 1
    if part:
        yield as_frame(part)


def fits(count: int, size: int, payload: bytes) -> bool:
    """Whether another event may go into a frame with `count` of them, `size` bytes with their commas."""
    return count < FRAME_EVENTS and size + len(payload) <= FRAME_BYTES


def encode_event(event: Event) -> bytes:
    """JSON of one event. NaN means unknown and is left out, however it came about.

    A NaN that is the field's default is not written anyway; one that was computed would be written as null,
    which is not a number.
    """
    payload = _encode(event)
    return _encode(_without_nans(event)) if b":null" in payload else payload


def encode_soundly(event: Event) -> Repair:
    """JSON of one event that every hub accepts as it is: what a hub would cut or leave out is gone already."""
    try:
        payload = encode_event(event)
    except (
        UnicodeError,
        TypeError,
        ValueError,
        OverflowError,
    ):  # half a surrogate, or a value that JSON has no form for
        payload = json.dumps(_without_nans(event)).encode()
    return Repair(payload, []) if is_sound(payload) else repair(payload, math.nan)


def _plain(value: object) -> object:
    """A value of a type that JSON doesn't have: a number as a number (numpy's, Decimal), anything else as text."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return str(value)


def _without_nans(event: Event) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(event, str_keys=True, enc_hook=_plain)
    if isinstance(latency := fields.get("latency"), dict):
        fields["latency"] = {name: value for name, value in latency.items() if _is_known(value)}
    return {name: value for name, value in fields.items() if _is_known(value)}


def _is_known(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
