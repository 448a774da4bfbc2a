"""Takes a sample of one window for a comparison: its counts, cell by cell.

A `WindowSample` outlives the engine's windows, and `compare.py` needs nothing else. It covers all calls, so that a
comparison can be narrowed and widened again later.

A window that ends now and one in the past, cut at slot boundaries, are made of the same slots. The calls live at the
end of a past window are those live now, minus those started since, plus those ended since. Hang-ups are decided after a
grace time; a window counts decided ones only, and not the last two minutes, in which only good ends are known.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from voicetop.engine.call_events import told_events
from voicetop.engine.snapshot.comparison import Block, WindowSample
from voicetop.engine.waiting import Waits
from voicetop.engine.windows.buckets import BUCKETS, QUANTILES, bucket_of, quantile
from voicetop.engine.windows.delta_encoding import summed
from voicetop.engine.windows.histogram_slot import HistogramSlot as TurnSlot
from voicetop.engine.windows.histograms import METRIC, ROW, Histogram
from voicetop.engine.windows.slots import FINE, MINUTE, SPANS, SlotKey
from voicetop.views.compare import intervals
from voicetop.views.compare.natural_variation import NaturalVariation
from voicetop.wire.events import Turn

if TYPE_CHECKING:
    from voicetop.engine.calls import Call
    from voicetop.engine.engine import Engine

SLOTTED = ("cost_micro", "priced", "sentiment_centi", "sentiments", "barge_ins")
"""Kinds also kept by slot, since their variance isn't in their sum; turns follow them."""
TURNS = len(SLOTTED)
LATE = ("decided", "abandoned")
"""Kinds known only after the grace time of a hang-up."""
SAMPLED = 400
"""Calls, live and ended each, sampled for the design effect."""
CELL_BITS = 16

Variation = tuple[tuple[tuple[str, float], ...], int]
"""The result of `NaturalVariation.shares`."""
Index = NDArray[np.uint32]
Amounts = NDArray[np.int64]


class Window(Struct, frozen=True):
    """The slots from `start` to `end`, in order; `now` if it ends with the last heartbeat."""

    start: float
    end: float
    keys: list[SlotKey]
    now: bool


def ending_now(engine: Engine, span: str, variation: NaturalVariation) -> WindowSample:
    """The sample of the screens' window, ending with the last heartbeat."""
    edges, ledger = engine.ledger.windows.edges, engine.ledger
    start = float(edges.start_of(span))
    if span == "5m":
        fine = {key for key in ledger.counts.slots if key[0] == FINE}
        fine |= {(FINE, number) for number in ledger.windows.fine}
        keys = sorted(key for key in fine if _begin(key) >= start)
    else:
        keys = _slots_between(engine, start, edges.at)
    return _build(engine, Window(start, edges.at, keys, now=True), span, variation.shares(edges.at))


def around(
    engine: Engine, at: float, span: str, variation: NaturalVariation
) -> tuple[WindowSample, WindowSample] | None:
    """The samples (before, after) a time in the last 24 hours, each up to a window long, as far as data exists.

    The slot of that time (a minute; a quarter-hour if it is over two hours ago) is in neither. None if either is empty.
    """
    edges = engine.ledger.windows.edges
    key = edges.coarse(at)
    first, last = _begin(key), _finish(key)
    before = _slots_between(engine, max(first - SPANS[span], float(edges.day)), first)
    after = _slots_between(engine, last, min(last + SPANS[span], edges.at))
    if not before or not after:
        return None
    end, usual = min(_finish(after[-1]), edges.at), variation.shares(first)
    return (
        _build(engine, Window(_begin(before[0]), first, before, now=False), span, usual),
        _build(engine, Window(last, end, after, now=end == edges.at), span, usual),
    )


def _slots_between(engine: Engine, start: float, end: float) -> list[SlotKey]:
    """The minutes and quarters between two times; including the open one if they reach to now."""
    ledger = engine.ledger
    keys = {*(key for key in ledger.counts.slots if key[0] != FINE), *ledger.windows.coarse}
    keys |= {(MINUTE, number * FINE // MINUTE) for number in ledger.windows.fine}
    whole = [k for k in keys if start <= _begin(k) < end and (_finish(k) <= end or end >= engine.at)]
    return sorted(whole, key=_begin)


def _begin(key: SlotKey) -> float:
    return float(key[0] * key[1])


def _finish(key: SlotKey) -> float:
    return float(key[0] * (key[1] + 1))


def _build(engine: Engine, window: Window, span: str, usual: Variation) -> WindowSample:
    cells, counts = engine.ledger.cells, engine.ledger.counts
    index, amounts = _turns(engine, window, span)
    e2e = np.bincount(index % ROW, weights=amounts, minlength=ROW)[:BUCKETS].astype(np.int64)
    sums, slotted = _sums(engine, window)
    return WindowSample(
        at=engine.at,
        start=window.start,
        end=window.end,
        span=span,
        cut=not window.now,
        keys=tuple(key or () for key in cells.keys),
        live=tuple(_live(engine, window).tolist()),
        turns=_packed(index, amounts),
        kinds=tuple(counts.kinds),
        sums=_packed(*sums),
        slots=np.concatenate([slotted, _slotted_turns(engine, window)]).tobytes(),
        seconds=tuple(min(_finish(key), window.end) - _begin(key) for key in window.keys),
        design_effects=_design_effects(engine, window, e2e),
        natural_variation=usual[0],
        units=usual[1],
    )


def _packed(index: Index, amounts: Amounts) -> Block:
    return index.astype(np.uint32).tobytes(), amounts.astype(np.int64).tobytes()


# -- turns -----------------------------------------------------------------------------------------------------------


def _turns(engine: Engine, window: Window, span: str) -> tuple[Index, Amounts]:
    """Counts by position (cell × ROW + metric × BUCKETS + bucket), including the waits in progress at its end."""
    windows, used = engine.ledger.windows, len(engine.ledger.cells)
    if span == "5m" or not window.now or window.start != windows.edges.start_of(span):
        parts = [pair for key in window.keys for pair in _pairs(_turn_slots(engine, key))]
    else:
        total = windows.totals[span][: used * ROW]
        index = np.flatnonzero(total).astype(np.uint32)
        parts = [(index, total[index].astype(np.int64))]
        parts += _pairs([s for n, s in windows.fine.items() if n * FINE >= windows.edges.open])
    parts.append(_waits(engine, window))
    return summed(np.concatenate([i for i, _ in parts]), np.concatenate([a for _, a in parts]))


def _waits(engine: Engine, window: Window) -> tuple[Index, Amounts]:
    """The waits in progress at the end of the window: those of now, and of a past end those that are over."""
    waits = Waits(engine.feed, window.end, engine.at)
    calls = [call for call in engine.roster.live.values() if window.now or waits.began(call, engine.at)]
    waiting = waits.waiting_calls(calls, None)
    cells = np.array([call.cell for call in waiting], np.int64)
    buckets = bucket_of(np.array([waits.seconds(call) * 1000 for call in waiting]))
    amounts = np.ones(len(waiting), np.int64)
    if not window.now:
        ended = engine.ledger.past_ends.waits_by_cell(window.end)
        cells, buckets, amounts = map(np.concatenate, zip((cells, buckets, amounts), ended, strict=True))
    return (cells * ROW + METRIC["waited"] * BUCKETS + buckets).astype(np.uint32), amounts


def _turn_slots(engine: Engine, key: SlotKey) -> list[TurnSlot]:
    """The histogram slots of one time slot, including open ones."""
    windows = engine.ledger.windows
    if key[0] == FINE:
        return [windows.fine[key[1]]] if key[1] in windows.fine else []
    slots = [windows.coarse[key]] if key in windows.coarse else []
    open_fine = (n for n in windows.fine if n * FINE >= windows.edges.open)
    return slots + [windows.fine[n] for n in open_fine if _begin(key) <= n * FINE < _finish(key)]


def _pairs(slots: list[TurnSlot]) -> list[tuple[Index, Amounts]]:
    """Positions and counts; removed turns count as −1."""
    parts: list[tuple[Index, Amounts]] = []
    for slot in slots:
        index, count = slot.base()
        parts.append((index, count.astype(np.int64)))
        parts += [(added, np.ones(len(added), np.int64)) for added in slot.added]
        parts += [(taken, np.full(len(taken), -1, np.int64)) for taken in slot.taken]
    return parts


def _slotted_turns(engine: Engine, window: Window) -> NDArray[np.int64]:
    """(slot, TURNS, cell, turns) of every slot."""
    rows = [np.empty((0, 4), np.int64)]
    for number, key in enumerate(window.keys):
        by_cell = np.zeros(len(engine.ledger.cells), np.int64)
        for index, amounts in _pairs(_turn_slots(engine, key)):
            is_e2e = index % ROW < BUCKETS
            by_cell += np.bincount(index[is_e2e] // ROW, amounts[is_e2e], len(by_cell)).astype(np.int64)
        cells = np.flatnonzero(by_cell)
        rows.append(_rows(number, TURNS, cells, by_cell[cells]))
    return np.concatenate(rows)


def _rows(slot: int, kind: int, cells: NDArray[np.int64], amounts: Amounts) -> NDArray[np.int64]:
    return np.stack([np.full(len(cells), slot), np.full(len(cells), kind), cells, amounts], axis=1)


# -- sums ------------------------------------------------------------------------------------------------------------


def _sums(engine: Engine, window: Window) -> tuple[tuple[Index, Amounts], NDArray[np.int64]]:
    """Sums by kind and cell, and (slot, kind, cell, amount) of kinds kept by slot."""
    counts = engine.ledger.counts
    row_of = [(number, counts.kinds[kind]) for number, kind in enumerate(SLOTTED)]
    late = np.array([counts.kinds[kind] for kind in LATE], np.uint32)
    decided_by = engine.at - engine.config.grace_s
    parts, slotted = [(np.empty(0, np.uint32), np.empty(0, np.int64))], [np.empty((0, 4), np.int64)]
    for number, key in enumerate(window.keys):
        slot = counts.slots.get(key)
        if slot is None:
            continue
        keys, amounts = slot.sums()
        kinds, cells = keys >> np.uint32(CELL_BITS), keys & np.uint32((1 << CELL_BITS) - 1)
        for kind, row in row_of:
            own = kinds == row
            slotted.append(_rows(number, kind, cells[own].astype(np.int64), amounts[own]))
        if _finish(key) > decided_by:
            known = ~np.isin(kinds, late)
            keys, amounts = keys[known], amounts[known]
        parts.append((keys, amounts))
    if not window.now:
        failed, calls = engine.ledger.past_ends.errors_by_cell(window.start, window.end)
        parts.append(((failed + (counts.kinds["error"] << CELL_BITS)).astype(np.uint32), calls))
    whole = summed(np.concatenate([k for k, _ in parts]), np.concatenate([a for _, a in parts]))
    return whole, np.concatenate(slotted)


def _live(engine: Engine, window: Window) -> Amounts:
    """Live calls by cell at the end of the window."""
    counts = engine.ledger.counts
    live = np.array(engine.ledger.cells.live, np.int64)
    if window.now:
        return live
    signs = {counts.kinds["started"]: -1, counts.kinds["ended"]: 1}
    for key, slot in counts.slots.items():
        if key[0] == FINE or _begin(key) < window.end:
            continue
        keys, amounts = slot.sums()
        kinds, cells = keys >> np.uint32(CELL_BITS), keys & np.uint32((1 << CELL_BITS) - 1)
        for row, sign in signs.items():
            own = kinds == row
            np.add.at(live, cells[own], sign * amounts[own])
    return np.maximum(live, 0)


# -- correlation of turns within calls -------------------------------------------------------------------------------


def _design_effects(engine: Engine, window: Window, e2e: Histogram) -> tuple[float, float, float]:
    """The design effects of P50, P95 and P99 of e2e, from a sample of calls."""
    roster = engine.roster
    ended = itertools.chain(reversed(roster.ended.values()), reversed(roster.failed.values()))
    sample = [*itertools.islice(roster.live.values(), SAMPLED), *itertools.islice(ended, SAMPLED)]
    turns_by_call = [turns for call in sample if (turns := _e2e_in_window(call, window))]
    if len(turns_by_call) < 20 or not e2e.any():
        return 1.0, 1.0, 1.0
    values = np.array([value for turns in turns_by_call for value in turns])
    starts = np.cumsum([0, *map(len, turns_by_call[:-1])])
    of = np.array([len(turns) for turns in turns_by_call], float)
    p50, p95, p99 = (
        intervals.design_effect(np.add.reduceat((values > quantile(e2e, q)).astype(float), starts), of)
        for q in QUANTILES
    )
    return p50, p95, p99


def _e2e_in_window(call: Call, window: Window) -> list[float]:
    """e2e of the call's turns in the window, as far as its events are kept."""
    if call.ended and call.ended < window.start:
        return []
    return [
        event.e2e_ms
        for event in told_events(call)
        if type(event) is Turn and window.start <= event.ts < window.end and event.e2e_ms >= 0
    ]
