"""When a figure is bad: the effect must matter, and chance must be excluded."""

from __future__ import annotations

import numpy as np
import pytest

from voicetop.engine import normals, thresholds
from voicetop.engine.snapshot import Figure, Normal, StuckStage, WaitingPanel
from voicetop.engine.thresholds import Threshold
from voicetop.engine.windows.buckets import BUCKETS, bucket_of

LEARNED = 5_000


def rate(hits: int, n: int, normal: float) -> Figure:
    return normals.rate(hits, n, Normal(normal, n=LEARNED))


@pytest.mark.parametrize(
    ("threshold", "figure", "off"),
    [
        (thresholds.ERRORS, rate(40, 400, 0.01), True),
        (thresholds.ERRORS, rate(6, 400, 0.01), False),  # 1.5 %: may be chance
        (thresholds.ERRORS, rate(80, 40_000, 0.001), False),  # twice normal, and yet a tenth of a point
        (thresholds.ERRORS, rate(4, 30, 0.0), False),  # too few calls
        (thresholds.ERRORS, normals.rate(40, 200), True),  # no normal known: the preset
        (thresholds.ERRORS, normals.rate(20, 200), False),
        (thresholds.SUCCESS, rate(700, 1_000, 0.85), True),
        (thresholds.SUCCESS, rate(8_300, 10_000, 0.85), False),  # sure, and too little
        (thresholds.SUCCESS, rate(24, 30, 0.85), False),
        (thresholds.ABANDONMENT, rate(100, 1_000, 0.04), True),
        (thresholds.ABANDONMENT, rate(550, 10_000, 0.04), False),
        (thresholds.COST, normals.mean(60.0, 30, Normal(1.2, n=LEARNED)), True),
        (thresholds.COST, normals.mean(58.0, 29, Normal(1.2, n=LEARNED)), False),
        (thresholds.SENTIMENT, normals.mean(340.0, 100, Normal(3.9, n=LEARNED)), True),
        (thresholds.SENTIMENT, normals.mean(300.0, 90, Normal(3.9, n=LEARNED)), False),
        (thresholds.COST, normals.mean(600.0, 30), False),  # no normal known, no preset
    ],
)
def test_an_effect_counts_where_it_matters_and_is_no_chance(
    threshold: Threshold, figure: Figure, *, off: bool
) -> None:
    assert threshold.judge(figure).off is off


def test_the_threshold_is_drawn_whether_it_is_crossed_or_not() -> None:
    assert thresholds.ERRORS.judge(rate(0, 400, 0.02)).warn == 0.04
    assert thresholds.ERRORS.judge(rate(0, 400, 0.002)).warn == pytest.approx(0.012)
    assert thresholds.SUCCESS.judge(rate(400, 400, 0.85)).warn == pytest.approx(0.82)


def latency(fast: int, slow: int, waits: int = 0) -> Figure:
    """P95 of turns of 1 s and of 2 s against a normal of 1 s with one turn in 25 of 2 s; `waits` of 2 s go on."""
    buckets = bucket_of(np.array([1_000.0, 2_000.0]))
    now, past, waiting = (np.zeros(BUCKETS, np.int64) for _ in range(3))
    now[buckets], past[buckets], waiting[buckets[1]] = (fast, slow), (4_800, 200), waits
    return normals.latencies("e2e", now, waiting, past, thresholds.LATENCY).p95


def test_a_percentile_is_off_only_where_many_turns_are_slow() -> None:
    assert latency(60, 40).off
    assert not latency(94, 6).off
    assert latency(94, 6).value > latency(94, 6).warn, "beyond its threshold, and perhaps by chance"
    assert not latency(9, 20).off


def test_callers_who_wait_longer_already_are_slow_turns() -> None:
    assert latency(60, 0, waits=40).off


@pytest.mark.parametrize(
    ("stuck", "waiting", "live", "severity"),
    [(1, 9, 10, "ok"), (2, 9, 10, "degraded"), (2, 9, 60, "ok"), (3, 9, 60, "degraded"), (3, 6, 10, "down"),
     (3, 7, 10, "degraded"), (5, 6, 600, "ok"), (8, 9, 600, "degraded"), (12, 13, 600, "degraded"),
     (30, 33, 600, "down")],
)  # fmt: skip
def test_stuck_callers(stuck: int, waiting: int, live: int, severity: str) -> None:
    panel = WaitingPanel(waiting, stuck, 8.0, 20.0, (StuckStage("llm", stuck, waiting, 20.0),))
    assert thresholds.stuck(panel, live) == severity


@pytest.mark.parametrize(
    ("live", "limit", "severity"), [(89, 100, "ok"), (90, 100, "degraded"), (100, 100, "down"), (9, 0, "ok")]
)
def test_capacity(live: int, limit: int, severity: str) -> None:
    assert thresholds.capacity(live, limit) == severity
