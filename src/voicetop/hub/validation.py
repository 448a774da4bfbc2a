"""Decides which client input becomes part of the feed: no publisher can break the feed or its connection.

A frame whose events are all well-formed passes whole, as the bytes received. Otherwise the events around a bad one pass
together, and that one is repaired (`wire/repair.py`): before the next heartbeat, a `repaired` event for each source and
kind says what was wrong. An event that can't be saved is stamped as a `malformed` event, so that every console and
recording shows it.
Unknown event types pass unchanged: a newer console may know them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from voicetop.hub.bad_events import BadEvent, cut_out, raw_events
from voicetop.hub.stamping import MAX_BATCH_BYTES
from voicetop.wire.batches import UNDECODABLE
from voicetop.wire.duplicates import Duplicates
from voicetop.wire.events import (
    AnyEvent,
    Gap,
    Heartbeat,
    Malformed,
    Operator,
    Repaired,
    SourceStatus,
    Turn,
)
from voicetop.wire.faults import MAX_SAMPLE, MAX_WHY, Faults, note_fault
from voicetop.wire.field_rules import Fault
from voicetop.wire.lenient_json import BYTE_ORDER_MARK, nests_deeply, split_events
from voicetop.wire.repair import has_absurd_stage, repair, syntax_fault
from voicetop.wire.text import safe_label, safe_text
from voicetop.wire.values import MAX_RESPONSE_MS

MAX_PAYLOAD = 4096
MAX_SOURCES = 5_000
MAX_REFUSED = 1_000
"""Events of one frame that are looked at though they can't be saved; then the rest of it is refused."""
MAX_CUTS = 16
"""Bad events of a frame that are searched for; with more, its events are decoded one by one."""
GROUP = 64
"""Pieces of a frame that pass together."""
FEW_TURNS = 32
MAX_ARRAY = MAX_BATCH_BYTES + len("[]")

_HUB_ONLY = frozenset({Heartbeat, Gap, Malformed, Repaired})


class ValidatedPart(Struct, frozen=True):
    """`count` events as JSON text, separated by commas."""

    text: bytes
    count: int


class Sender(Struct):
    """Who sends. `source` is given to events without one; `reporting` are the sources whose status was admitted."""

    name: str
    may_operate: bool = False
    source: str = ""
    reporting: set[str] = field(default_factory=set)


class _Unknown(Struct, frozen=True, gc=False):
    """What counts of an event of an unknown type."""

    event_id: str
    source: str


class _Piece(Struct, frozen=True, gc=False):
    """Events that may pass, as JSON text separated by commas. `statuses`: whether a `source.status` is among them."""

    text: bytes
    events: Sequence[AnyEvent | _Unknown]
    statuses: bool = False


class _Frame(Struct):
    """What was found in one frame so far. `broken`: not all of it decodes at once; `faults`: of its events."""

    sender: Sender
    at: float
    cuts: int = 0
    refused: int = 0
    faults: int = 0
    broken: bool = False


_array_decoder: msgspec.json.Decoder[list[AnyEvent]] = msgspec.json.Decoder(list[AnyEvent])


class Validator:
    """Counts what it drops, and remembers which events it has seen."""

    def __init__(self) -> None:
        from voicetop.engine.windows.ledger import times_of  # noqa: PLC0415 - numpy, when a hub really starts

        self.events = 0
        self.duplicates = 0
        self.malformed = 0
        self.dropped_by: dict[str, int] = {}
        self.faults: Faults = {}
        self._untold: Faults = {}
        self._times_of: Callable[[list[Turn]], Any] = times_of
        self._seen = Duplicates.none()

    def admit(self, text: bytes, sender: Sender, at: float) -> Iterator[ValidatedPart]:
        """The events of a frame to stamp, in parts of at most MAX_BATCH_BYTES; each takes a bounded time to find."""
        frame = _Frame(sender, at)
        for part in self._parts(text.removeprefix(BYTE_ORDER_MARK).strip(b" \t\r\n"), frame):
            self.events += part.count
            yield part

    def repaired(self, at: float) -> Iterator[ValidatedPart]:
        """What was repaired since the last call, as an event for each source and kind."""
        faults, self._untold = self._untold, {}
        for source, kinds in faults.items():
            for kind, fault in kinds.items():
                self.events += 1
                event = Repaired(
                    ts=at, source=source, kind=kind, count=fault.count, why=fault.why, sample=fault.sample
                )
                yield ValidatedPart(msgspec.json.encode(event), 1)

    def refuse(self, why: str, sender: Sender, at: float) -> ValidatedPart:
        """The event that says why something of `sender` is lost that can't be shown."""
        self.events += 1
        return self._refuse(b"", why, "", _Frame(sender, at))

    def note(self, faults: Iterable[Fault], source: str, at: float) -> None:
        """Count faults of what a source sent, to be told by `repaired`."""
        for fault in faults:
            for counts in (self.faults, self._untold):
                note_fault(counts, source, fault.kind, at=at, why=fault.why, sample=fault.sample)

    @property
    def dropped_by_publishers(self) -> int:
        """Events that publishers report having dropped before sending."""
        return sum(self.dropped_by.values())

    def _parts(self, text: bytes, frame: _Frame) -> Iterator[ValidatedPart]:
        """The events that may pass, gathered into few parts, with those that were refused between them."""
        gathered: list[_Piece] = []
        size = 0
        for piece in self._pieces(text, frame):
            refused = isinstance(piece, ValidatedPart)
            if gathered and (refused or size + len(piece.text) > MAX_BATCH_BYTES or len(gathered) == GROUP):
                yield from self._take(gathered, frame)
                gathered, size = [], 0
            if isinstance(piece, ValidatedPart):
                yield piece
            else:
                gathered.append(piece)
                size += len(piece.text) + 1
        if gathered:
            yield from self._take(gathered, frame)
        if frame.broken and text and not (frame.faults or frame.refused):
            self._note_syntax(text, frame)

    def _note_syntax(self, text: bytes, frame: _Frame) -> None:
        """The events of a frame are right, but what stands between them may not be."""
        fault = syntax_fault(text)
        if fault is not None:
            self.note([fault], frame.sender.source or safe_label(frame.sender.name), frame.at)

    def _pieces(self, text: bytes, frame: _Frame) -> Iterator[_Piece | ValidatedPart]:
        if text.startswith(b"[") and len(text) <= MAX_ARRAY and not nests_deeply(text):
            yield from self._array(text, frame)
        elif piece := self._decode_one(text, frame):
            yield piece
        else:
            frame.broken = True
            yield from self._one_by_one(text, frame)

    def _array(self, array: bytes, frame: _Frame) -> Iterator[_Piece | ValidatedPart]:
        """The events of an array, decoded together; a bad one is cut out, which leaves two arrays."""
        while array:
            try:
                piece = self._decode(array, frame)
            except UNDECODABLE as error:
                frame.broken = True
                found = cut_out(array, error) if frame.cuts < MAX_CUTS else None
            else:
                if piece.events:
                    yield piece
                return
            if found is None:
                yield from self._one_by_one(array, frame)
                return
            frame.cuts += 1
            before, bad, array = found
            yield from self._array(before, frame)
            yield from self._mend(bad, frame)

    def _decode(self, array: bytes, frame: _Frame) -> _Piece:
        """Events that may pass as they are. Raises one of UNDECODABLE if one of them may not."""
        if not array.isascii():
            array.decode()  # the decoder skips unknown fields without checking their text
        events = _array_decoder.decode(array)
        types = set(map(type, events))
        if types & _HUB_ONLY or (Operator in types and not frame.sender.may_operate):
            wrong = _HUB_ONLY if frame.sender.may_operate else _HUB_ONLY | {Operator}
            raise BadEvent(next(index for index, event in enumerate(events) if type(event) in wrong))
        if Turn in types:
            self._check_stages(events)
        return _Piece(array[1:-1], events, SourceStatus in types)

    def _check_stages(self, events: list[AnyEvent]) -> None:
        turns = [event for event in events if type(event) is Turn]
        if len(turns) > FEW_TURNS:
            times = self._times_of(turns)
            if not ((times < 0) | (times > MAX_RESPONSE_MS)).any():
                return
        for turn in turns:
            if has_absurd_stage(turn):
                raise BadEvent(next(index for index, event in enumerate(events) if event is turn))

    def _take(self, pieces: list[_Piece], frame: _Frame) -> Iterator[ValidatedPart]:
        """The part of these pieces: without events seen before, and with the sender's source."""
        text = b",".join([piece.text for piece in pieces])
        events = list(itertools.chain.from_iterable([piece.events for piece in pieces]))
        source, count = frame.sender.source, len(events)
        new = self._seen.all_new([event.event_id for event in events])
        if not new or (source and "" in [event.source for event in events]):
            pairs = list(zip(map(bytes, raw_events(b"[%b]" % text)), events, strict=True))
            if not new:
                pairs = [pair for pair in pairs if self._seen.is_new(pair[1].event_id)]
                self.duplicates += count - len(pairs)
            count, text = len(pairs), b",".join([_named(raw, event.source, source) for raw, event in pairs])
            events = [event for _, event in pairs]
        if any(piece.statuses for piece in pieces):
            self._note_status(events, frame.sender)
        if count:
            yield ValidatedPart(_on_one_line(text), count)

    def _one_by_one(self, array: bytes, frame: _Frame) -> Iterator[_Piece | ValidatedPart]:
        """For a text that is larger than a batch, has many bad events or isn't JSON in a way that is hard to place."""
        for raw in split_events(array):
            if piece := self._decode_one(raw, frame):
                yield piece
                continue
            yield from self._mend(raw, frame)
            if frame.refused > MAX_REFUSED:
                return

    def _decode_one(self, raw: bytes, frame: _Frame) -> _Piece | None:
        """The event alone, if it may pass as it is."""
        if len(raw) > MAX_BATCH_BYTES or nests_deeply(raw):
            return None
        try:
            piece = self._decode(b"[%b]" % raw, frame)
        except UNDECODABLE:
            return None
        return piece if piece.events else None

    def _mend(self, raw: bytes, frame: _Frame) -> Iterator[_Piece | ValidatedPart]:
        """A bad event, repaired or refused."""
        sender, at = frame.sender, frame.at
        result = repair(raw, at)
        frame.faults += len(result.faults)
        if not result.raw:
            yield self._refuse(raw, result.faults[0].why, result.source, frame)
            return
        if isinstance(result.event, Operator) and not sender.may_operate:
            yield self._refuse(raw, "'operator' events need an operator's token", result.source, frame)
            return
        if self._seen.has(result.event_id):
            self.duplicates += 1
            return
        self.note(result.faults, result.source or sender.source or safe_label(sender.name), at)
        event = result.event or _Unknown(result.event_id, result.source)
        yield _Piece(result.raw, [event], isinstance(event, SourceStatus))

    def _refuse(self, raw: bytes, why: str, source: str, frame: _Frame) -> ValidatedPart:
        frame.refused += 1
        if frame.refused > MAX_REFUSED:
            why = f"{MAX_REFUSED:,} events of this frame could not be saved; the rest of it, from here on, was not read"
        self.malformed += 1
        source = source or frame.sender.source or safe_label(frame.sender.name)
        sample = safe_text(raw[:MAX_SAMPLE].decode("utf-8", "replace"), MAX_SAMPLE)
        note_fault(self.faults, source, "refused", at=frame.at, why=safe_text(why, MAX_WHY), sample=sample)
        event = Malformed(ts=frame.at, payload=raw[:MAX_PAYLOAD], error=safe_text(why, 500), source=source)
        return ValidatedPart(msgspec.json.encode(event), 1)

    def _note_status(self, events: Iterable[AnyEvent | _Unknown], sender: Sender) -> None:
        for event in events:
            if isinstance(event, SourceStatus):
                source = event.source or sender.source
                if source in self.dropped_by or len(self.dropped_by) < MAX_SOURCES:
                    self.dropped_by[source] = event.dropped
                    sender.reporting.add(source)


def _named(raw: bytes, own: str, source: str) -> bytes:
    """An event with `source` if it has none of its own."""
    if own or not source:
        return raw
    return b'%b,"source":%b}' % (raw.rstrip()[:-1], msgspec.json.encode(source))


def _on_one_line(text: bytes) -> bytes:
    """A recording has one frame per line. In JSON a bare line break can only stand between tokens."""
    if b"\n" in text or b"\r" in text:
        return text.replace(b"\n", b" ").replace(b"\r", b" ")
    return text
