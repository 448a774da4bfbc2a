"""Random samples like those of a fleet's window: nothing differs between them except planted changes."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass

import numpy as np

from voicetop.engine.snapshot.comparison import Block, Key, WindowSample
from voicetop.engine.windows.buckets import BUCKETS, bucket_of
from voicetop.engine.windows.counts import FIXED_KINDS
from voicetop.engine.windows.histograms import METRIC, ROW
from voicetop.views.compare import intervals
from voicetop.views.compare.window_sample import CELL_BITS, SLOTTED, TURNS

SEGMENTS = {
    "intent": ("billing", "orders", "refund"),
    "language": ("en", "es", "de"),
    "tier": ("gold", "basic"),
}
CELLS: tuple[Key, ...] = tuple(
    tuple(zip(SEGMENTS, values, strict=True)) for values in itertools.product(*SEGMENTS.values())
)
TIMEOUT = "error:llm:timeout"
LIMITS = (800.0, 1677.0, 2279.0)
"""P50, P95 and P99 of e2e, in ms."""
SLOT_S, SLOTS = 10.0, 30


@dataclass
class Odds:
    """What calls are like. Within `where`, latency is `times` as long, errors are `more` and successes less.

    `alike` is how much of a turn's latency is its call's (0 to 1).
    """

    calls: int = 900
    errors: float = 0.02
    success: float = 0.88
    where: Key = ()
    times: float = 1.0
    more: float = 0.0
    less_success: float = 0.0
    alike: float = 0.0


def moment(dice: np.random.Generator, start: float, odds: Odds | None = None) -> WindowSample:  # noqa: C901
    """Five minutes of a fleet."""
    odds = odds or Odds()
    turns: Counter[int] = Counter()
    sums: Counter[int] = Counter()
    slots: Counter[tuple[int, int, int]] = Counter()
    live = [0] * len(CELLS)
    rows = {kind: row for row, kind in enumerate((*FIXED_KINDS, TIMEOUT))}
    told: list[tuple[float, ...]] = []

    def count(kind: str, cell: int, slot: int, amount: int = 1) -> None:
        sums[(rows[kind] << CELL_BITS) + cell] += amount
        if kind in SLOTTED:
            slots[slot, SLOTTED.index(kind), cell] += amount

    for cell in dice.integers(0, len(CELLS), dice.poisson(odds.calls)).tolist():
        hit = set(odds.where) <= set(CELLS[cell])
        slot = int(dice.integers(0, SLOTS))
        own, made = dice.normal(), int(dice.poisson(6))
        noise = odds.alike**0.5 * own + (1 - odds.alike) ** 0.5 * dice.normal(size=made)
        e2e = 800 * np.exp(0.45 * noise) * (odds.times if hit else 1.0)
        for metric, values in (("e2e", e2e), ("llm_ttft", e2e / 2)):
            positions = cell * ROW + METRIC[metric] * BUCKETS + bucket_of(np.asarray(values, float))
            turns.update(positions.tolist())
        for at in dice.integers(0, SLOTS, made).tolist():
            slots[at, TURNS, cell] += 1
        told.append((float(made), *(float((e2e > limit).sum()) for limit in LIMITS)))
        if dice.random() < odds.errors + (odds.more if hit else 0):
            count("error", cell, slot)
            count(TIMEOUT, cell, slot)
        if dice.random() < 0.3:
            live[cell] += 1
            continue
        for kind in ("ended", "talked", "decided", "known", "priced", "sentiments"):
            count(kind, cell, slot)
        count("cost_micro", cell, slot, int(80_000 * np.exp(0.5 * dice.normal())))
        count("sentiment_centi", cell, slot, int(dice.integers(200, 500)))
        if dice.random() < odds.success - (odds.less_success if hit else 0):
            count("succeeded", cell, slot)
        for kind, chance in (("escalated", 0.06), ("abandoned", 0.04), ("moody", 0.02)):
            if dice.random() < chance:
                count(kind, cell, slot)
    of, *slow = np.array(told).T
    p50, p95, p99 = (intervals.design_effect(hits, of) for hits in slow)
    return WindowSample(
        at=start + SLOT_S * SLOTS,
        start=start,
        end=start + SLOT_S * SLOTS,
        span="5m",
        cut=False,
        keys=CELLS,
        live=tuple(live),
        turns=_block(turns),
        kinds=tuple(rows),
        sums=_block(sums),
        slots=np.array([(*key, amount) for key, amount in sorted(slots.items())], np.int64).tobytes(),
        seconds=(SLOT_S,) * SLOTS,
        design_effects=(p50, p95, p99),
    )


def _block(counted: Counter[int]) -> Block:
    positions = sorted(counted)
    return np.array(positions, np.uint32).tobytes(), np.array(
        [counted[p] for p in positions], np.int64
    ).tobytes()
