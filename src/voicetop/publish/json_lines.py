"""JSON lines as events for a hub: one event per line, or the lines of an unpacked recording.

Used by `voicetop publish`. Lines pass unchanged, except that one without an `event_id` gets one: a line that must be
sent twice must not count twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw, Struct

from voicetop.wire.batches import UNDECODABLE
from voicetop.wire.events import EVENT_TYPES, AnyEvent, Label
from voicetop.wire.frames import HUB_ONLY_TYPES, MAX_EVENT_BYTES
from voicetop.wire.text import safe_text

_IGNORED = HUB_ONLY_TYPES | {"frame"}


class JsonLine(Struct, frozen=True):
    """An event that can be sent, and its time, epoch seconds."""

    number: int
    ts: float
    raw: bytes


class InvalidLine(Struct, frozen=True):
    """A line that is not an event, and why not."""

    number: int
    why: str


class _Envelope(Struct, frozen=True):
    """An event's envelope, or a line of a recording, which has its event in `raw`."""

    type: Label = ""
    ts: float | None = None
    event_id: Label = ""
    raw: Raw = Raw()
    voicetop: str = ""


_envelope_decoder = msgspec.json.Decoder(_Envelope)
_event_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


class JsonLines:
    """Splits incoming bytes into lines and checks each. `ignored` counts lines that only a hub may send."""

    def __init__(self) -> None:
        self.number = 0
        self.ignored = 0
        self._rest = b""
        self._too_long = False
        self._run = secrets.token_hex(6)

    def feed(self, chunk: bytes) -> Iterator[JsonLine | InvalidLine]:
        """The lines that are complete now."""
        *complete, self._rest = (self._rest + chunk).split(b"\n")
        for text in complete:
            line = self._line(text)
            if line:
                yield line
        if len(self._rest) > MAX_EVENT_BYTES:
            self._rest = self._rest[: MAX_EVENT_BYTES + 1]
            self._too_long = True

    def end(self) -> Iterator[JsonLine | InvalidLine]:
        """The last line, if it has no line break."""
        if self._rest:
            yield from self.feed(b"\n")

    def _line(self, text: bytes) -> JsonLine | InvalidLine | None:
        self.number += 1
        too_long, self._too_long = self._too_long or len(text) > MAX_EVENT_BYTES, False
        if too_long:
            return InvalidLine(self.number, f"longer than {MAX_EVENT_BYTES:,} bytes")
        text = text.strip()
        if not text:
            return None
        try:
            return self._event(text)
        except UNDECODABLE as error:
            return InvalidLine(self.number, safe_text(str(error), 200))

    def _event(self, text: bytes) -> JsonLine | None:
        text.decode()
        envelope = _envelope_decoder.decode(text)
        if not envelope.type and bytes(envelope.raw):
            text = bytes(envelope.raw)
            envelope = _envelope_decoder.decode(text)
        if envelope.voicetop or envelope.type in _IGNORED:
            self.ignored += 1
            return None
        if not envelope.type:
            raise msgspec.ValidationError("not an event: it has no `type`")
        if envelope.ts is None:
            raise msgspec.ValidationError("it has no `ts`, the time of the event in epoch seconds")
        if envelope.type in EVENT_TYPES:
            _event_decoder.decode(text)
        if not envelope.event_id:
            text = b'{"event_id":"%s-%d",%b' % (self._run.encode(), self.number, text[1:])
        return JsonLine(self.number, envelope.ts, text)


def with_ts(line: JsonLine, ts: float) -> JsonLine:
    """The same event as if it had happened at `ts`."""
    event: dict[str, Any] = msgspec.json.decode(line.raw)
    event["ts"] = ts
    return JsonLine(line.number, line.ts, msgspec.json.encode(event))
