"""What the checks of one mark look at, measured once."""

from __future__ import annotations

import functools
from collections.abc import Collection

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from voicetop.engine.attribution.change_point import Change, Series
from voicetop.engine.calls import Call
from voicetop.engine.normals import NOTHING, Cells, Normals
from voicetop.engine.snapshot import NAN, Trouble, WaitingPanel
from voicetop.engine.waiting import Waits
from voicetop.engine.windows.histograms import METRIC, Histogram
from voicetop.engine.windows.ledger import Ledger
from voicetop.engine.windows.recent_slots import Table


class Finding(Struct, frozen=True):
    """A trouble at one mark, with the change that it was found by."""

    trouble: Trouble
    change: Change = Change()


class ActiveTrouble(Struct, gc=False):
    """A trouble that is on or recovering. Times are stamp times.

    `since` is its onset, `last` the last mark at which it was on, `first` the mark at which it was found, `down_at` the
    last one at which it was severe enough for DOWN. `ratio` is how many times the normal rate was seen since the onset
    when that was clearest (`score`, in nats): the first seconds make it look large, and those after its end small.
    `recovered` is since when recent data has been normal; NaN while it is on.
    """

    trouble: Trouble
    since: float
    last: float
    first: float = 0.0
    ratio: float = NAN
    recovered: float = NAN
    down_at: float = NAN
    score: float = 0.0

    @property
    def on(self) -> bool:
        return self.recovered != self.recovered


class Mark:
    """The windows and live calls at stamp time `at`.

    `troubled` are the minutes to be left out of normals, `over` the seconds from which on a caller is stuck, `limit`
    the tested capacity in calls (0: not known), `recent_peak` the most live calls of the last half-hour.
    """

    def __init__(
        self, ledger: Ledger, live: Collection[Call], waits: Waits, *, troubled: frozenset[int], limit: int,
        stuck_after_s: float, recent_peak: int = 0,
    ) -> None:  # fmt: skip
        self.ledger, self.live, self.troubled, self.limit = ledger, live, troubled, limit
        self.recent_peak = recent_peak
        self.now, self.at = waits, waits.at
        self.usual = Normals.of(ledger, None, troubled)
        self.over = max(stuck_after_s, self.usual.long_wait_s)

    def usual_of(self, cells: Cells) -> Normals:
        """What is normal for some cells (None: all)."""
        return self.usual if cells is None else Normals.of(self.ledger, cells, self.troubled)

    @functools.cached_property
    def waiting(self) -> list[Call]:
        return self.now.waiting_calls(self.live, None)

    @functools.cached_property
    def panel(self) -> WaitingPanel:
        return self.now.panel(self.waiting, self.over)

    def waits(self, cells: Cells) -> Histogram:
        """The waits so far, of some cells."""
        calls = self.waiting if cells is None else self.now.waiting_calls(self.waiting, cells)
        return self.now.histogram(calls)

    def edges(self) -> NDArray[np.float64]:
        return self.ledger.recent.edges(self.at)

    @functools.cached_property
    def _fleet_times(self) -> Table:
        return self.ledger.recent.times(self.at, None)

    @functools.cached_property
    def _fleet_sums(self) -> list[dict[str, int]]:
        return self.ledger.recent.sums(self.at, None)

    def times(self, cells: Cells) -> Table:
        """Measured times of the last 5 minutes [slot, metric, bucket]."""
        return self._fleet_times if cells is None else self.ledger.recent.times(self.at, cells)

    def counts(self, kind: str, cells: Cells) -> NDArray[np.float64]:
        """The counts of one kind by slot."""
        sums = self._fleet_sums if cells is None else self.ledger.recent.sums(self.at, cells)
        return np.array([slot.get(kind, 0) for slot in sums], float)

    def turns(self, cells: Cells) -> NDArray[np.float64]:
        """Replies, and waits that ended without one, by slot."""
        times = self.times(cells)
        turns: NDArray[np.float64] = (
            times[:, [METRIC["e2e"], METRIC["waited"]]].sum(axis=(1, 2)).astype(float)
        )
        return turns

    def series(self, hits: NDArray[np.float64], expected: NDArray[np.float64]) -> Series:
        return Series(self.edges(), hits, expected)


def turns_of(usual: Normals) -> int:
    """The turns behind a normal, those without a reply too."""
    return int(usual.histograms.get("e2e", NOTHING).sum() + usual.histograms.get("waited", NOTHING).sum())
