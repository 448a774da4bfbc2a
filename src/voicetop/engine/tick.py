"""What happened since the last 5-second mark, by segment cell: what detectors look at instead of at every event.

Folding leaves it here as cheaply as it can: the arrays that the windows made anyway are only held on to, the rest are
numbers in dictionaries, and rare things are lists. `drain` makes one `TickDelta` of it, in an order that depends
neither on how the stream was cut into batches nor on hashing.

Kinds are those of `counts.py` as they change (a call that ended, a verdict that came), and besides

    fault:llm:timeout   final errors, each one of them and not each call
    hangup:verify       the caller hung up at this step with nothing good known, before the grace time decides
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from voicetop.formatting.numbers import known

Index = NDArray[np.uint32]
MOST_OF_A_FAMILY = 48
"""Kinds of one family that are told apart; what a feed makes up beyond counts as "other"."""


class Urgency(Struct, frozen=True):
    """Something that is an alert by itself: a compliance violation or a security event; `ts` is when it happened."""

    family: Literal["compliance", "security"]
    kind: str
    label: str
    severity: str
    call_id: str
    ts: float


class TickDelta(Struct):
    """One mark's changes. `counts` are by kind and cell; `turns` is the number of turns by cell; `index` are positions
    in the windows' flat table [cell, metric, bucket], one for each time that was measured, sorted.

    `voice` has (cell, words per minute, dBFS) of each utterance, `costs` (cell, micro-dollars) of each call that ended
    priced.
    """

    counts: dict[str, dict[int, int]]
    turns: NDArray[np.int64]
    index: Index
    voice: list[tuple[int, float, float]]
    costs: list[tuple[int, int]]


class TickState(Struct, frozen=True):
    """`TickCounters` for a checkpoint, in canonical order."""

    counts: list[tuple[str, list[tuple[int, int]]]]
    turns: bytes
    index: bytes
    voice: list[tuple[int, float, float]]
    costs: list[tuple[int, int]]
    urgent: list[Urgency]
    families: list[tuple[str, list[str]]]


class TickCounters:
    """Filled by folding, emptied at marks; `urgent` can't wait for one."""

    def __init__(self) -> None:
        self.counts: dict[str, dict[int, int]] = {}
        self.turns: list[list[int]] = []
        self.index: list[Index] = []
        self.voice: list[tuple[int, float, float]] = []
        self.costs: list[tuple[int, int]] = []
        self.urgent: list[Urgency] = []
        self.families: dict[str, set[str]] = {}

    def hurry(self) -> list[Urgency]:
        """What can't wait, taken out."""
        urgent, self.urgent = self.urgent, []
        return urgent

    def add(self, kind: str, cell: int, amount: int) -> None:
        """Count `amount` more of a kind in a cell."""
        held = self.counts.get(kind)
        if held is None:
            held = self.counts.setdefault(self._bounded(kind), {})
        held[cell] = held.get(cell, 0) + amount

    def _bounded(self, kind: str) -> str:
        family, colon, name = kind.partition(":")
        if not colon:
            return kind
        family_names = self.families.setdefault(family, set())
        if name not in family_names:
            if len(family_names) >= MOST_OF_A_FAMILY:
                return f"{family}:other:other" if family == "fault" else f"{family}:other"
            family_names.add(name)
        return kind

    def drain(self) -> TickDelta:
        """What came since the last time; from now on it counts anew."""
        pulse = TickDelta(
            {kind: self.counts[kind] for kind in sorted(self.counts)},
            self._turns(),
            self._index(),
            sorted(self.voice, key=_order),
            sorted(self.costs),
        )
        self.counts, self.turns, self.index = {}, [], []
        self.voice, self.costs = [], []
        return pulse

    def _turns(self) -> NDArray[np.int64]:
        cells = np.fromiter(_flat(self.turns), np.int64, sum(map(len, self.turns)))
        return np.bincount(cells)

    def _index(self) -> Index:
        if not self.index:
            return np.empty(0, np.uint32)
        joined = np.concatenate(self.index)
        joined.sort()
        return joined

    # -- state --------------------------------------------------------------------------------------------------

    def dump(self) -> TickState:
        return TickState(
            [(kind, sorted(self.counts[kind].items())) for kind in sorted(self.counts)],
            self._turns().astype("<i8").tobytes(),
            self._index().astype("<u4").tobytes(),
            sorted(self.voice, key=_order),
            sorted(self.costs),
            self.urgent,
            [(family, sorted(self.families[family])) for family in sorted(self.families)],
        )

    @classmethod
    def load(cls, state: TickState) -> TickCounters:
        made = cls()
        made.counts = {kind: dict(cells) for kind, cells in state.counts}
        by_cell = np.frombuffer(state.turns, "<i8")
        made.turns = [np.repeat(np.arange(len(by_cell)), by_cell).tolist()]
        made.index = [np.frombuffer(state.index, "<u4").astype(np.uint32)]
        made.voice, made.costs = list(state.voice), list(state.costs)
        made.urgent = list(state.urgent)
        made.families = {family: set(names) for family, names in state.families}
        return made


def _flat(lists: list[list[int]]) -> Iterator[int]:
    for one in lists:
        yield from one


def _order(heard: tuple[int, float, float]) -> tuple[int, float, float]:
    """NaN has no order: it sorts as a number that nobody measures."""
    cell, rate, loudness = heard
    return cell, rate if known(rate) else -1e12, loudness if known(loudness) else -1e12
