"""The whole state as one versioned block of bytes, and its digest.

A new console restores the hub's checkpoint. It is only a cache: another version is refused, and the state can be
recomputed from the records.

    "VTCP" | version (1 byte) | zstd, with a checksum, of MessagePack of `State`
"""

from __future__ import annotations

import hashlib
import sys
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct
from sortedcontainers import SortedList

from voicetop.engine.calls import Call
from voicetop.engine.capacity import CapacityLoad
from voicetop.engine.config import EngineConfig
from voicetop.engine.engine import Engine
from voicetop.engine.feed_state import FeedTracker
from voicetop.engine.judge.judge import Judge
from voicetop.engine.tick import TickCounters, TickState
from voicetop.engine.windows.cells import Cells
from voicetop.engine.windows.counts import Counts, CountState
from voicetop.engine.windows.delta_encoding import planes_of
from voicetop.engine.windows.histograms import Histograms, HistogramState
from voicetop.engine.windows.past_ends import PastEnds
from voicetop.errors import CheckpointError
from voicetop.formatting.numbers import known
from voicetop.wire.codec import WireStats
from voicetop.wire.events import NAN, CallEnd, Marker, Operator, Security
from voicetop.wire.repair import repair

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

VERSION = 3
_MAGIC = b"VTCP"


class State(Struct, frozen=True):
    """The complete state, in an order that doesn't depend on hashing."""

    config: EngineConfig
    seq: int
    epoch: str
    wire: WireStats
    seen: tuple[list[str], list[str]]
    live: list[Call]
    ended: list[Call]
    failed: list[Call]
    deciding: list[tuple[float, str]]
    told: int
    full: bool
    cells: Cells
    windows: HistogramState
    counts: CountState
    feed: FeedTracker
    load: CapacityLoad
    judge: Judge
    markers: list[Marker]
    security: list[Security]
    operators: list[Operator]
    next_mark: int
    taps: TickState
    operated: int = 0
    past_ends: list[tuple[int, int, bytes]] = []
    """Slots as in `CountState`, of `PastEnds`."""
    early_ends: list[tuple[float, CallEnd]] = []
    alerts: bytes = b""
    """The encoded `alerts.AlertState`, opaque to the engine."""


_decoder = msgspec.msgpack.Decoder(State)
"""Created at import, in one thread: msgspec 0.22 crashes if two threads decode a new type at once (as two feeds of a
console would)."""


def state_of(
    engine: Engine,
    seq: int,
    epoch: str,
    wire: WireStats,
    seen: tuple[list[str], list[str]],
    *,
    alerts: bytes = b"",
) -> State:
    """The state of an engine, sharing its objects: encode it before the engine changes."""
    roster, ledger = engine.roster, engine.ledger
    return State(
        config=engine.config,
        seq=seq,
        epoch=epoch,
        wire=wire,
        seen=seen,
        live=list(roster.live.values()),
        ended=list(roster.ended.values()),
        failed=list(roster.failed.values()),
        deciding=list(roster.deciding),
        told=roster.stored_events,
        full=roster.full,
        cells=ledger.cells,
        windows=ledger.windows.dump(),
        counts=ledger.counts.dump(),
        feed=engine.feed,
        load=engine.load,
        judge=engine.judge,
        markers=engine.markers,
        security=engine.security,
        operators=engine.operators,
        next_mark=engine.next_mark,
        taps=ledger.tick_counters.dump(),
        operated=engine.operated,
        past_ends=ledger.past_ends.dump(),
        early_ends=list(roster.early_ends.values()),
        alerts=alerts,
    )


def engine_of(state: State, past: tuple[int, bytes] = (0, b"")) -> Engine:
    """Restore an engine from `state`; `past` avoids summing up the day (`Histograms.load`)."""
    engine = Engine(state.config)
    cells = state.config.max_cells
    engine.ledger.cells = state.cells
    engine.ledger.windows = Histograms.load(state.windows, cells, past)
    engine.ledger.counts = Counts.load(state.counts, cells)
    engine.ledger.past_ends = PastEnds.load(state.past_ends, state.windows.edges)
    engine.ledger.tick_counters = TickCounters.load(state.taps)
    roster = engine.roster
    shared: dict[int, dict[str, str]] = {}
    for call in (*state.live, *state.ended, *state.failed):
        _share(call, engine, shared)
    roster.live = {call.call_id: call for call in state.live}
    roster.ended.update((call.call_id, call) for call in state.ended)
    roster.failed.update((call.call_id, call) for call in state.failed)
    roster.deciding = SortedList(state.deciding)
    roster.early_ends.update((ended.call_id, (ts, ended)) for ts, ended in state.early_ends)
    roster.stored_events, roster.full = state.told, state.full
    engine.feed, engine.load, engine.judge = state.feed, state.load, state.judge
    engine.judge.drop_unreadable()
    engine.markers, engine.security, engine.operators = state.markers, state.security, state.operators
    engine.next_mark, engine.operated = state.next_mark, state.operated
    return engine


def _share(call: Call, engine: Engine, shared: dict[int, dict[str, str]]) -> None:
    """Share equal segments and strings between decoded calls, as the engine does.

    `shared` are the segments seen so far, by identity.
    """
    segments = shared.get(id(call.segments))
    if segments is None:
        segments = shared[id(call.segments)] = engine.ledger.shared(call.segments)
    call.segments = segments
    call.state, call.source = sys.intern(call.state), sys.intern(call.source)
    call.step, call.measured_from = sys.intern(call.step), sys.intern(call.measured_from)
    call.slow_ms = call.slow_ms or 0.0
    call.mood = call.mood or 0.0
    call.e2e = call.e2e if known(call.e2e) else NAN


def pack(state: State, level: int = 3) -> bytes:
    """`state` as bytes."""
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: level,
        zstd.CompressionParameter.checksum_flag: 1,
    }
    return _MAGIC + bytes([VERSION]) + zstd.compress(msgspec.msgpack.encode(state), options=options)


def unpack(data: bytes) -> State:
    """The state in `data`. Raises CheckpointError if it has another version or is damaged."""
    if data[:4] != _MAGIC or len(data) < 5:
        raise CheckpointError("not a checkpoint")
    if data[4] != VERSION:
        raise CheckpointError(
            f"a checkpoint of version {data[4]}; this voicetop reads version {VERSION}: upgrade it"
        )
    try:
        block = zstd.decompress(data[5:])
        try:
            return _decoder.decode(block)
        except msgspec.ValidationError:
            return _decoder.decode(_with_values_in_bounds(block))
    except (zstd.ZstdError, msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError) as error:
        raise CheckpointError(f"a damaged checkpoint: {error}") from None


def _with_values_in_bounds(block: bytes) -> bytes:
    """A state whose calls have events from a time without bounds for durations: these are repaired like any other."""
    state = msgspec.msgpack.decode(block)
    for call in (*state["live"], *state["ended"], *state["failed"]):
        repaired = (repair(msgspec.json.encode(event), 0.0).raw for event in call.get("story", ()))
        call["story"] = [msgspec.json.decode(raw) for raw in repaired if raw]
    return msgspec.msgpack.encode(state)


def digest(state: State) -> str:
    """A hash over the whole canonical state: equal states have equal digests, on every machine."""
    windows, counts = state.windows, state.counts
    slots = (_plain(windows.fine), _plain(windows.coarse), _plain(counts.slots), _plain(state.past_ends))
    rest = msgspec.structs.replace(
        state,
        past_ends=[],
        windows=msgspec.structs.replace(windows, fine=[], coarse=[]),
        counts=msgspec.structs.replace(counts, slots=[]),
    )
    return hashlib.blake2b(msgspec.msgpack.encode((rest, slots)), digest_size=16).hexdigest()


def _plain(slots: list[tuple[int, int, bytes]]) -> list[tuple[Any, ...]]:
    """Hash the slots' content, as compressed bytes may differ between zstd versions."""
    return [tuple(_hash(part) if isinstance(part, bytes) else part for part in slot) for slot in slots]


@lru_cache(maxsize=1_000)
def _hash(block: bytes) -> bytes:
    """Of the content of a slot; most slots are the same at the next heartbeat."""
    try:
        return hashlib.blake2b(planes_of(block)).digest()
    except zstd.ZstdError:
        return block
