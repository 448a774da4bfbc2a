"""Decides which client input becomes part of the feed: no publisher can break the feed or its connection.

A frame whose events are all well-formed passes whole, as the bytes received; otherwise each event is checked alone.
A malformed event is stamped too, as a `malformed` event, so that every console and recording shows it.
Unknown event types pass unchanged: a newer console may know them.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from voicetop.hub.stamping import MAX_BATCH_BYTES
from voicetop.wire.batches import UNDECODABLE
from voicetop.wire.duplicates import Duplicates
from voicetop.wire.events import (
    EVENT_TYPES,
    AnyEvent,
    Gap,
    Heartbeat,
    Label,
    Malformed,
    Operator,
    SourceStatus,
)
from voicetop.wire.frames import HUB_ONLY_TYPES
from voicetop.wire.text import safe_label, safe_text

MAX_PAYLOAD = 4096
MAX_REJECTED = 5
MAX_SOURCES = 5_000
NESTING_MARGIN = 256

_HUB_ONLY = frozenset({Heartbeat, Gap, Malformed})


class ValidatedPart(Struct, frozen=True):
    """`count` events as JSON text, separated by commas."""

    text: bytes
    count: int


class RejectedInput(Struct, frozen=True):
    """One of the first malformed events, for the log and /healthz."""

    sender: str
    why: str


class _Envelope(Struct, frozen=True):
    type: Label
    event_id: Label = ""


_array_decoder: msgspec.json.Decoder[list[AnyEvent]] = msgspec.json.Decoder(list[AnyEvent])
_event_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_raw_decoder = msgspec.json.Decoder(Raw)
_raws_decoder = msgspec.json.Decoder(list[Raw])
_envelope_decoder = msgspec.json.Decoder(_Envelope)


class Validator:
    """Counts what it drops, and remembers which events it has seen."""

    def __init__(self) -> None:
        self.events = 0
        self.duplicates = 0
        self.malformed = 0
        self.rejected: list[RejectedInput] = []
        self.dropped_by: dict[str, int] = {}
        self._seen = Duplicates.none()

    def admit(self, frame: bytes, *, sender: str, may_operate: bool, at: float) -> list[ValidatedPart]:
        """The events of `frame` to stamp, in parts of at most MAX_BATCH_BYTES."""
        frame = frame.strip(b" \t\r\n")
        whole = self._validate_whole(frame, may_operate=may_operate)
        if whole is None:
            pieces = [self._validate_event(event, sender, may_operate, at) for event in self._split(frame)]
            whole = [piece for piece in pieces if piece is not None]
        self.events += sum(piece.count for piece in whole)
        return whole

    @property
    def dropped_by_publishers(self) -> int:
        """Events that publishers report having dropped before sending."""
        return sum(self.dropped_by.values())

    def _validate_whole(self, frame: bytes, *, may_operate: bool) -> list[ValidatedPart] | None:
        """The frame as one part if everything in it is valid, None if it must be checked event by event."""
        if len(frame) > MAX_BATCH_BYTES or not _is_utf8(frame) or _nests_deeply(frame):
            return None
        array = frame.startswith(b"[")
        try:
            events = _array_decoder.decode(frame) if array else [_event_decoder.decode(frame)]
        except UNDECODABLE:
            return None
        types = set(map(type, events))
        if types & _HUB_ONLY or (Operator in types and not may_operate):
            return None
        if not self._seen.all_new([event.event_id for event in events]):
            return None
        if SourceStatus in types:
            self._note_status(events)
        return [ValidatedPart(_on_one_line(frame[1:-1] if array else frame), len(events))] if events else []

    def _split(self, frame: bytes) -> Iterator[bytes]:
        if not frame.startswith(b"[") or not _is_utf8(frame):
            yield frame
            return
        try:
            events = _raws_decoder.decode(frame)
        except UNDECODABLE:
            yield frame
            return
        for event in events:
            yield bytes(event)

    def _validate_event(self, raw: bytes, sender: str, may_operate: bool, at: float) -> ValidatedPart | None:
        try:
            event_id = self._check(raw, may_operate=may_operate)
        except UNDECODABLE as error:
            return self._reject(raw, str(error), sender, at)
        if not self._seen.is_new(event_id):
            self.duplicates += 1
            return None
        return ValidatedPart(_on_one_line(raw), 1)

    def _check(self, raw: bytes, *, may_operate: bool) -> str:
        """The event's id. Raises one of UNDECODABLE with what is wrong."""
        if len(raw) > MAX_BATCH_BYTES:
            raise msgspec.ValidationError(
                f"an event of {len(raw):,} bytes; the maximum is {MAX_BATCH_BYTES:,}"
            )
        if _nests_deeply(raw):
            raise msgspec.ValidationError("nested too deeply")
        raw.decode()
        envelope = _envelope_decoder.decode(raw)
        if envelope.type in HUB_ONLY_TYPES:
            raise msgspec.ValidationError(f"only a hub may send '{safe_label(envelope.type)}'")
        if envelope.type not in EVENT_TYPES:
            return envelope.event_id
        event = _event_decoder.decode(raw)
        if isinstance(event, Operator) and not may_operate:
            raise msgspec.ValidationError("'operator' events need an operator's token")
        if isinstance(event, SourceStatus):
            self._note_status([event])
        return event.event_id

    def _reject(self, raw: bytes, why: str, sender: str, at: float) -> ValidatedPart:
        self.malformed += 1
        if len(self.rejected) < MAX_REJECTED:
            self.rejected.append(RejectedInput(sender, safe_text(why, 200)))
        event = Malformed(
            ts=at, payload=raw[:MAX_PAYLOAD], error=safe_text(why, 500), source=safe_label(sender)
        )
        return ValidatedPart(msgspec.json.encode(event), 1)

    def _note_status(self, events: list[AnyEvent]) -> None:
        for event in events:
            if isinstance(event, SourceStatus) and (
                event.source in self.dropped_by or len(self.dropped_by) < MAX_SOURCES
            ):
                self.dropped_by[event.source] = event.dropped


def _nests_deeply(frame: bytes) -> bool:
    """Whether a reader with less stack than this process might fail to decode the frame.

    A console reads an event two levels deeper, together with others, and would lose all of them. The check costs a
    second pass over the text, so it only runs if there are enough brackets to nest too deeply.
    """
    if frame.count(b"[") + frame.count(b"{") < 2 * NESTING_MARGIN:
        return False
    try:
        _raw_decoder.decode(b"[" * NESTING_MARGIN + frame + b"]" * NESTING_MARGIN)
    except RecursionError:
        return True
    except msgspec.DecodeError:
        return False  # decoding reports it more precisely
    return False


def _is_utf8(frame: bytes) -> bool:
    """Checks the frame as a whole, since a decoder skips unknown fields without checking their text."""
    if frame.isascii():
        return True
    try:
        frame.decode()
    except UnicodeDecodeError:
        return False
    return True


def _on_one_line(text: bytes) -> bytes:
    """A recording has one frame per line. In JSON a bare line break can only stand between tokens."""
    if b"\n" in text or b"\r" in text:
        return text.replace(b"\n", b" ").replace(b"\r", b" ")
    return text
