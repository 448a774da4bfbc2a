"""Which stage made the replies slower: the one stage culprit of the verdict, the panels, alerts and rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.snapshot import NAN
from voicetop.engine.windows.buckets import MIDDLES, censored_quantile
from voicetop.engine.windows.histograms import Histogram

SPLIT = ("stt", "eou", "llm_ttft", "tool", "tts_ttfb")
"""The stages that add up to e2e."""
LEAST_TURNS = 20
STANDS_OUT = 0.3
LEAST_MS = 100.0

Counts = NDArray[np.int64] | NDArray[np.float64]


class StageExcess(NamedTuple):
    """A stage, its share of what the mean turn takes longer than normal, and by how many ms its own P95 grew.

    The stage is empty where none stands out.
    """

    stage: str = ""
    share: float = NAN
    more_ms: float = 0.0


def culprit(now: Mapping[str, Histogram], past: Mapping[str, Counts]) -> StageExcess:
    """The stage in which most of the excess lies: at least 30 % of it, and 100 ms of its own P95.

    Shares are of means, since means of stages add up to the mean of e2e, and percentiles don't.
    """
    turns, more = _mean_excess(now, past, "e2e")
    if turns < LEAST_TURNS or more <= 0:
        return StageExcess()
    shares = []
    for stage in SPLIT:
        n, longer = _mean_excess(now, past, stage)
        shares.append((n / turns * longer / more, stage))
    share, stage = max(shares)
    if share < STANDS_OUT:
        return StageExcess()
    grown = _p95(now[stage]) - _p95(past[stage])
    return StageExcess(stage, min(1.0, share), grown) if grown >= LEAST_MS else StageExcess()


def _mean_excess(now: Mapping[str, Histogram], past: Mapping[str, Counts], name: str) -> tuple[int, float]:
    """(how many, ms by which their mean lies over the normal one)."""
    counts, usual = now.get(name), past.get(name)
    if counts is None or usual is None or not counts.sum() or not usual.sum():
        return 0, 0.0
    mean = float((counts * MIDDLES).sum() / counts.sum())
    return int(counts.sum()), mean - float((usual * MIDDLES).sum() / usual.sum())


def _p95(counts: Counts) -> float:
    return censored_quantile(counts.astype(np.int64), None, 0.95)[0]
