"""CUSUMs of every stream at every tilt, for the fleet and for every conjunction of segment values.

    S ← max(0, S + x·w − n·c)

The fleet's CUSUMs are updated at every mark, all at once; those of segments every 30 seconds. A CUSUM is capped a
little above its threshold, so that it clears soon after a change ends. Integers (micro-nats) keep sums exact.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct, field

from voicetop.alerts.changes.array_codec import Floats, Ints
from voicetop.alerts.changes.expectations import NAT
from voicetop.alerts.changes.streams import TILTS, MonitoredRate
from voicetop.engine.attribution.conjunctions import MOST_VALUES, Conjunctions

SEGMENT_STEP_S = 30
HYSTERESIS = NAT
"""How far a CUSUM may fall below its threshold before the change counts as over."""
CAP = 3 * NAT


class CusumBank(Struct, kw_only=True):
    """All CUSUMs as [stream, tilt], in the order of `names`; `local` ones as [scanned stream, tilt, conjunction].

    `zero` is when each was last 0 (stamp time), `crossed` when it crossed its threshold (NaN: it is below), `again` the
    evidence accumulated after `hold_s` above it, `peak` its maximum of this hour. `due_x` and `due_n` [stream, row] are
    hits and trials waiting for the segments' next step.
    """

    names: list[str] = field(default_factory=list)
    value: Ints = field(default_factory=lambda: np.zeros((0, TILTS), np.int64))
    zero: Floats = field(default_factory=lambda: np.zeros((0, TILTS)))
    crossed: Floats = field(default_factory=lambda: np.zeros((0, TILTS)))
    again: Ints = field(default_factory=lambda: np.zeros((0, TILTS), np.int64))
    peak: Ints = field(default_factory=lambda: np.zeros((0, TILTS), np.int64))
    scanned: list[str] = field(default_factory=list)
    local: Ints = field(default_factory=lambda: np.zeros((0, TILTS, 1), np.int64))
    local_zero: Floats = field(default_factory=lambda: np.zeros((0, TILTS, 1)))
    local_peak: Ints = field(default_factory=lambda: np.zeros((0, TILTS), np.int64))
    due_x: Ints = field(default_factory=lambda: np.zeros((0, 1), np.int64))
    due_n: Ints = field(default_factory=lambda: np.zeros((0, 1), np.int64))


class Weights:
    """Weight of a hit by stream and tilt (`w`), weight of a trial by row (`c`), and thresholds."""

    def __init__(self, streams: list[MonitoredRate], w: list[Ints], c: list[Ints], rows: int) -> None:
        self.streams = streams
        self.w = np.array(w, np.int64).reshape(len(streams), TILTS)
        self.c = c
        self.hold = np.array([[stream.hold_s] * TILTS for stream in streams]).reshape(len(streams), TILTS)
        self.limit = np.zeros((len(streams), TILTS), np.int64)
        self.page_limit = np.zeros((len(streams), TILTS), np.int64)
        self.scanned = [number for number, stream in enumerate(streams) if stream.scanned]
        self.local_limit = np.zeros((len(self.scanned), TILTS), np.int64)
        self.groups: dict[str, list[int]] = {}
        for number, stream in enumerate(streams):
            self.groups.setdefault(stream.den, []).append(number)
        self.trial_weights = {
            den: np.concatenate([c[number] for number in of]) for den, of in self.groups.items()
        }
        """Trial weights of all streams that share the same trials, as [stream × tilt, row]."""
        self.rows = rows


def resized(bank: CusumBank, weights: Weights, segments: Conjunctions, at: float) -> CusumBank:
    """The CUSUMs in the order and size of these weights: existing ones keep their values, new ones start at 0."""
    names = [stream.name for stream in weights.streams]
    scanned = [names[number] for number in weights.scanned]
    count = len(segments)
    resized_bank = CusumBank(
        names=names,
        value=np.zeros((len(names), TILTS), np.int64),
        zero=np.full((len(names), TILTS), at),
        crossed=np.full((len(names), TILTS), np.nan),
        again=np.zeros((len(names), TILTS), np.int64),
        peak=np.zeros((len(names), TILTS), np.int64),
        scanned=scanned,
        local=np.zeros((len(scanned), TILTS, count), np.int64),
        local_zero=np.full((len(scanned), TILTS, count), at),
        local_peak=np.zeros((len(scanned), TILTS), np.int64),
        due_x=np.zeros((len(scanned), weights.rows), np.int64),
        due_n=np.zeros((len(scanned), weights.rows), np.int64),
    )
    for new, name in enumerate(names):
        if name in bank.names:
            old = bank.names.index(name)
            for part in ("value", "zero", "crossed", "again", "peak"):
                getattr(resized_bank, part)[new] = getattr(bank, part)[old]
    for new, name in enumerate(scanned):
        if name in bank.scanned:
            old = bank.scanned.index(name)
            size = min(count, bank.local.shape[2])
            resized_bank.local[new, :, :size] = bank.local[old, :, :size]
            resized_bank.local_zero[new, :, :size] = bank.local_zero[old, :, :size]
            resized_bank.local_peak[new] = bank.local_peak[old]
            size = min(weights.rows, bank.due_x.shape[1])
            resized_bank.due_x[new, :size] = bank.due_x[old, :size]
            resized_bank.due_n[new, :size] = bank.due_n[old, :size]
    return resized_bank


def update(bank: CusumBank, weights: Weights, parts: dict[str, tuple[Ints, Ints]], at: float) -> None:
    """Update the fleet's CUSUMs with a mark's hits and trials by kind, as (rows, amounts)."""
    if not any(stream.num in parts or stream.den in parts for stream in weights.streams):
        return
    x = np.zeros((len(weights.streams), 1), np.int64)
    decrements = np.zeros((len(weights.streams), TILTS), np.int64)
    for den, of in weights.groups.items():
        trials = parts.get(den)
        if trials is not None and len(trials[0]):
            decrements[of] = (
                (weights.trial_weights[den][:, trials[0]] * trials[1]).sum(axis=1).reshape(-1, TILTS)
            )
    for number, stream in enumerate(weights.streams):
        trials = parts.get(stream.num)
        if trials is not None:
            x[number] = trials[1].sum()
    increments = x * weights.w - decrements
    value = np.maximum(bank.value + increments, 0)
    np.maximum(bank.peak, value, out=bank.peak)
    bank.value = np.minimum(value, weights.limit + CAP)
    bank.zero[value == 0] = at
    _track_crossings(bank, weights, value, increments, at)
    _collect_for_segments(bank, weights, parts)


def _track_crossings(bank: CusumBank, weights: Weights, value: Ints, increments: Ints, at: float) -> None:
    """Track when each CUSUM crossed its threshold, and accumulate evidence after its hold time."""
    over = value >= weights.limit
    crossed = bank.crossed == bank.crossed
    if not over.any() and not crossed.any():
        return
    newly_over = over & ~crossed
    cleared = crossed & (value < weights.limit - HYSTERESIS)
    bank.crossed[newly_over] = at
    bank.crossed[cleared] = np.nan
    bank.again[newly_over | cleared] = 0
    held_long_enough = at - bank.crossed > weights.hold
    bank.again = np.where(held_long_enough, np.maximum(bank.again + increments, 0), 0)


def _collect_for_segments(bank: CusumBank, weights: Weights, parts: dict[str, tuple[Ints, Ints]]) -> None:
    for place, number in enumerate(weights.scanned):
        stream = weights.streams[number]
        for kind, pending in ((stream.num, bank.due_x), (stream.den, bank.due_n)):
            part = parts.get(kind)
            if part is not None:
                pending[place, part[0]] += part[1]


def update_segments(bank: CusumBank, weights: Weights, segments: Conjunctions, at: float) -> None:
    """Update each conjunction's CUSUM with the hits and trials since the last step."""
    for place, number in enumerate(weights.scanned):
        rows = np.flatnonzero(bank.due_n[place] | bank.due_x[place])
        if not len(rows):
            continue
        x, n = bank.due_x[place, rows], bank.due_n[place, rows]
        for tilt in range(TILTS):
            increments = x * weights.w[number, tilt] - n * weights.c[number][tilt, rows]
            value = np.maximum(bank.local[place, tilt] + segments.sums(rows, increments), 0)
            if weights.streams[number].deep < MOST_VALUES:
                value[segments.sizes > weights.streams[number].deep] = 0
            bank.local_peak[place, tilt] = max(int(bank.local_peak[place, tilt]), int(value.max()))
            bank.local[place, tilt] = np.minimum(value, weights.local_limit[place, tilt] + CAP)
            bank.local_zero[place, tilt][value == 0] = at
    bank.due_n[:] = 0
    bank.due_x[:] = 0
