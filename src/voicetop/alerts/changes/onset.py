"""When an alarm's change began, with the bounds of its 95 % interval, from the alarm's own counts.

How finely that is known depends on where it happens: to ten seconds in all segments; to ten seconds or a minute for
errors and response times of a segment, which the engine's windows have; otherwise to the five minutes that alarms are
decided by.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from voicetop.alerts.changes.alarms import Alarm
from voicetop.alerts.changes.evidence import Evidence
from voicetop.alerts.changes.recent_sums import SLOT_S
from voicetop.alerts.changes.recent_totals import Slot, TenSeconds, slots_of
from voicetop.alerts.changes.streams import MonitoredRate
from voicetop.engine.attribution.change_point import Series, began
from voicetop.engine.normals import handling_s
from voicetop.engine.windows.histograms import METRIC
from voicetop.engine.windows.ledger import Ledger
from voicetop.engine.windows.slots import FINE, MINUTE, MINUTES_FOR, SPANS, SlotKey
from voicetop.formatting.numbers import known

BEFORE_S = 1_200.0
"""How long before the last time that its CUSUM was 0 a change may have begun: by chance, it falls back to 0."""
AT_END = frozenset({"cost", "known", "sentiments", "ended"})
"""Trials that are counted when a call ends: what changed them may have begun up to a call's length earlier."""
REPEAT_S = 20.0
"""The windows count a call at its last error: the one before, a turn earlier, may have been the first."""


class Onset(NamedTuple):
    """When a change began, and the bounds of that (stamp times)."""

    best: float
    earliest: float
    latest: float


class Counted(NamedTuple):
    """Where counts are: the recent totals, the engine's windows, and the first buckets over its latency limits."""

    recent: Sequence[TenSeconds]
    ledger: Ledger
    limits: dict[str, int]


def estimated(alarm: Alarm, stream: MonitoredRate, evidence: Evidence, counted: Counted, at: float) -> Onset:
    """The onset of an alarm as of mark `at`."""
    usual = evidence.usual(stream, alarm.onset, alarm.scope)
    fine = _fine(alarm, stream, counted, at)
    if usual is None or not fine or fine[0].start > alarm.onset:
        slots = _five_minutes(stream, evidence)
    else:
        slots = [usual.compared(slot) for slot in fine]
    slots = [slot for slot in slots if slot.end > alarm.onset - BEFORE_S]
    change = began(_series(slots), low=stream.model == "arrivals")
    if not known(change.onset):
        return Onset(alarm.onset, math.nan, math.nan)
    best, earliest, latest = change.onset, change.earliest, change.latest
    if alarm.scope and stream.family == "errors":
        earliest -= REPEAT_S
    if stream.den in AT_END and not stream.num.startswith("hangup"):
        earliest -= _call_s(counted.ledger)
    return Onset(min(best, at), earliest, min(latest, at))


def _series(slots: Sequence[Slot]) -> Series:
    """Slots of hits and expected hits, of which later ones start where earlier ones end."""
    edges = [slot.start for slot in slots] + [slot.end for slot in slots[-1:]]
    return Series(
        np.array(edges, float),
        np.array([slot.hits for slot in slots], float),
        np.array([slot.trials for slot in slots], float),
    )


def _call_s(ledger: Ledger) -> float:
    length = handling_s(ledger.counts.sums("30m", None))
    return length if known(length) else 0.0


# -- counts by time ------------------------------------------------------------------------------------------------


def _fine(alarm: Alarm, stream: MonitoredRate, counted: Counted, at: float) -> list[Slot]:
    """The finest slots there are of the alarm's segment, oldest first; none if they aren't counted separately."""
    if not alarm.scope:
        return slots_of(counted.recent, stream.num, stream.den)
    if stream.family not in ("errors", "latency"):
        return []
    return _in_windows(alarm, stream, counted, at)


def _five_minutes(stream: MonitoredRate, evidence: Evidence) -> list[Slot]:
    slots = [
        Slot(start, start + SLOT_S, hits, expected) for start, hits, expected in evidence.by_slot(stream)
    ]
    if stream.model != "arrivals":
        return slots
    return [slot._replace(hits=slot.trials, trials=slot.hits) for slot in slots]


def _keys(since: float, at: float) -> Iterable[SlotKey]:
    """Minutes, then the ten-second slots of the last five minutes."""
    short = -(-(at - SPANS["5m"]) // MINUTE) * MINUTE
    yield from ((MINUTE, number) for number in range(int(since // MINUTE), int(short // MINUTE)))
    yield from ((FINE, number) for number in range(int(short // FINE), int(at // FINE) + 1))


def _in_windows(alarm: Alarm, stream: MonitoredRate, counted: Counted, at: float) -> list[Slot]:
    """Hits and trials of an error or latency stream in the alarm's segment; the trials of errors are turns."""
    ledger = counted.ledger
    cells = ledger.cells.matching(alarm.scope)
    chosen = None if cells is None else frozenset(cells.tolist())
    metric, kind = stream.num.partition(":")[2], stream.num.replace("fault", "error", 1)
    slots = []
    for key in _keys(max(alarm.onset - BEFORE_S, at - MINUTES_FOR), at):
        start, times = float(key[0] * key[1]), ledger.windows.over_time(key, cells)
        if stream.family == "latency":
            counts = times[METRIC[metric]]
            hits, trials = int(counts[counted.limits[metric] :].sum()), int(counts.sum())
        else:
            hits, trials = ledger.counts.over_time(key, chosen).get(kind, 0), int(times[METRIC["e2e"]].sum())
        slots.append(Slot(start, start + key[0], hits, trials))
    return slots
