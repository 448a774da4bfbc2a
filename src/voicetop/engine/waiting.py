"""Callers waiting for a reply: since when, and in which stage."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.calls import Call
from voicetop.engine.snapshot import StuckStage, WaitingPanel
from voicetop.engine.windows.buckets import BUCKETS, bucket_of
from voicetop.engine.windows.histograms import Histogram


def waiting_calls(calls: Iterable[Call], cells: NDArray[np.intp] | None) -> list[Call]:
    """The live calls with a waiting caller, in some cells (None: all)."""
    if cells is None:
        return [call for call in calls if call.wait_since]
    wanted = frozenset(cells.tolist())
    return [call for call in calls if call.wait_since and call.cell in wanted]


def as_histogram(waiting: list[Call], at: float) -> Histogram:
    """The waits so far, each a latency of at least this long."""
    waits = np.array([(at - call.wait_since) * 1000 for call in waiting])
    return np.bincount(bucket_of(waits), minlength=BUCKETS) if len(waits) else np.zeros(BUCKETS, np.int64)


def panel(waiting: list[Call], at: float, over_s: float) -> WaitingPanel:
    """Waiting and stuck callers by stage, most stuck first."""
    stages: dict[str, list[Call]] = {}
    for call in waiting:
        stages.setdefault(call.stage, []).append(call)
    rows = [_stage(name, calls, at, over_s) for name, calls in stages.items()]
    rows.sort(key=lambda row: (-row.stuck, -row.waiting, row.stage))
    return WaitingPanel(
        waiting=len(waiting),
        stuck=sum(row.stuck for row in rows),
        over_s=over_s,
        longest_s=max((row.longest_s for row in rows), default=0.0),
        stages=tuple(rows),
    )


def _stage(name: str, calls: list[Call], at: float, over_s: float) -> StuckStage:
    waits = [at - call.wait_since for call in calls]
    providers = [call.provider for call in calls if call.provider]
    most = max(sorted(set(providers)), key=providers.count) if providers else ""
    return StuckStage(name, sum(w > over_s for w in waits), len(calls), max(waits), most)
