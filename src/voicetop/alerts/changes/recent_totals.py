"""Ten-second totals over all rows for the last twenty minutes: fine enough to tell when a change began."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from voicetop.alerts.changes.readings import Part

SLOT_S, SLOTS = 10, 120


class TenSeconds(Struct):
    """Totals by kind of the ten seconds from `start`."""

    start: int
    totals: dict[str, int]


class Slot(NamedTuple):
    """Hits and trials from `start` to `end` (stamp times)."""

    start: float
    end: float
    hits: float
    trials: float


def add(recent: list[TenSeconds], parts: dict[str, Part], at: float) -> None:
    """Add what the mark at `at` counted since the one before."""
    start = int((at - 1) // SLOT_S) * SLOT_S
    if not recent or recent[-1].start != start:
        recent.append(TenSeconds(start, {}))
        del recent[:-SLOTS]
    totals = recent[-1].totals
    for kind, (_, amounts) in parts.items():
        amount = int(amounts.sum())
        if amount:
            totals[kind] = totals.get(kind, 0) + amount


def slots_of(recent: Sequence[TenSeconds], hits: str, trials: str) -> list[Slot]:
    """The slots of one stream."""
    return [
        Slot(slot.start, slot.start + SLOT_S, slot.totals.get(hits, 0), slot.totals.get(trials, 0))
        for slot in recent
    ]
