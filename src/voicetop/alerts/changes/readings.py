"""From an engine `TickDelta` to a reading: integers by kind and segment row.

Rows are the baseline's own numbering of segment combinations, so that a baseline learned elsewhere fits. Kinds are
those of the delta, and

    turns           turns, failed ones too
    n:stt  o:stt    times of a stage, and those over its limit; for e2e also waits without a reply
    fault  hangup   totals over their kinds
    failed          outcomes that weren't a success
    x:cost          hundredths of the natural logarithm of micro-dollars, summed over the calls under "cost"
    x:sentiment     hundredths of a point below 5, summed over "sentiments"
    x:rate x:loud   words per minute and hundredths of a dB, summed over the utterances under "v:rate" and "v:loud"
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from voicetop.alerts.changes.streams import STAGES
from voicetop.engine.tick import TickDelta
from voicetop.engine.windows.buckets import BUCKETS
from voicetop.engine.windows.histograms import METRIC, METRICS, ROW

Rows = NDArray[np.int64]
Part = tuple[Rows, Rows]
"""(rows, amounts), rows once each."""
SILENT_DB = -120.0
NO_LIMIT = BUCKETS + 1
_WATCHED = {METRIC[name]: name for name in STAGES}
_ADDED_UP = ("fault", "hangup")
_USED = frozenset({
    "started", "ended", "talked", "known", "succeeded", "escalated", "moody", "sentiments", "sentiment_centi",
    "fault", "hangup", "step",
})  # fmt: skip
"""Kinds, or families of kinds, of the delta that streams use."""


class TickReading(Struct):
    """One mark: (rows, amounts) by kind, and every measured time as a flat index into [metric, bucket]."""

    parts: dict[str, Part]
    times: Rows
    dearest: tuple[int, int] = (-1, 0)
    """(cell, micro-dollars) of the most expensive call that ended."""


def read(delta: TickDelta, row_of: NDArray[np.int64], latency_limits: dict[str, int]) -> TickReading:
    """`row_of` maps cells to rows; `latency_limits` are the first buckets over the limit, by metric."""
    parts: dict[str, Part] = {}
    for kind, cells in delta.counts.items():
        family = kind.partition(":")[0]
        if family not in _USED:
            continue
        parts[kind] = _part(cells.items(), row_of)
        if family in _ADDED_UP:
            parts[family] = _joined(parts.get(family), parts[kind])
    _verdicts(parts)
    if len(delta.turns):
        parts["turns"] = _from_cells(delta.turns, row_of)
    times = _times(delta.index, row_of, latency_limits, parts)
    _voice(delta, row_of, parts)
    _costs(delta, row_of, parts)
    dearest = max(delta.costs, key=lambda cost: (cost[1], -cost[0]), default=(-1, 0))
    return TickReading(parts, times, dearest)


def within(parts: dict[str, Part], rows: int) -> dict[str, Part]:
    """The parts with rows beyond `rows` counted as unattributed (row 0)."""
    if all(not len(part[0]) or int(part[0].max()) < rows for part in parts.values()):
        return parts
    return {kind: _summed(np.where(of < rows, of, 0), amounts) for kind, (of, amounts) in parts.items()}


def _part(items: Iterable[tuple[int, int]], row_of: NDArray[np.int64]) -> Part:
    pairs = list(items)
    rows = row_of[[cell for cell, _ in pairs]]
    amounts = np.array([amount for _, amount in pairs], np.int64)
    return _summed(rows, amounts)


def _summed(rows: Rows, amounts: Rows) -> Part:
    """Merge duplicate rows; drop zero sums."""
    if len(rows) > 1:
        rows, places = np.unique(rows, return_inverse=True)
        summed = np.zeros(len(rows), np.int64)
        np.add.at(summed, places, amounts)
        amounts = summed
    nonzero = amounts != 0
    return rows[nonzero], amounts[nonzero]


def _joined(part: Part | None, more: Part) -> Part:
    if part is None:
        return more
    return _summed(np.concatenate([part[0], more[0]]), np.concatenate([part[1], more[1]]))


def _from_cells(by_cell: Rows, row_of: NDArray[np.int64]) -> Part:
    cells = np.flatnonzero(by_cell)
    return _summed(row_of[cells], by_cell[cells])


def _verdicts(parts: dict[str, Part]) -> None:
    if "known" in parts:
        rows, good = parts.get("succeeded", (np.empty(0, np.int64), np.empty(0, np.int64)))
        parts["failed"] = _joined(parts["known"], (rows, -good))
    if "sentiments" in parts and "sentiment_centi" in parts:
        rows, n = parts["sentiments"]
        centi_rows, centi = parts["sentiment_centi"]
        parts["x:sentiment"] = _joined((rows, 500 * n), (centi_rows, -centi))
    parts.pop("succeeded", None)
    parts.pop("sentiment_centi", None)


def _times(
    index: NDArray[np.uint32], row_of: Rows, latency_limits: dict[str, int], parts: dict[str, Part]
) -> Rows:
    if not len(index):
        return _NO_TIMES
    cell, rest = np.divmod(index.astype(np.int64), ROW)
    if not latency_limits:
        return rest
    metric, bucket = rest // BUCKETS, rest % BUCKETS
    limits = np.full(len(METRICS), NO_LIMIT, np.int64)
    for number, name in _WATCHED.items():
        limits[number] = latency_limits.get(name, NO_LIMIT)
    if METRIC["waited"] in metric:
        # a wait without a reply counts as a time only once it is over the limit
        waited = (metric == METRIC["waited"]) & (bucket >= limits[METRIC["e2e"]])
        metric = np.where(waited, METRIC["e2e"], metric)
    places = metric * _ROW_STRIDE + row_of[cell]
    over = bucket >= limits[metric]
    for letter, chosen in (("n", places), ("o", places[over])):
        unique_places, counts = np.unique(chosen, return_counts=True)
        metrics = unique_places // _ROW_STRIDE
        for number in np.unique(metrics).tolist():
            name = _WATCHED.get(number, "")
            if name in latency_limits:
                selected = metrics == number
                parts[f"{letter}:{name}"] = unique_places[selected] % _ROW_STRIDE, counts[selected]
    return rest


_NO_TIMES = np.empty(0, np.int64)
_ROW_STRIDE = 1 << 16


def _voice(delta: TickDelta, row_of: NDArray[np.int64], parts: dict[str, Part]) -> None:
    rates = [(cell, round(rate)) for cell, rate, _ in delta.voice if rate == rate]
    louds = [(cell, round(100 * loud)) for cell, _, loud in delta.voice if loud == loud and loud > SILENT_DB]
    for name, values in (("rate", rates), ("loud", louds)):
        if values:
            _mean(f"v:{name}", f"x:{name}", values, row_of, parts)


def _costs(delta: TickDelta, row_of: NDArray[np.int64], parts: dict[str, Part]) -> None:
    paid = [(cell, round(100 * math.log(micro))) for cell, micro in delta.costs if micro > 0]
    if paid:
        _mean("cost", "x:cost", paid, row_of, parts)


def _mean(
    den: str,
    num: str,
    values: list[tuple[int, int]],
    row_of: NDArray[np.int64],
    parts: dict[str, Part],
) -> None:
    cells = np.array([cell for cell, _ in values])
    amounts = np.array([value for _, value in values], np.int64)
    parts[den] = _summed(row_of[cells], np.ones(len(values), np.int64))
    parts[num] = _summed(row_of[cells], amounts)
