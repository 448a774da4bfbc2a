"""The charts of the overview: each figure over time, one point per slot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from voicetop.engine.snapshot import NAN, Series, Where
from voicetop.engine.windows.buckets import censored_quantile
from voicetop.engine.windows.histograms import METRIC
from voicetop.engine.windows.slots import MINUTE, SlotKey
from voicetop.views.scope import Scope

T = TypeVar("T")
SETTLED_S = 30
MAX_CACHED = 8_000


class Charts:
    """Makes the charts of one engine, caching points of past slots."""

    def __init__(self) -> None:
        self._cache: dict[tuple[object, Where, SlotKey], Any] = {}

    def latency(self, scope: Scope) -> Series:
        """P95 of e2e (ms)."""
        return self._series(scope, _p95)

    def rate(self, scope: Scope, hits: str, of: str) -> Series:
        """The count `hits` over the count `of`, at most 1."""

        def share(sums: dict[str, int]) -> float:
            return min(1.0, sums.get(hits, 0) / n) if (n := sums.get(of, 0)) else NAN

        return self._series(scope, _sums, share)

    def mean(self, scope: Scope, total: str, of: str, unit: float) -> Series:
        """The sum `total`, in `unit`ths, over the count `of`."""
        return self._series(scope, _sums, lambda sums: sums[total] / sums[of] / unit if sums.get(of) else NAN)

    def error_hours(self, scope: Scope) -> Series:
        """Calls with an error over calls ended, by hour of the last 24."""
        hour = int(scope.at // 3600)
        hits, ended = np.zeros(24), np.zeros(24)
        for slot in sorted(scope.engine.ledger.counts.slots):
            index = slot[0] * slot[1] // 3600 - hour + 23
            if slot[0] >= MINUTE and 0 <= index < 24:
                sums = self._point(scope, slot, _sums)
                hits[index] += sums.get("error", 0)
                ended[index] += sums.get("ended", 0)
        values = np.where(ended > 0, np.minimum(1.0, hits / np.maximum(ended, 1)), NAN)
        return Series((hour - 23) * 3600.0, 3600.0, tuple(values.tolist()))

    def _series(
        self, scope: Scope, make: Callable[[Scope, SlotKey], T], value: Callable[[T], Any] = lambda p: p
    ) -> Series:
        slots = scope.chart_slots()
        values = tuple(value(self._point(scope, slot, make)) for slot in slots)
        return Series(slots[0][0] * slots[0][1], slots[0][0], values)

    def _point(self, scope: Scope, slot: SlotKey, make: Callable[[Scope, SlotKey], T]) -> T:
        """One slot's point. A slot that has just ended is cached only for this snapshot.

        Older points expire too: abandonment is decided minutes after a call's end, and outcomes and costs may arrive
        later still.
        """
        age = scope.at - (slot[1] + 1) * slot[0]
        cache, key = self._cache if age > SETTLED_S else scope.charts, (make, scope.view.where, slot)
        cached: tuple[float, T] | None = cache.get(key)
        if cached is None or scope.at - cached[0] >= max(SETTLED_S, age / 10):
            if len(cache) > MAX_CACHED:
                cache.clear()
            cached = cache[key] = scope.at, make(scope, slot)
        return cached[1]


def _p95(scope: Scope, slot: SlotKey) -> float:
    table = scope.engine.ledger.windows.over_time(slot, scope.cells)
    return censored_quantile(table[METRIC["e2e"]], None, 0.95)[0]


def _sums(scope: Scope, slot: SlotKey) -> dict[str, int]:
    """Sums by kind."""
    return scope.engine.ledger.counts.over_time(slot, scope.chosen)
