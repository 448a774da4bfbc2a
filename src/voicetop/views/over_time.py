"""What the panels' figures were, bucket by bucket: minutes, quarters and hours of the past, and the current one.

The figure of a bucket is what the headline would be over a window of just that bucket: percentiles count the callers
who were still waiting at its end, and error rates the calls live at its end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from voicetop.engine import normals
from voicetop.engine.snapshot import Figure, Series
from voicetop.engine.waiting import Waits
from voicetop.engine.windows.histograms import METRIC, Histogram
from voicetop.engine.windows.slots import QUARTER, SlotKey

if TYPE_CHECKING:
    from voicetop.engine.engine import Engine
    from voicetop.views.scope import Scope

MAX_CACHED = 1_000


class Bucket:
    """Replies, waits and sums of the calls from `start` to `end` (epoch s), which is now where it isn't over.

    `waits` are those that ended in it without a reply, and those in progress at its end. `failed` counts the calls with
    an error in it, also those with a later one, which "error" of `sums` doesn't count.
    """

    def __init__(
        self, start: float, end: float, e2e: Histogram, waits: Histogram, sums: dict[str, int], failed: int
    ) -> None:
        self.start, self.end, self.e2e, self.waits = start, end, e2e, waits
        self.sums, self.failed = sums, failed
        self._percentiles: dict[float, Figure] = {}

    def percentile(self, q: float) -> Figure:
        """A percentile of the response time (ms), of all turns including waits."""
        figure = self._percentiles.get(q)
        if figure is None:
            figure = self._percentiles[q] = normals.percentile(self.e2e, self.waits, q)
        return figure

    def errors(self, live: int) -> Figure:
        """Calls with an error over the calls active in it: those that ended, and `live` ones at its end."""
        return normals.rate(self.failed, live + self.sums.get("ended", 0))

    def waiting(self, waits: Histogram, end: float) -> Bucket:
        """The same with more waits, up to `end`."""
        return Bucket(self.start, end, self.e2e, self.waits + waits, self.sums, self.failed)


class OverTime:
    """Makes the buckets of one engine, and keeps them until their slots change."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cache: dict[tuple[frozenset[int] | None, SlotKey], tuple[tuple[int, ...], Bucket]] = {}

    def buckets(self, scope: Scope, width: int, count: int) -> list[Bucket]:
        """The last `count` minutes, quarters or hours (`width` in s) in the cells of `scope`, the one of now last."""
        at, feed = self._engine.at, self._engine.feed
        last = int(at // width)
        began = min((feed.wait_from(call, at) for call in scope.unanswered), default=math.inf)
        return [self._bucket(scope, (width, number), began) for number in range(last - count + 1, last + 1)]

    def _bucket(self, scope: Scope, slot: SlotKey, began: float) -> Bucket:
        """A bucket; the first wait that still lasts `began` then."""
        bucket, at = self._settled(scope, slot), self._engine.at
        end = min(bucket.end, at)
        if end == bucket.end <= began:
            return bucket
        waits = Waits(self._engine.feed, end, at)
        calls = [call for call in scope.unanswered if end == at or waits.began(call, at)]
        return bucket.waiting(waits.histogram(waits.waiting_calls(calls, None)), end)

    def _settled(self, scope: Scope, slot: SlotKey) -> Bucket:
        """A bucket without the waits that are still in progress."""
        changes = (self._held_from(slot), *self._engine.ledger.changes(slot))
        cached = self._cache.get((scope.chosen, slot))
        if cached is not None and cached[0] == changes:
            return cached[1]
        if len(self._cache) >= MAX_CACHED:
            self._cache.clear()
        bucket = self._make(scope, slot)
        self._cache[scope.chosen, slot] = changes, bucket
        return bucket

    def _make(self, scope: Scope, slot: SlotKey) -> Bucket:
        ledger, start, end = self._engine.ledger, float(slot[0] * slot[1]), float(slot[0] * (slot[1] + 1))
        table, sums = ledger.over_time(slot, scope.cells, scope.chosen)
        e2e, waits = (np.array(table[METRIC[name]]) for name in ("e2e", "waited"))
        failed = sums.get("error", 0)
        if end <= self._engine.at:
            waits += ledger.past_ends.waits(end, scope.cells)
            failed += ledger.past_ends.errors(self._held_from(slot), end, scope.cells)
        return Bucket(start, end, e2e, waits, sums, failed)

    def _held_from(self, slot: SlotKey) -> int:
        """From when on the day holds a bucket: quarters of its first hour are gone."""
        first = -(-self._engine.ledger.windows.edges.day // QUARTER) * QUARTER
        return max(slot[0] * slot[1], min(first, slot[0] * (slot[1] + 1)))


def live_at_ends(buckets: Sequence[Bucket], live: int) -> list[int]:
    """The live calls at the end of each bucket, from those that are `live` now, at the end of the last one."""
    counts: list[int] = []
    for bucket in reversed(buckets):
        counts.append(max(0, live))
        live += bucket.sums.get("ended", 0) - bucket.sums.get("started", 0)
    return counts[::-1]


def series(
    buckets: Sequence[Bucket], figures: Sequence[Figure], keep: Callable[[Figure], bool] = lambda _: True
) -> Series:
    """The figures of buckets for a chart; those not to `keep` are holes."""
    step = buckets[1].start - buckets[0].start
    return Series(
        buckets[0].start,
        step,
        tuple(figure.value if keep(figure) else float("nan") for figure in figures),
        at_least=tuple(figure.at_least for figure in figures),
        n=tuple(figure.n for figure in figures),
        until=buckets[-1].end,
    )
