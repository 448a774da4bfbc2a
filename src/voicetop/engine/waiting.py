"""Callers waiting for a reply: since when, and in which stage, as far as the feed tells."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.calls import Call
from voicetop.engine.feed_state import FeedTracker
from voicetop.engine.snapshot import NAN, StuckStage, WaitingPanel
from voicetop.engine.source_tracker import UNKNOWN_AFTER
from voicetop.engine.windows.buckets import BUCKETS, bucket_of
from voicetop.engine.windows.histograms import Histogram


class Waits:
    """The waits at one moment (`at`, stamp time): one definition for every figure, list and alert.

    A wait is unknown while its publisher is silent (`FeedTracker.silent`) or has left: the reply may have come long
    ago. It is then neither waiting nor stuck. A wait counts from when the feed began and the call was first heard of,
    at the earliest.

    Of a moment of the past it is known what is known `now`: a wait that goes on was one then, unless its publisher has
    been silent since.
    """

    def __init__(self, feed: FeedTracker, at: float, now: float = 0.0) -> None:
        self.at = at
        self._feed = feed
        silent = feed.silent(max(at, now))
        self._silent = {name: seen for name, seen in silent.items() if at - seen > UNKNOWN_AFTER}
        self._silent.update(feed.departed(at))

    def known(self, call: Call) -> bool:
        """Whether the caller is waiting for a reply."""
        return call.wait_since > 0 and call.source not in self._silent

    def unknown_since(self, call: Call) -> float:
        """When the publisher of a wait was last heard (stamp time); NaN unless the wait is unknown."""
        return self._silent.get(call.source, NAN) if call.wait_since else NAN

    def seconds(self, call: Call) -> float:
        """How long the caller has been waiting; 0 if that isn't known, or nobody waits."""
        return max(0.0, self._feed.waited_s(call, self.at)) if self.known(call) else 0.0

    def began(self, call: Call, now: float) -> bool:
        """Whether the wait that still lasts `now` had begun before this moment."""
        return call.wait_since > 0 and self._feed.wait_from(call, now) < self.at

    def waiting_calls(self, calls: Iterable[Call], cells: NDArray[np.intp] | None) -> list[Call]:
        """The live calls with a waiting caller, in some cells (None: all)."""
        silent, wanted = self._silent, _wanted(cells)
        return [
            call
            for call in calls
            if call.wait_since and (wanted is None or call.cell in wanted) and call.source not in silent
        ]

    def confirmed(self, waiting: list[Call], over_s: float) -> list[Call]:
        """Those of these calls that aren't stuck, or whose publisher was heard since they were.

        A problem is on only with these: in the first seconds after a connection was lost, its callers seem to be stuck.
        While the feed catches up, the replies are still to come.
        """
        if self._feed.behind_s:
            return [call for call in waiting if self.seconds(call) <= over_s]
        return [
            call
            for call in waiting
            if self.seconds(call) <= over_s
            or self.at - self._feed.heard_at(call.source) <= self.seconds(call) - over_s
        ]

    def unknown_calls(self, calls: Iterable[Call], cells: NDArray[np.intp] | None) -> list[Call]:
        """The live calls whose wait is unknown, in some cells (None: all)."""
        silent, wanted = self._silent, _wanted(cells)
        if not silent:
            return []
        return [
            call
            for call in calls
            if call.wait_since and call.source in silent and (wanted is None or call.cell in wanted)
        ]

    def histogram(self, waiting: list[Call]) -> Histogram:
        """The waits so far, each a latency of at least this long."""
        waits = np.array([self.seconds(call) * 1000 for call in waiting])
        return np.bincount(bucket_of(waits), minlength=BUCKETS) if len(waits) else np.zeros(BUCKETS, np.int64)

    def panel(self, waiting: list[Call], over_s: float, unknown: Iterable[Call] = ()) -> WaitingPanel:
        """Waiting and stuck callers by stage, most stuck first, and the number of unknown waits."""
        stages: dict[str, list[Call]] = {}
        for call in waiting:
            stages.setdefault(call.stage, []).append(call)
        rows = [self._stage(name, calls, over_s) for name, calls in stages.items()]
        rows.sort(key=lambda row: (-row.stuck, -row.waiting, row.stage))
        heard = [self.unknown_since(call) for call in unknown]
        return WaitingPanel(
            waiting=len(waiting),
            stuck=sum(row.stuck for row in rows),
            over_s=over_s,
            longest_s=max((row.longest_s for row in rows), default=0.0),
            stages=tuple(rows),
            unknown=len(heard),
            unknown_since=min(heard, default=NAN),
        )

    def _stage(self, name: str, calls: list[Call], over_s: float) -> StuckStage:
        waits = [self.seconds(call) for call in calls]
        providers = [
            call.provider for call in calls if name and call.provider
        ]  # else of a stage that is over
        most = max(sorted(set(providers)), key=providers.count) if providers else ""
        return StuckStage(name, sum(w > over_s for w in waits), len(calls), max(waits), most)


def _wanted(cells: NDArray[np.intp] | None) -> frozenset[int] | None:
    return None if cells is None else frozenset(cells.tolist())
