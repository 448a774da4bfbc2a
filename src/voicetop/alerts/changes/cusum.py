"""CUSUMs of every stream at every tilt, for the fleet and for every conjunction of segment values.

    S ← max(0, S + x·w − n·c)

The fleet's move on every mark, all at once; those of segments every 30 seconds, on what came since. A CUSUM is capped a
little above its threshold, so that what is over is over soon. Integers throughout (micro-nats): sums are exact.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct, field

from voicetop.alerts.changes.array_codec import Floats, Ints
from voicetop.alerts.changes.expectations import NAT
from voicetop.alerts.changes.streams import TILTS, MonitoredRate
from voicetop.engine.attribution.conjunctions import MOST_VALUES, Conjunctions

LOCAL_EVERY_S = 30
SLACK = NAT
"""How far a CUSUM may fall below its threshold again before its change counts as over."""
CAP = 3 * NAT


class CusumBank(Struct, kw_only=True):
    """All CUSUMs as [stream, tilt], in the order of `names`; `local` ones as [scanned stream, tilt, conjunction].

    `zero` is when each was last 0 (stamp time), `crossed` since when it is over its threshold (NaN: it isn't), `again`
    what came to it once that had lasted as long as it has to; `peak` its greatest value of this hour. `due_x` and
    `due_n` [stream, row] wait for the segments' next step.
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
    """What moves the gauges: by stream and tilt the weight of a hit, and by row that of a trial; thresholds."""

    def __init__(self, streams: list[MonitoredRate], w: list[Ints], c: list[Ints], rows: int) -> None:
        self.streams = streams
        self.w = np.array(w, np.int64).reshape(len(streams), TILTS)
        self.c = c
        self.hold = np.array([[stream.hold_s] * TILTS for stream in streams]).reshape(len(streams), TILTS)
        self.limit = np.zeros((len(streams), TILTS), np.int64)
        self.sure = np.zeros((len(streams), TILTS), np.int64)
        self.scanned = [number for number, stream in enumerate(streams) if stream.scanned]
        self.local_limit = np.zeros((len(self.scanned), TILTS), np.int64)
        self.groups: dict[str, list[int]] = {}
        for number, stream in enumerate(streams):
            self.groups.setdefault(stream.den, []).append(number)
        self.together = {den: np.concatenate([c[number] for number in of]) for den, of in self.groups.items()}
        """The trials' weights of all streams with the same trials, as [stream × tilt, row]."""
        self.rows = rows


def fitted(gauges: CusumBank, weights: Weights, segments: Conjunctions, at: float) -> CusumBank:
    """The gauges in the order and size of these weights: what is known is kept, what is new begins at 0."""
    names = [stream.name for stream in weights.streams]
    scanned = [names[number] for number in weights.scanned]
    count = len(segments)
    made = CusumBank(
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
        if name in gauges.names:
            old = gauges.names.index(name)
            for part in ("value", "zero", "crossed", "again", "peak"):
                getattr(made, part)[new] = getattr(gauges, part)[old]
    for new, name in enumerate(scanned):
        if name in gauges.scanned:
            old = gauges.scanned.index(name)
            held = min(count, gauges.local.shape[2])
            made.local[new, :, :held] = gauges.local[old, :, :held]
            made.local_zero[new, :, :held] = gauges.local_zero[old, :, :held]
            made.local_peak[new] = gauges.local_peak[old]
            held = min(weights.rows, gauges.due_x.shape[1])
            made.due_x[new, :held] = gauges.due_x[old, :held]
            made.due_n[new, :held] = gauges.due_n[old, :held]
    return made


def move(gauges: CusumBank, weights: Weights, parts: dict[str, tuple[Ints, Ints]], at: float) -> None:
    """A mark: hits and trials by kind, as (rows, amounts)."""
    if not any(stream.num in parts or stream.den in parts for stream in weights.streams):
        return
    x = np.zeros((len(weights.streams), 1), np.int64)
    lost = np.zeros((len(weights.streams), TILTS), np.int64)
    for den, of in weights.groups.items():
        part = parts.get(den)
        if part is not None and len(part[0]):
            lost[of] = (weights.together[den][:, part[0]] * part[1]).sum(axis=1).reshape(-1, TILTS)
    for number, stream in enumerate(weights.streams):
        part = parts.get(stream.num)
        if part is not None:
            x[number] = part[1].sum()
    more = x * weights.w - lost
    value = np.maximum(gauges.value + more, 0)
    np.maximum(gauges.peak, value, out=gauges.peak)
    gauges.value = np.minimum(value, weights.limit + CAP)
    gauges.zero[value == 0] = at
    _hold(gauges, weights, value, more, at)
    _gather(gauges, weights, parts)


def _hold(gauges: CusumBank, weights: Weights, value: Ints, more: Ints, at: float) -> None:
    """Since when each is over, and what speaks for it since that has lasted as long as it has to."""
    over = value >= weights.limit
    known = gauges.crossed == gauges.crossed
    if not over.any() and not known.any():
        return
    fresh = over & ~known
    fell = known & (value < weights.limit - SLACK)
    gauges.crossed[fresh] = at
    gauges.crossed[fell] = np.nan
    gauges.again[fresh | fell] = 0
    waited = at - gauges.crossed > weights.hold
    gauges.again = np.where(waited, np.maximum(gauges.again + more, 0), 0)


def _gather(gauges: CusumBank, weights: Weights, parts: dict[str, tuple[Ints, Ints]]) -> None:
    for place, number in enumerate(weights.scanned):
        stream = weights.streams[number]
        for kind, due in ((stream.num, gauges.due_x), (stream.den, gauges.due_n)):
            part = parts.get(kind)
            if part is not None:
                due[place, part[0]] += part[1]


def move_segments(gauges: CusumBank, weights: Weights, segments: Conjunctions, at: float) -> None:
    """Every 30 seconds: each conjunction on what came in it since."""
    for place, number in enumerate(weights.scanned):
        rows = np.flatnonzero(gauges.due_n[place] | gauges.due_x[place])
        if not len(rows):
            continue
        x, n = gauges.due_x[place, rows], gauges.due_n[place, rows]
        for tilt in range(TILTS):
            more = x * weights.w[number, tilt] - n * weights.c[number][tilt, rows]
            value = np.maximum(gauges.local[place, tilt] + segments.sums(rows, more), 0)
            if weights.streams[number].deep < MOST_VALUES:
                value[segments.sizes > weights.streams[number].deep] = 0
            gauges.local_peak[place, tilt] = max(int(gauges.local_peak[place, tilt]), int(value.max()))
            gauges.local[place, tilt] = np.minimum(value, weights.local_limit[place, tilt] + CAP)
            gauges.local_zero[place, tilt][value == 0] = at
    gauges.due_n[:] = 0
    gauges.due_x[:] = 0
