"""JSON lines as events for a hub: one event per line, an array of them, or the lines of an unpacked recording.

Used by `voicetop publish`. Lines pass unchanged, except that one without an `event_id` gets one, since a line that must
be sent twice must not count twice, and that bad values are cut or left out as a hub would.
"""

from __future__ import annotations

import codecs
import math
import secrets
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Raw, Struct

from voicetop.wire.batches import UNDECODABLE
from voicetop.wire.codec import MAX_FRAME
from voicetop.wire.events import EVENT_TYPES
from voicetop.wire.faults import REMEDIES, happened
from voicetop.wire.field_rules import Fault
from voicetop.wire.frames import HUB_ONLY_TYPES, MAX_EVENT_BYTES
from voicetop.wire.lenient_json import split_events
from voicetop.wire.repair import is_sound, repair
from voicetop.wire.text import safe_text
from voicetop.wire.values import Label

MAX_LINE_BYTES = MAX_FRAME
"""A longer line isn't read; an event that is larger than a hub accepts is cut, as the hub would."""

_IGNORED = HUB_ONLY_TYPES | {"frame"}
_OTHER_FILES = {
    codecs.BOM_UTF32_LE: "UTF-32: convert it with iconv -f UTF-32 -t UTF-8",
    codecs.BOM_UTF16_LE: "UTF-16: convert it with iconv -f UTF-16 -t UTF-8",
    codecs.BOM_UTF16_BE: "UTF-16: convert it with iconv -f UTF-16 -t UTF-8",
    b"\x1f\x8b": "compressed: unpack it with gunzip",
    b"\x28\xb5\x2f\xfd": "compressed: unpack it with zstdcat",
}
"""How files begin that aren't JSON lines, and what they are."""


class JsonLine(Struct, frozen=True):
    """An event that can be sent, and its time, epoch seconds.

    `why`: what was wrong with it and had to be repaired; `remedy`: what to do about the first of that.
    """

    number: int
    ts: float
    raw: bytes
    kind: str = ""
    call_id: str = ""
    source: str = ""
    leaving: bool = False
    why: str = ""
    remedy: str = ""


class InvalidLine(Struct, frozen=True):
    """A line that is not an event, and why not."""

    number: int
    why: str


class _Envelope(Struct, frozen=True):
    """An event's envelope, or a line of a recording, which has its event in `raw`."""

    type: Label = ""
    ts: float | None = None
    event_id: Label = ""
    call_id: Any = ""
    source: Any = ""
    leaving: Any = False
    raw: Raw = Raw()
    voicetop: str = ""


_envelope_decoder = msgspec.json.Decoder(_Envelope)
_members_decoder = msgspec.json.Decoder(dict[str, Raw])
_raw_decoder = msgspec.json.Decoder(Raw)


class JsonLines:
    """Splits incoming bytes into lines and checks each. `ignored` counts lines that only a hub may send.

    `as_they_are`: lines without an `event_id` get none.
    """

    def __init__(self, *, as_they_are: bool = False) -> None:
        self._as_they_are = as_they_are
        self.number = 0
        self.ignored = 0
        self._rest = b""
        self._too_long = False
        self._run = secrets.token_hex(6)

    def feed(self, chunk: bytes) -> Iterator[JsonLine | InvalidLine]:
        """The lines that are complete now."""
        *complete, self._rest = (self._rest + chunk).split(b"\n")
        for text in complete:
            yield from self._line(text)
        if len(self._rest) > MAX_LINE_BYTES:
            self._rest = self._rest[: MAX_LINE_BYTES + 1]
            self._too_long = True

    def end(self) -> Iterator[JsonLine | InvalidLine]:
        """The last line, if it has no line break."""
        if self._rest:
            yield from self.feed(b"\n")

    def _line(self, text: bytes) -> Iterator[JsonLine | InvalidLine]:
        """The event of a line, or its events: in an array, or after each other."""
        self.number += 1
        too_long, self._too_long = self._too_long or len(text) > MAX_LINE_BYTES, False
        if too_long:
            yield InvalidLine(self.number, f"longer than {MAX_LINE_BYTES:,} bytes")
            return
        if self.number == 1:
            text = text.removeprefix(codecs.BOM_UTF8)
            if what := next((what for start, what in _OTHER_FILES.items() if text.startswith(start)), ""):
                yield InvalidLine(1, f"the file is {what}")
                return
        if text := text.strip():
            for place, event in enumerate(_events_of(text)):
                yield from self._checked(event, place)

    def _checked(self, text: bytes, place: int) -> Iterator[JsonLine | InvalidLine]:
        try:
            event = self._event(text, place)
        except UNDECODABLE as error:
            yield InvalidLine(self.number, safe_text(str(error), 200))
        else:
            if event:
                yield event

    def _event(self, text: bytes, place: int) -> JsonLine | None:
        envelope, text, faults = _read(text)
        if not envelope.type and bytes(envelope.raw):
            envelope, text, faults = _read(bytes(envelope.raw))
        if envelope.voicetop or envelope.type in _IGNORED:
            self.ignored += 1
            return None
        if not envelope.type:
            raise msgspec.ValidationError("not an event: it has no `type`")
        checked = envelope.type in EVENT_TYPES or len(text) > MAX_EVENT_BYTES
        if checked and not faults and not is_sound(text):
            envelope, text, faults = _repaired(text)
        if envelope.ts is None:
            raise msgspec.ValidationError("it has no `ts`, the time of the event in epoch seconds")
        if not envelope.event_id and not self._as_they_are:
            name = f"{self._run}-{self.number}" + (f"-{place}" if place else "")
            text = b'{"event_id":"%s",%b' % (name.encode(), text[1:])
        if len(text) > MAX_EVENT_BYTES:
            raise msgspec.ValidationError(f"longer than {MAX_EVENT_BYTES:,} bytes with an `event_id`")
        return JsonLine(
            self.number,
            envelope.ts,
            text,
            envelope.type,
            str(envelope.call_id),
            str(envelope.source),
            envelope.leaving is True,
            "; ".join(map(_in_words, faults[:3])),
            REMEDIES[faults[0].kind] if faults else "",
        )


def _events_of(text: bytes) -> Iterable[bytes]:
    """The values in a line: nearly always one."""
    if text.startswith((b"[", b"]")):
        return split_events(text)
    try:
        _raw_decoder.decode(text)
    except UNDECODABLE:
        return split_events(text) if text.startswith(b"{") else (text,)
    return (text,)


def _read(text: bytes) -> tuple[_Envelope, bytes, list[Fault]]:
    """A line's envelope, its bytes, and what had to be repaired in them. Raises one of UNDECODABLE."""
    try:
        text.decode()
        return _envelope_decoder.decode(text), text, []
    except UNDECODABLE:
        return _repaired(text)


def _repaired(text: bytes) -> tuple[_Envelope, bytes, list[Fault]]:
    """The same of a line with bad values, which cost no more than these. Raises ValidationError if it is lost."""
    result = repair(text, math.nan)
    if not result.raw:
        raise msgspec.ValidationError(result.faults[0].why)
    return _envelope_decoder.decode(result.raw), result.raw, result.faults


def _in_words(fault: Fault) -> str:
    return safe_text(f"{fault.why} ({happened(fault.kind)})", 200)


def with_ts(line: JsonLine, ts: float) -> JsonLine:
    """The same event as if it had happened at `ts`."""
    event = _members_decoder.decode(line.raw)  # values stay as they are, whatever a field of one's own holds
    event["ts"] = Raw(msgspec.json.encode(ts))
    return JsonLine(line.number, line.ts, msgspec.json.encode(event))
