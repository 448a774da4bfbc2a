"""Decodes frames into batches: the only place where bytes of the feed become objects.

A frame decodes in one pass of one typed decoder. If that fails (an unknown type, a wrong field), it is decoded event by
event: unknown types are counted and skipped, events with a bad value repaired as a hub does it (`repair.py`), and those
that can't be saved counted as malformed. No count in `WireStats` depends on how the events were split into frames.
Batches end at heartbeats, because only a heartbeat advances time: the network's framing can't change what is computed.

Text is cleaned here (`cleaning.py`), so that no string below can control a terminal.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TypeAlias, cast

import msgspec
from msgspec import Raw, Struct

from voicetop.errors import WireError
from voicetop.wire.batches import UNDECODABLE, Tag, expand_stamps, is_welcome
from voicetop.wire.cleaning import clean_events, clean_struct, is_plain
from voicetop.wire.duplicates import Duplicates
from voicetop.wire.events import (
    EVENT_TYPES,
    AnyEvent,
    Durations,
    Gap,
    Heartbeat,
    Malformed,
    Repaired,
    Turn,
)
from voicetop.wire.faults import MAX_SAMPLE, MAX_WHY, Faults, note_fault
from voicetop.wire.frames import RawBatch, Welcome
from voicetop.wire.repair import repair
from voicetop.wire.text import safe_label, safe_text

MAX_FRAME = 4 * 1024 * 1024
KEPT_TYPES = 64
SAMPLE_EVERY = 8192
_DURATION_FIELDS = Durations.__struct_fields__
_ROW = len(msgspec.msgpack.encode(Durations()))


class Batch(Struct, frozen=True, gc=False):
    """Events between two heartbeats, in the order of their stamps; `at` has the receive time of each.

    `seq` is the stamp of the first; the others are consecutive. -1 if they aren't.
    """

    events: list[AnyEvent]
    at: list[float]
    seq: int = -1


class Beat(Struct, frozen=True, gc=False):
    """A heartbeat: time advances to `at`; `seq` is the last stamp before it."""

    at: float
    seq: int
    local: bool = False


Step: TypeAlias = Batch | Beat | Welcome


class WireStats(Struct):
    """Counts of events received and dropped. Part of the checkpoint, so that all consoles agree.

    `events` includes the dropped ones; `cleaned` counts texts that had to be made safe; `faults` those that were saved
    without a bad value, and as "refused" those that weren't.
    """

    events: int = 0
    duplicates: int = 0
    malformed: int = 0
    unknown_types: dict[str, int] = {}
    unknown_fields: dict[str, int] = {}
    cleaned: int = 0
    faults: Faults = {}


class _TypedBatch(Struct, frozen=True, kw_only=True, tag_field="type", tag="batch"):
    seq: int
    at: list[tuple[float, int]]
    events: list[AnyEvent]
    local: bool = False


_Frame: TypeAlias = _TypedBatch | Welcome | Gap
_RawFrame: TypeAlias = RawBatch | Welcome | Gap

_frame_decoder: msgspec.json.Decoder[_Frame] = msgspec.json.Decoder(_Frame)
_raw_decoder: msgspec.json.Decoder[_RawFrame] = msgspec.json.Decoder(_RawFrame)
_event_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_tag_decoder = msgspec.json.Decoder(Tag)


class Codec:
    """Turns wire frames into steps for an engine, counting what it drops.

    `check_duplicates` is off if a hub has already dropped duplicates. `frames` counts frames received.
    """

    def __init__(self, *, check_duplicates: bool = True) -> None:
        self.stats = WireStats()
        self.duplicates = Duplicates.none()
        self.check_duplicates = check_duplicates
        self.frames = 0
        self.seq = 0
        """The last of the hub's stamps that was decoded; local records have none."""

    def resume(self, seq: int, stats: WireStats, seen: Duplicates) -> None:
        """Restore from a checkpoint: the last stamp, the counts, and the ids seen."""
        self.seq, self.stats, self.duplicates = seq, stats, seen

    def reject(self, at: float, why: str, frame: bytes) -> None:
        """Count bytes that aren't a frame."""
        self._malformed(at, "", why, frame)

    def decode(self, frame: bytes) -> list[Step]:
        """The steps of one frame, in order. Raises WireError if the bytes aren't a frame."""
        return list(self.steps(frame))

    def steps(self, frame: bytes) -> Iterator[Step]:
        """Like `decode`, lazily: events after a heartbeat are counted only once that heartbeat is processed."""
        if len(frame) > MAX_FRAME and not is_welcome(frame):
            raise WireError(f"a frame of {len(frame):,} bytes, more than {MAX_FRAME:,}: send smaller batches")
        try:
            decoded: _Frame | _RawFrame = _frame_decoder.decode(frame)
        except UNDECODABLE:
            decoded = _decode_raw(frame)
        self.frames += 1
        if isinstance(decoded, Welcome | Gap):
            yield self._single_step(decoded)
            return
        plain = is_plain(frame)
        count = len(decoded.events)
        ats = expand_stamps(decoded.at, count)
        kinds: list[type] = list(map(type, decoded.events))
        if isinstance(decoded, RawBatch):
            kinds = [
                Heartbeat if _is_heartbeat(raw) else kind
                for raw, kind in zip(decoded.events, kinds, strict=True)
            ]
        start = 0
        while start < count:
            stop = kinds.index(Heartbeat, start) + 1 if Heartbeat in kinds[start:] else count
            self._count_events(frame, start, stop - start)
            if not decoded.local:
                self.seq = decoded.seq + stop - 1
            part = decoded.events[start:stop] if stop - start < count else decoded.events
            first = -1 if decoded.local else decoded.seq + start
            yield from self._part_steps(part, ats[start:stop], first, plain=plain, local=decoded.local)
            start = stop

    def _part_steps(
        self, part: list[AnyEvent] | list[Raw], ats: list[float], first: int, *, plain: bool, local: bool
    ) -> Iterator[Step]:
        """The events up to a heartbeat, and the heartbeat."""
        events, ats = self._events(part, ats)
        if not plain:
            self.stats.cleaned += clean_events(events)
        if self.check_duplicates and not self.duplicates.all_new([event.event_id for event in events]):
            events, ats = self._without_duplicates(events, ats)
        whole = len(events) == len(part)
        beat = events.pop() if events and type(events[-1]) is Heartbeat else None
        if events:
            yield Batch(events, ats[: len(events)], first if whole else -1)
        if isinstance(beat, Heartbeat):
            yield Beat(ats[len(events)], beat.seq, beat.local or local)

    def _events(
        self, part: list[AnyEvent] | list[Raw], ats: list[float]
    ) -> tuple[list[AnyEvent], list[float]]:
        if not part or not isinstance(part[0], Raw):
            events = cast("list[AnyEvent]", part)
            if not _FAULTS.isdisjoint(map(type, events)):
                for event, at in zip(events, ats, strict=True):
                    self._note_event(event, at)
            return events, ats
        kept: list[tuple[AnyEvent, float]] = []
        for item, at in zip(part, ats, strict=True):
            decoded = self._decode_event(item, at)
            if decoded is not None:
                self._note_event(decoded, at)
                kept.append((decoded, at))
        return [event for event, _ in kept], [at for _, at in kept]

    def _note_event(self, event: AnyEvent, at: float) -> None:
        """Count what the hub says was wrong with events."""
        if type(event) is Malformed:
            self._malformed(at, event.source, event.error, event.payload)
        elif type(event) is Repaired:
            self._note(at, event.source, event.kind, event.why, event.sample, event.count)

    def _single_step(self, decoded: Welcome | Gap) -> Step:
        self.stats.cleaned += clean_struct(decoded)
        return decoded if isinstance(decoded, Welcome) else Batch([decoded], [decoded.ts])

    def _decode_event(self, raw: Raw, at: float) -> AnyEvent | None:
        try:
            return _event_decoder.decode(raw)
        except UNDECODABLE:
            result = repair(bytes(raw), at)
        if result.raw and result.event is None:
            self._count(self.stats.unknown_types, safe_label(_tag_decoder.decode(result.raw).type))
        if not result.raw:
            self._malformed(at, result.source, result.faults[0].why, bytes(raw))
            return None
        for fault in result.faults:
            self._note(at, result.source, fault.kind, fault.why, fault.sample)
        return result.event

    def _malformed(self, at: float, source: str, why: str, payload: bytes) -> None:
        self.stats.malformed += 1
        self._note(at, source, "refused", why, payload[:MAX_SAMPLE].decode("utf-8", "replace"))

    def _note(self, at: float, source: str, kind: str, why: str, sample: str, count: int = 1) -> None:
        why, sample = safe_text(why, MAX_WHY), safe_text(sample, MAX_SAMPLE)
        note_fault(self.stats.faults, safe_label(source), kind, at=at, why=why, sample=sample, count=count)

    def _count(self, counts: dict[str, int], name: str) -> None:
        if name not in counts and len(counts) >= KEPT_TYPES:
            name = "other"
        counts[name] = counts.get(name, 0) + 1

    def _count_events(self, frame: bytes, start: int, count: int) -> None:
        """Count the events, and check every `SAMPLE_EVERY`th for unknown fields: a check costs as much as a decode."""
        first = -self.stats.events % SAMPLE_EVERY
        self.stats.events += count
        if first >= count:
            return
        raw = _raw_decoder.decode(frame)
        assert isinstance(raw, RawBatch)
        for item in raw.events[start + first : start + count : SAMPLE_EVERY]:
            self._check_fields(item)

    def _check_fields(self, raw: Raw) -> None:
        try:
            event = msgspec.json.decode(raw)
            kind = EVENT_TYPES.get(_tag_decoder.decode(raw).type)
        except UNDECODABLE:
            return
        if kind is not None:
            for name in sorted(event.keys() - set(kind.__struct_fields__) - {"type"}):
                self._count(self.stats.unknown_fields, safe_label(f"{event['type']}.{name}"))

    def _without_duplicates(
        self, events: list[AnyEvent], ats: list[float]
    ) -> tuple[list[AnyEvent], list[float]]:
        kept = [self.duplicates.is_new(event.event_id) for event in events]
        self.stats.duplicates += kept.count(False)
        return list(itertools.compress(events, kept)), list(itertools.compress(ats, kept))


def pack_durations(turns: list[Turn]) -> tuple[memoryview, int, tuple[int, ...]]:
    """The stage times of `turns` as one block of big-endian doubles: (block, bytes a row, offset of each stage).

    The stages are in the order of `Durations`; missing ones are NaN. Every row has the same layout because
    `Durations` writes all its fields; encoding is the fastest way from Structs to bytes.
    """
    rows = [turn.latency or _NO_DURATIONS for turn in turns]
    block = _encode(rows)
    head = len(block) - len(rows) * _ROW  # MessagePack's own, of 1, 3 or 5 bytes
    if not 0 < head <= 5:  # built in this process by a publisher's `Latency`, not decoded
        block = _encode([Durations(**msgspec.structs.asdict(row)) for row in rows])
        head = len(block) - len(rows) * _ROW
    return memoryview(block)[head:], _ROW, _OFFSETS


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
_FAULTS = frozenset({Malformed, Repaired})
_encode = msgspec.msgpack.Encoder().encode


def _decode_raw(frame: bytes) -> _RawFrame:
    try:
        return _raw_decoder.decode(frame)
    except UNDECODABLE as error:
        raise WireError(f"not a frame of the protocol: {safe_label(str(error))}") from None


def _is_heartbeat(raw: Raw) -> bool:
    if b"heartbeat" not in bytes(raw):
        return False
    try:
        return type(_event_decoder.decode(raw)) is Heartbeat
    except UNDECODABLE:
        return False
