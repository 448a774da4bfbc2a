"""Changes since the last 5-second mark, by segment cell, for the detectors.

Recording is cheap: arrays made for the windows are kept by reference, other counts are dictionaries, rare events lists.
`drain` makes a `TickDelta` of it, in an order independent of batching and hashing.

Kinds are those of `counts.py` as they change (an ended call, a new outcome), and

    fault:llm:timeout   final errors, counted individually rather than per call
    hangup:verify       hang-ups at this step without a good outcome, before the grace time ends
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from voicetop.formatting.numbers import known

Index = NDArray[np.uint32]
MAX_PER_FAMILY = 48
"""Maximum number of kinds per family; further ones count as "other"."""


class Urgency(Struct, frozen=True):
    """An event that alerts at once: a compliance violation or a security event, at `ts`."""

    family: Literal["compliance", "security"]
    kind: str
    label: str
    severity: str
    call_id: str
    ts: float


class TickDelta(Struct):
    """One mark's changes. `counts` are by kind and cell; `turns` is the number of turns by cell; `index` are sorted
    positions in the windows' flat table [cell, metric, bucket], one per measured time.

    `voice` has (cell, words per minute, dBFS) of each utterance, `costs` (cell, micro-dollars) of each priced
    call that ended.
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
    """Accumulates changes until `drain` at a mark; `urgent` is taken at every heartbeat."""

    def __init__(self) -> None:
        self.counts: dict[str, dict[int, int]] = {}
        self.turns: list[list[int]] = []
        self.index: list[Index] = []
        self.voice: list[tuple[int, float, float]] = []
        self.costs: list[tuple[int, int]] = []
        self.urgent: list[Urgency] = []
        self.families: dict[str, set[str]] = {}

    def take_urgent(self) -> list[Urgency]:
        """Return and clear the urgent events."""
        urgent, self.urgent = self.urgent, []
        return urgent

    def add(self, kind: str, cell: int, amount: int) -> None:
        """Add `amount` of a kind in a cell."""
        by_cell = self.counts.get(kind)
        if by_cell is None:
            by_cell = self.counts.setdefault(self._bounded(kind), {})
        by_cell[cell] = by_cell.get(cell, 0) + amount

    def _bounded(self, kind: str) -> str:
        family, colon, name = kind.partition(":")
        if not colon:
            return kind
        family_names = self.families.setdefault(family, set())
        if name not in family_names:
            if len(family_names) >= MAX_PER_FAMILY:
                return f"{family}:other:other" if family == "fault" else f"{family}:other"
            family_names.add(name)
        return kind

    def drain(self) -> TickDelta:
        """Return and clear the changes since the last call."""
        delta = TickDelta(
            {kind: self.counts[kind] for kind in sorted(self.counts)},
            self._turns(),
            self._index(),
            sorted(self.voice, key=_order),
            sorted(self.costs),
        )
        self.counts, self.turns, self.index = {}, [], []
        self.voice, self.costs = [], []
        return delta

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
        counters = cls()
        counters.counts = {kind: dict(cells) for kind, cells in state.counts}
        by_cell = np.frombuffer(state.turns, "<i8")
        counters.turns = [np.repeat(np.arange(len(by_cell)), by_cell).tolist()]
        counters.index = [np.frombuffer(state.index, "<u4").astype(np.uint32)]
        counters.voice, counters.costs = list(state.voice), list(state.costs)
        counters.urgent = list(state.urgent)
        counters.families = {family: set(names) for family, names in state.families}
        return counters


def _flat(lists: list[list[int]]) -> Iterator[int]:
    for numbers in lists:
        yield from numbers


def _order(utterance: tuple[int, float, float]) -> tuple[int, float, float]:
    """Sort key; NaN is replaced by an impossible value, since it has no order."""
    cell, rate, loudness = utterance
    return cell, rate if known(rate) else -1e12, loudness if known(loudness) else -1e12
