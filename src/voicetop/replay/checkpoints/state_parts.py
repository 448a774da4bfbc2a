"""A state split into what changes and what stays, so that a hundred states of one feed cost little more than one.

slots   of the windows, which mostly stay as they are
past    the sum of all slots older than some 30 minutes, of which a day has a hundred: adding it up takes a second
calls   field by field and without their events, of which only the stamps are kept: they stand in the recording
alerts  what detectors and incidents hold
body    all else, and the names of the other parts

A part is named by a hash of its content and kept once. The part of the same kin in the state before mostly differs
little, and only the difference is kept (`deltas.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Iterator
from hashlib import blake2b
from types import GenericAlias
from typing import Protocol, TypeAlias, get_type_hints

import msgspec
import numpy as np
from msgspec import Struct

from voicetop.engine.call_events import Seqs, StoredEvents
from voicetop.engine.calls import Call, WindowMark
from voicetop.engine.checkpoint import State, engine_of
from voicetop.engine.engine import Engine
from voicetop.engine.windows.delta_encoding import planes_of
from voicetop.errors import CheckpointError
from voicetop.replay.checkpoints.turn_notes import pack_notes, unpack_notes
from voicetop.wire.events import AnyEvent

Slots: TypeAlias = list[tuple[int, int, bytes]]
ReadEvents: TypeAlias = Callable[[str, list[int]], dict[int, AnyEvent]]
"""The events of a call with these stamps; those that can't be read any more are missing."""

_PAST = "past"
_OTHERWISE = {"story", "observed", "marks"}
_FIELDS = tuple(name for name in Call.__struct_fields__ if name not in _OTHERWISE)
_hints = get_type_hints(Call)
_Fields = msgspec.defstruct(
    "_Fields", [(name, GenericAlias(list, _hints[name])) for name in _FIELDS], array_like=True
)


class _CallColumns(Struct, frozen=True, array_like=True):
    """Calls field by field: all values of one field together pack an eighth smaller than call after call. Marks
    have the bits of their times as differences from those of `Call.started`.
    """

    fields: bytes
    observed: bytes
    kinds: list[list[str]]
    times: list[int]
    amounts: list[int]


_encode = msgspec.msgpack.Encoder().encode
_columns_decoder = msgspec.msgpack.Decoder(_CallColumns)
_fields_decoder = msgspec.msgpack.Decoder(_Fields)


class StatePart(Struct, frozen=True):
    """A part by its content, or compressed in a `block`; `kin` is the same for its like in other states."""

    kin: str
    content: bytes = b""
    block: bytes = b""

    def flat(self) -> bytes:
        """The content."""
        return planes_of(self.block) if self.block else self.content


class StateParts(Protocol):
    """Where parts are found by their names. Raises CheckpointError where one is gone or wrong."""

    def content(self, name: bytes) -> bytes:
        """The content of a part."""

    def block(self, name: bytes) -> bytes:
        """The same compressed, as it was given."""


class Body(Struct, frozen=True):
    """A state without what the named parts hold. The first `live` calls are live, the next `ended` have ended, the
    others failed. `steps` are the differences between the stamps of all their events, call after call, as many as
    `lengths` says; a stamp of -1 stands for one of the events in `kept`, which are in no recording.
    """

    state: State
    calls: bytes
    live: int
    ended: int
    alerts: bytes
    past_until: int
    past: bytes
    lengths: list[int]
    steps: list[int]
    kept: list[AnyEvent]


_body_decoder = msgspec.msgpack.Decoder(Body)


class SplitState(Struct, frozen=True):
    """The name of the body; the parts that are new by their names; and the kin of all, new or not."""

    body: bytes
    parts: dict[bytes, StatePart]
    kin: set[str]


def split_state(
    state: State, engine: Engine, stamps: Callable[[Call], Seqs], known: Container[bytes]
) -> SplitState:
    """The state of `engine`; of its parts those that are not `known`. `stamps` gives those of a call's events, -1 of
    those that are in no recording.
    """
    parts: dict[bytes, StatePart] = {}
    kin = {_PAST}

    def put(of: str, content: bytes = b"", block: bytes = b"") -> bytes:
        kin.add(of)
        name = _name(block or content)
        if name not in known:
            parts[name] = StatePart(of, content, block)
        return name

    def named(of: str, slots: Slots) -> Slots:
        return [(width, number, put(f"{of} {width} {number}", block=block)) for width, number, block in slots]

    calls = [*state.live, *state.ended, *state.failed]
    seqs = [stamps(call) for call in calls]
    windows, counts = state.windows, state.counts
    fine, coarse = named("fine", windows.fine), named("coarse", windows.coarse)
    body = Body(
        state=msgspec.structs.replace(
            state,
            live=[],
            ended=[],
            failed=[],
            alerts=b"",
            windows=msgspec.structs.replace(windows, fine=fine, coarse=coarse),
            counts=msgspec.structs.replace(counts, slots=named("count", counts.slots)),
            past_ends=named("end", state.past_ends),
        ),
        calls=put("calls", pack_calls(calls)),
        live=len(state.live),
        ended=len(state.ended),
        alerts=put("alerts", state.alerts),
        past_until=engine.ledger.windows.past_until(),
        past=_past(state, engine, known, parts),
        lengths=[len(one) for one in seqs],
        steps=np.diff(np.concatenate(seqs), prepend=np.int64(0)).tolist() if seqs else [],
        kept=[event for call, one in zip(calls, seqs, strict=True) for event in _kept(call, one)],
    )
    return SplitState(put("body", _encode(body)), parts, kin)


def join_state(
    body: bytes, parts: StateParts, read: ReadEvents, turns: dict[int, bytes]
) -> tuple[State, Engine]:
    """The state whose body has this name, and an engine that goes on from it. Raises CheckpointError where a part is
    gone.

    `turns` are notes of the turns among the events of some calls, by their place among all calls.
    """
    try:
        made = _body_decoder.decode(parts.content(body))
        calls = unpack_calls(parts.content(made.calls))
        gone = made.live + made.ended
        windows, counts = made.state.windows, made.state.counts
        state = msgspec.structs.replace(
            made.state,
            live=calls[: made.live],
            ended=calls[made.live : gone],
            failed=calls[gone:],
            alerts=parts.content(made.alerts),
            windows=msgspec.structs.replace(
                windows, fine=_found(windows.fine, parts), coarse=_found(windows.coarse, parts)
            ),
            counts=msgspec.structs.replace(counts, slots=_found(counts.slots, parts)),
            past_ends=_found(made.state.past_ends, parts),
        )
        past = (made.past_until, parts.block(made.past)) if made.past else (0, b"")
        _give_events(made, calls, read, turns)
    except (msgspec.MsgspecError, UnicodeDecodeError, LookupError, ValueError) as error:
        raise CheckpointError(f"a damaged checkpoint: {error}") from None
    return state, engine_of(state, past)


def pack_calls(calls: list[Call]) -> bytes:
    """Calls without their events."""
    marks = [mark for call in calls for mark in call.marks.values()]
    columns = _CallColumns(
        fields=_encode(_Fields(*([getattr(call, name) for call in calls] for name in _FIELDS))),
        observed=pack_notes([call.observed for call in calls]),
        kinds=[list(call.marks) for call in calls],
        times=(
            _bits([mark.ts for mark in marks]) - _starts(calls, [len(call.marks) for call in calls])
        ).tolist(),
        amounts=[mark.amount for mark in marks],
    )
    return _encode(columns)


def unpack_calls(block: bytes) -> list[Call]:
    """The calls again. Raises msgspec.DecodeError, ValueError or LookupError where the block is damaged."""
    made = _columns_decoder.decode(block)
    fields = _fields_decoder.decode(made.fields)
    rows = zip(*(getattr(fields, name) for name in _FIELDS), strict=True)
    calls = [Call(**dict(zip(_FIELDS, row, strict=True))) for row in rows]
    since = _starts(calls, list(map(len, made.kinds)))
    times = (np.array(made.times, np.int64) + since).view(np.float64).tolist()
    marks = map(WindowMark, times, made.amounts)
    for call, noted, kinds in zip(calls, unpack_notes(made.observed), made.kinds, strict=True):
        call.observed = bytearray(noted)
        call.marks = {sys.intern(kind): next(marks) for kind in kinds}
    return calls


def _bits(times: list[float]) -> Seqs:
    return np.array(times, np.float64).view(np.int64)


def _starts(calls: list[Call], counts: list[int]) -> Seqs:
    """When each call started, as often as `counts` says."""
    return np.repeat(_bits([call.started for call in calls]), counts)


def _give_events(made: Body, calls: list[Call], read: ReadEvents, turns: dict[int, bytes]) -> None:
    kept, seqs = iter(made.kept), np.cumsum(np.array(made.steps, np.int64))
    start = 0
    for place, (call, length) in enumerate(zip(calls, made.lengths, strict=True)):
        if length:
            own = seqs[start : start + length]
            there = [next(kept) for _ in range(int((own < 0).sum()))] if made.kept else []
            call.story = StoredEvents(own, _reading(call.call_id, own, there, read), turns.get(place))
            start += length


def _reading(
    call_id: str, seqs: Seqs, kept: list[AnyEvent], read: ReadEvents
) -> Callable[[], list[AnyEvent]]:
    def events() -> list[AnyEvent]:
        found, there = read(call_id, seqs[seqs >= 0].tolist()), iter(kept)
        return [found[seq] if seq >= 0 else next(there) for seq in seqs.tolist() if seq < 0 or seq in found]

    return events


def _kept(call: Call, seqs: Seqs) -> Iterator[AnyEvent]:
    if len(seqs) and int(seqs.min()) < 0:
        yield from (event for event, seq in zip(call.story, seqs.tolist(), strict=True) if seq < 0)


def _found(slots: Slots, parts: StateParts) -> Slots:
    return [(width, number, parts.block(name)) for width, number, name in slots]


def _past(state: State, engine: Engine, known: Container[bytes], parts: dict[bytes, StatePart]) -> bytes:
    """The name of the past's sum: it is that of the slots that are in it, so that nobody sums up what is there."""
    windows = engine.ledger.windows
    until = windows.past_until()
    blocks = [block for width, number, block in state.windows.coarse if (number + 1) * width <= until]
    if not blocks:
        return b""
    name = _name(b"".join(map(_name, blocks)))
    if name not in known:
        parts[name] = StatePart(_PAST, block=windows.past())
    return name


def _name(content: bytes) -> bytes:
    return blake2b(content, digest_size=12).digest()
