"""A state taken apart into what changes and what stays, so that a hundred states of one feed cost little more than one.

parts   each slot of time, the live, ended and failed calls, what detectors hold, and the body: all else and the names
        of the others. A part is named by a hash of it and kept once; the same part of the state before is its kin,
        from which it mostly differs little, and only the difference is kept (`recording.patches`)
past    the sum of all that is older than some 30 minutes, of which a day has a hundred: adding it up takes a second
stories of which only the numbers of their events are kept; the events stand in the recording (`stories.py`)
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from hashlib import blake2b
from typing import Any, Protocol, TypeAlias

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from voicetop.engine.call_events import Seqs, StoredEvents
from voicetop.engine.calls import Call
from voicetop.engine.checkpoint import State, engine_of
from voicetop.engine.engine import Engine
from voicetop.engine.windows.delta_encoding import Index, flat, spread, squeeze, summed
from voicetop.engine.windows.slots import FINE, MINUTE
from voicetop.errors import CheckpointError
from voicetop.replay.checkpoints.call_columns import columns, rows
from voicetop.wire.events import AnyEvent

Slots: TypeAlias = list[tuple[int, int, bytes]]
Kind: TypeAlias = type[np.signedinteger[Any]]
ReadStory: TypeAlias = Callable[[str, list[int]], dict[int, AnyEvent]]
"""The events of a call with these stamps; what can't be read any more is left out."""
Told: TypeAlias = Callable[[Call], Seqs]
"""The stamps of the events of a call's story, -1 for those that stand in no recording."""


_PAST = "past"
_WIDE = 0xFFFF
_encode = msgspec.msgpack.Encoder().encode


class StatePart(Struct, frozen=True):
    """A part by its content, or squeezed in a `block`; `kin` is what it has in common with its like in other states."""

    kin: str
    content: bytes = b""
    block: bytes = b""

    def flat(self) -> bytes:
        """What is in it."""
        return flat(self.block) if self.block else self.content


class StateParts(Protocol):
    """Where parts are found by their names. Raises CheckpointError where one is gone or wrong."""

    def content(self, name: bytes) -> bytes:
        """What is in a part."""

    def block(self, name: bytes) -> bytes:
        """The same squeezed, as it was given."""


class Body(Struct, frozen=True):
    """What a state is put together from: itself without what the named parts hold. `seqs` are the stamps of all
    stories, call after call, as many as `lengths` says; `kept` are the events that have none.
    """

    state: State
    live: bytes
    ended: bytes
    failed: bytes
    alerts: bytes
    past_until: int
    past: bytes
    lengths: list[int]
    seqs: bytes
    kept: list[AnyEvent]


_body_decoder = msgspec.msgpack.Decoder(Body)


class SplitState(Struct, frozen=True):
    """The name of the body; the parts that are new by their names; and the kin of all, new or not."""

    body: bytes
    parts: dict[bytes, StatePart]
    kin: set[str]


def take_apart(state: State, engine: Engine, told: Told, known: Container[bytes]) -> SplitState:
    """The state of `engine`; of its parts those that are not `known`."""
    parts: dict[bytes, StatePart] = {}
    kin: set[str] = set()

    def put(of: str, content: bytes = b"", block: bytes = b"") -> bytes:
        kin.add(of)
        name = _name(block or content)
        if name not in known:
            parts[name] = StatePart(of, content, block)
        return name

    def named(of: str, slots: Slots) -> Slots:
        return [
            (width, number, put(f"{of} {width} {number}", block=block) if block else b"")
            for width, number, block in slots
        ]

    calls = [*state.live, *state.ended, *state.failed]
    seqs = [told(call) for call in calls]
    windows, counts = state.windows, state.counts
    fine = named("fine", windows.fine)
    coarse = named("coarse", _less(windows.coarse, windows.fine, np.int32))
    slots = named("count", _less(counts.slots, counts.slots, np.int64))
    body = Body(
        state=msgspec.structs.replace(
            state,
            live=[],
            ended=[],
            failed=[],
            alerts=b"",
            windows=msgspec.structs.replace(windows, fine=fine, coarse=coarse),
            counts=msgspec.structs.replace(counts, slots=slots),
        ),
        live=put("live", columns(state.live)),
        ended=put("ended", columns(state.ended)),
        failed=put("failed", columns(state.failed)),
        alerts=put("alerts", state.alerts),
        past_until=engine.ledger.windows.past_until(),
        past=_past(state, engine, known, parts),
        lengths=[len(one) for one in seqs],
        seqs=put("seqs", _column(np.concatenate([np.empty(0, np.int64), *seqs]))),
        kept=[event for call, one in zip(calls, seqs, strict=True) for event in _kept(call, one)],
    )
    return SplitState(put("body", _encode(body)), parts, kin | {_PAST})


def put_together(
    body: bytes, parts: StateParts, read: ReadStory, turns: dict[int, bytes]
) -> tuple[State, Engine]:
    """The state whose body has this name, and an engine that goes on from it. Raises CheckpointError where a part is
    gone.

    `turns` are notes of the turns in the stories of some calls, by their place among all calls.
    """
    try:
        made = _body_decoder.decode(parts.content(body))
        live, ended, failed = (rows(parts.content(name)) for name in (made.live, made.ended, made.failed))
        fine, slots = _found(made.state.windows.fine, parts), _found(made.state.counts.slots, parts)
        coarse = _more(_found(made.state.windows.coarse, parts), fine, np.int32)
        state = msgspec.structs.replace(
            made.state,
            live=live,
            ended=ended,
            failed=failed,
            alerts=parts.content(made.alerts),
            windows=msgspec.structs.replace(made.state.windows, fine=fine, coarse=coarse),
            counts=msgspec.structs.replace(made.state.counts, slots=_more(slots, slots, np.int64)),
        )
        past = (made.past_until, parts.block(made.past)) if made.past else (0, b"")
        seqs = _of_column(parts.content(made.seqs), sum(made.lengths))
    except (msgspec.MsgspecError, UnicodeDecodeError, LookupError, ValueError) as error:
        raise CheckpointError(f"a damaged checkpoint: {error}") from None
    _give_stories(made, seqs, [*live, *ended, *failed], read, turns)
    return state, engine_of(state, past)


def _give_stories(
    made: Body, seqs: Seqs, calls: list[Call], read: ReadStory, turns: dict[int, bytes]
) -> None:
    kept = iter(made.kept)
    start = 0
    for place, (call, length) in enumerate(zip(calls, made.lengths, strict=True)):
        if length:
            own = seqs[start : start + length]
            there = [next(kept) for _ in range(int((own < 0).sum()))] if made.kept else []
            call.story = StoredEvents(own, _reading(call.call_id, own, there, read), turns.get(place))
            start += length


def _reading(call_id: str, seqs: Seqs, kept: list[AnyEvent], read: ReadStory) -> Callable[[], list[AnyEvent]]:
    def story() -> list[AnyEvent]:
        found, there = read(call_id, seqs[seqs >= 0].tolist()), iter(kept)
        return [found[seq] if seq >= 0 else next(there) for seq in seqs.tolist() if seq < 0 or seq in found]

    return story


def _kept(call: Call, seqs: Seqs) -> Iterator[AnyEvent]:
    if len(seqs) and int(seqs.min()) < 0:
        yield from (event for event, seq in zip(call.story, seqs.tolist(), strict=True) if seq < 0)


def _found(slots: Slots, parts: StateParts) -> Slots:
    return [(width, number, parts.block(name) if name else b"") for width, number, name in slots]


def _less(slots: Slots, fine: Slots, kind: Kind) -> Slots:
    """Minutes that are no more than the sum of 10-second slots that are there too are left empty."""
    sums = _minutes(fine, {number for width, number, _ in slots if width == MINUTE}, kind)
    return [
        (width, number, b"" if width == MINUTE and sums.get(number) == block else block)
        for width, number, block in slots
    ]


def _more(slots: Slots, fine: Slots, kind: Kind) -> Slots:
    """What `_less` left empty is summed up again."""
    sums = _minutes(fine, {number for width, number, block in slots if width == MINUTE and not block}, kind)
    return [
        (width, number, block if block or width != MINUTE else sums[number]) for width, number, block in slots
    ]


def _minutes(fine: Slots, wanted: set[int], kind: Kind) -> dict[int, bytes]:
    """The sums of 10-second slots by the minute, of some minutes."""
    groups: dict[int, list[bytes]] = {}
    for width, number, block in fine:
        if width == FINE and number * FINE // MINUTE in wanted:
            groups.setdefault(number * FINE // MINUTE, []).append(block)
    return {minute: _sum([spread(block, kind) for block in blocks]) for minute, blocks in groups.items()}


def _sum(parts: list[tuple[Index, NDArray[Any]]]) -> bytes:
    indices, amounts = zip(*parts, strict=True)
    return squeeze(*summed(np.concatenate(indices), np.concatenate(amounts)))


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


def _column(values: Seqs) -> bytes:
    """Stamps as their differences: of two bytes each, and of eight those that don't fit, behind them."""
    steps = np.diff(values, prepend=np.int64(0))
    fits = (steps >= 0) & (steps < _WIDE)
    return np.where(fits, steps, _WIDE).astype("<u2").tobytes() + steps[~fits].astype("<i8").tobytes()


def _of_column(column: bytes, count: int) -> Seqs:
    steps = np.frombuffer(column, "<u2", count).astype(np.int64)
    steps[steps == _WIDE] = np.frombuffer(column, "<i8", offset=2 * count)
    return np.cumsum(steps)
