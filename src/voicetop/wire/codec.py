"""Frames in, batches out: the one place where bytes of the feed become objects.

A frame decodes in one pass of one typed decoder. What that pass can't take (an unknown type, a wrong field) is taken
event by event: unknown types are counted and skipped, malformed ones counted with the first few kept for a look.
Batches end where heartbeats stand, because only a heartbeat moves time: how a network cut the stream into frames
can't change what is computed from it.

Text is cleaned here (`text.py`), so that nothing below ever holds a string that a terminal could act upon.
"""

from __future__ import annotations

import itertools
import operator
import re
from collections.abc import Callable
from typing import TypeAlias, get_type_hints

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import force_setattr

from voicetop.errors import WireError
from voicetop.wire.duplicates import Duplicates
from voicetop.wire.events import (
    EVENT_TYPES,
    MAX_LABEL,
    MAX_TEXT,
    Agent,
    AnyEvent,
    Durations,
    Event,
    Gap,
    Heartbeat,
    Malformed,
    Turn,
)
from voicetop.wire.frames import RawBatch, Welcome
from voicetop.wire.text import safe_label, safe_text

MAX_FRAME = 4 * 1024 * 1024
MAX_SEGMENTS = 24
KEPT_MALFORMED = 20
KEPT_TYPES = 64
_LONG_TEXTS = frozenset({"user_text", "agent_text", "message", "arguments", "text", "reason", "raw_reason", "error"})
_DURATION_FIELDS = Durations.__struct_fields__
_ROW = len(msgspec.msgpack.encode(Durations()))


class Batch(Struct, frozen=True, gc=False):
    """Events between two heartbeats, in the order of their stamps; `at` has the receive time of each."""

    events: list[AnyEvent]
    at: list[float]


class Beat(Struct, frozen=True, gc=False):
    """Time moved to `at`, and `seq` is the last stamp before it."""

    at: float
    seq: int
    local: bool = False


Step: TypeAlias = Batch | Beat | Welcome


class Oddity(Struct, frozen=True):
    """One of the first malformed payloads, kept for `doctor`: made safe to print."""

    at: float
    why: str
    sample: str


class WireStats(Struct):
    """What came, and what was dropped why. Part of the checkpoint, so that all consoles count alike."""

    frames: int = 0
    events: int = 0
    duplicates: int = 0
    malformed: int = 0
    oddities: list[Oddity] = []
    unknown_types: dict[str, int] = {}
    unknown_fields: dict[str, int] = {}
    cleaned: int = 0


class _TypedBatch(Struct, frozen=True, kw_only=True, tag_field="type", tag="batch"):
    seq: int
    at: list[tuple[float, int]]
    events: list[AnyEvent]
    local: bool = False


class _Tag(Struct, frozen=True):
    type: str


_frame_decoder = msgspec.json.Decoder(_TypedBatch | Welcome | Gap)
_raw_decoder = msgspec.json.Decoder(RawBatch | Welcome | Gap)
_event_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)  # type: ignore[arg-type]
_tag_decoder = msgspec.json.Decoder(_Tag)


class Codec:
    """Turns wire frames into steps for an engine, keeping count of what it had to drop.

    `check_duplicates` is off where a hub has already dropped them.
    """

    def __init__(self, *, check_duplicates: bool = True) -> None:
        self.stats = WireStats()
        self.duplicates = Duplicates.none()
        self.check_duplicates = check_duplicates
        self._sampled = 0

    def decode(self, frame: bytes) -> list[Step]:
        """The steps of one frame, in order. Raises WireError where the bytes are no frame at all."""
        if len(frame) > MAX_FRAME and not frame.startswith(b'{"type":"welcome"'):
            raise WireError(f"a frame of {len(frame):,} bytes, more than {MAX_FRAME:,}: send smaller batches")
        try:
            decoded = _frame_decoder.decode(frame)
        except (msgspec.ValidationError, msgspec.DecodeError, RecursionError):
            decoded = self._decode_slowly(frame)
        if isinstance(decoded, Welcome):
            return [decoded]
        if isinstance(decoded, Gap):
            return [Batch([decoded], [decoded.ts])]
        self.stats.frames += 1
        self._sample_fields(frame)
        return self._steps(decoded, clean=_is_plain(frame))

    def _decode_slowly(self, frame: bytes) -> _TypedBatch | Welcome | Gap:
        try:
            raw = _raw_decoder.decode(frame)
        except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as error:
            raise WireError(f"not a frame of the protocol: {safe_label(str(error))}") from None
        if not isinstance(raw, RawBatch):
            return raw
        ats = _expand(raw.at, len(raw.events))
        events: list[AnyEvent] = []
        runs: list[tuple[float, int]] = []
        for at, item in zip(ats, raw.events, strict=True):
            event = self._one(item, at)
            if event is not None:
                events.append(event)
                runs.append((at, 1))
        return _TypedBatch(seq=raw.seq, at=runs, events=events, local=raw.local)

    def _one(self, raw: Raw, at: float) -> AnyEvent | None:
        try:
            return _event_decoder.decode(raw)
        except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as error:
            why = str(error)
        try:
            kind = _tag_decoder.decode(raw).type
        except (msgspec.ValidationError, msgspec.DecodeError, RecursionError):
            kind = ""
        if kind and kind not in EVENT_TYPES:
            self._count(self.stats.unknown_types, safe_label(kind))
            return None
        self._malformed(at, why, bytes(raw))
        return None

    def _malformed(self, at: float, why: str, payload: bytes) -> None:
        self.stats.malformed += 1
        if len(self.stats.oddities) < KEPT_MALFORMED:
            sample = safe_text(payload[:400].decode("utf-8", "replace"), 400)
            self.stats.oddities.append(Oddity(at, safe_text(why, 200), sample))

    def _count(self, counts: dict[str, int], name: str) -> None:
        if name not in counts and len(counts) >= KEPT_TYPES:
            name = "other"
        counts[name] = counts.get(name, 0) + 1

    def _sample_fields(self, frame: bytes) -> None:
        """Look for unknown fields in one event of every 256th frame: a look costs as much as a decode."""
        self._sampled += 1
        if self._sampled % 256 != 1:
            return
        raw = _raw_decoder.decode(frame)
        if not isinstance(raw, RawBatch) or not raw.events:
            return
        event = msgspec.json.decode(raw.events[len(raw.events) // 2])
        kind = EVENT_TYPES.get(event.get("type")) if isinstance(event, dict) else None
        if kind is not None:
            for name in event.keys() - set(kind.__struct_fields__) - {"type"}:
                self._count(self.stats.unknown_fields, safe_label(f"{event['type']}.{name}"))

    def _steps(self, batch: _TypedBatch, *, clean: bool) -> list[Step]:
        events = batch.events
        ats = _expand(batch.at, len(events))
        self.stats.events += len(events)
        if not clean:
            self._clean(events)
        kinds = [type(event) for event in events]
        if Malformed in kinds:
            for at, event in zip(ats, events, strict=True):
                if type(event) is Malformed:
                    self._malformed(at, event.error, event.payload)
        if self.check_duplicates and not self.duplicates.all_new([event.event_id for event in events]):
            events, ats = self._without_duplicates(events, ats)
            kinds = [type(event) for event in events]
        if Heartbeat not in kinds:
            return [Batch(events, ats)] if events else []
        return _split(events, ats, kinds, local=batch.local)

    def _without_duplicates(
        self, events: list[AnyEvent], ats: list[float]
    ) -> tuple[list[AnyEvent], list[float]]:
        kept = [is_new for is_new in (self.duplicates.is_new(event.event_id) for event in events)]
        self.stats.duplicates += kept.count(False)
        return list(itertools.compress(events, kept)), list(itertools.compress(ats, kept))

    def _clean(self, events: list[AnyEvent]) -> None:
        for event in events:
            if not _is_safe("".join(_TEXTS[type(event)](event))) or type(event) in _NESTED:
                self._clean_event(event)

    def _clean_event(self, event: Event) -> None:
        for name in event.__struct_fields__:
            value = getattr(event, name)
            if type(value) is str:
                safe = safe_text(value, MAX_TEXT if name in _LONG_TEXTS else MAX_LABEL)
                if safe is not value:
                    self.stats.cleaned += 1
                    force_setattr(event, name, safe)
            elif type(value) is dict:
                force_setattr(event, name, clean_segments(value))
            elif type(value) is Agent:
                self._clean_agent(value)

    def _clean_agent(self, agent: Agent) -> None:
        for name in agent.__struct_fields__:
            force_setattr(agent, name, safe_label(getattr(agent, name)))


def clean_segments(segments: dict[str, object]) -> dict[str, object]:
    """Names and values made safe and bounded; a value that is no text stays what it is."""
    return {
        safe_label(name): safe_label(value) if isinstance(value, str) else value
        for name, value in itertools.islice(segments.items(), MAX_SEGMENTS)
    }


def pack_durations(turns: list[Turn]) -> tuple[bytes, int, tuple[int, ...]]:
    """The stage times of `turns` as one block of big-endian doubles: (block, bytes a row, offset of each stage).

    The stages stand in the order of `Durations`; what was not told is NaN. Every row has the same layout because
    `Durations` writes all its fields; encoding is the fastest way from Structs to bytes.
    """
    rows = [turn.latency or _NO_DURATIONS for turn in turns]
    block = b"".join([_encode(row) for row in rows])
    if len(block) != len(rows) * _ROW:  # built in this process by a publisher's `Latency`, not decoded
        block = b"".join([_encode(Durations(**msgspec.structs.asdict(row))) for row in rows])
    return block, _ROW, _OFFSETS


def _row_offsets() -> tuple[int, ...]:
    offsets = []
    position = 1
    for name in _DURATION_FIELDS:
        position += 1 + len(name)
        offsets.append(position + 1)
        position += 9
    assert position == _ROW
    return tuple(offsets)


_OFFSETS = _row_offsets()
_NO_DURATIONS = Durations()
_encode = msgspec.msgpack.Encoder().encode


def _is_plain(frame: bytes) -> bool:
    """Whether nothing in this JSON can be dangerous, seen from its bytes alone, a whole frame at a time.

    JSON must escape control characters, so that ASCII without a backslash or DEL has none. Beyond ASCII the Latin
    letters (UTF-8 leads C3 to C5) pass whole, C2 but for C1 controls, the no-break space and the soft hyphen, and of
    U+2000 to U+203F the dashes, quotes and dots. All other scripts are looked at event by event.
    """
    if b"\x7f" in frame or (b"\\" in frame and _ESCAPE.search(frame)):
        return False
    if frame.isascii():
        return True
    return not (
        frame.translate(None, _HARMLESS)
        or (b"\xc2" in frame and _BAD_C2.search(frame))
        or (b"\xe2" in frame and _BAD_E2.search(frame))
    )


_ESCAPE = re.compile(rb'\\[^"\\/]')
_BAD_C2 = re.compile(rb"\xc2[\x80-\xa0\xad]")
_BAD_E2 = re.compile(rb"\xe2(?!\x80[\x90-\xa7])")
_HARMLESS = bytes(range(0x7F)) + bytes(range(0x80, 0xC0)) + b"\xc2\xc3\xc4\xc5\xe2"


def _is_safe(text: str) -> bool:
    return text.isprintable() and (text.isascii() or safe_text(text, len(text)) is text)


def _texts_of(kind: type[Event]) -> Callable[[Event], tuple[str, ...]]:
    names = [name for name, hint in get_type_hints(kind).items() if hint is str]
    return operator.attrgetter(*names)


_TEXTS = {kind: _texts_of(kind) for kind in EVENT_TYPES.values()}
_NESTED = frozenset(
    kind
    for kind in EVENT_TYPES.values()
    if {"segments", "segment", "agent"} & set(kind.__struct_fields__)
)


def _expand(runs: list[tuple[float, int]], count: int) -> list[float]:
    if len(runs) == 1:
        ats = [runs[0][0]] * count
    else:
        ats = [at for at, times in runs for _ in range(min(times, count))]
    if len(ats) != count:
        ats = (ats + [ats[-1] if ats else 0.0] * count)[:count]
    return ats


def _split(
    events: list[AnyEvent], ats: list[float], kinds: list[type[Event]], *, local: bool
) -> list[Step]:
    steps: list[Step] = []
    start = 0
    while True:
        try:
            stop = kinds.index(Heartbeat, start)
        except ValueError:
            stop = len(kinds)
        if stop > start:
            steps.append(Batch(events[start:stop], ats[start:stop]))
        if stop == len(kinds):
            return steps
        beat = events[stop]
        assert isinstance(beat, Heartbeat)
        steps.append(Beat(ats[stop], beat.seq, beat.local or local))
        start = stop + 1
