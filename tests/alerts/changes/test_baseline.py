"""What a baseline learns, keeps and takes elsewhere; and the thresholds that follow from quiet hours."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from alerts import planted
from alerts.planted import baseline, readings
from voicetop.alerts.changes.array_codec import encode
from voicetop.alerts.changes.baseline import Baseline
from voicetop.alerts.changes.cusum_thresholds import UNLEARNED, threshold
from voicetop.alerts.changes.detector import ChangeDetector, ChangeDetectorState
from voicetop.alerts.changes.expectations import NAT, Shape, mean, rate
from voicetop.alerts.changes.readings import TickReading
from voicetop.engine.windows.cells import Key
from voicetop.engine.windows.histograms import METRIC, ROW

KEYS: list[Key] = [(("intent", "billing"), ("language", "en")), (("intent", "billing"), ("language", "es")),
                   (("intent", "sales"), ("language", "en")), (("intent", "sales"), ("language", "es"))]  # fmt: skip


def test_a_baseline_comes_back_from_its_bytes() -> None:
    held = baseline()
    assert encode(Baseline.decode(held.encode())) == encode(held)


def test_what_is_no_baseline_is_refused() -> None:
    for data in (b"", b"no baseline", msgspec.msgpack.encode({"keys": 3})):
        with pytest.raises(msgspec.DecodeError):
            Baseline.decode(data)


def test_a_rate_is_a_product_of_factors_that_little_knowledge_draws_to_one() -> None:
    shape = Shape(KEYS)
    trials = np.array([1e5, 1e5, 1e5, 20.0])
    hits = np.array([1e3, 3e3, 2e3, 0.0])
    found = rate(hits, trials, shape, 0.01)
    assert found[:3] == pytest.approx([0.01, 0.03, 0.02], rel=0.05)
    assert found[3] == pytest.approx(
        0.06, rel=0.3
    )  # 2 × for sales, 3 × for Spanish, though none of 20 was hit


def test_a_mean_has_offsets_for_segments() -> None:
    found = mean(np.array([1e6, 2e6, 3e6, 0.0]), np.array([1e4, 1e4, 1e4, 0.0]), Shape(KEYS))
    assert found == pytest.approx([100, 200, 300, 400], rel=0.05)


def test_a_threshold_is_where_quiet_hours_come_once_in_so_many_days() -> None:
    quiet = np.rint(np.random.default_rng(3).exponential(2 * NAT, (2_000, 3))).astype(np.int64)
    found = threshold(quiet, 100.0) / NAT
    assert found == pytest.approx([2 * np.log(2_400)] * 3, rel=0.15)
    assert (threshold(quiet, 10_000.0) > threshold(quiet, 100.0)).all()


def test_one_wild_hour_does_not_raise_a_threshold() -> None:
    quiet = np.rint(np.random.default_rng(3).exponential(NAT, (300, 3))).astype(np.int64)
    wild = np.concatenate([quiet, np.full((2, 3), 500 * NAT)])
    assert threshold(wild, 100.0) == pytest.approx(threshold(quiet, 100.0), rel=0.15)


def test_before_it_knows_enough_it_errs_on_the_safe_side() -> None:
    assert (threshold(np.zeros((10, 3), np.int64), 100.0) == UNLEARNED).all()


def test_an_hour_with_an_outage_teaches_nothing() -> None:
    def broken(kind: str, usual: np.ndarray, seconds: float) -> np.ndarray:
        return np.where(kind == "fault:llm:server", 0.3, usual) if 1_200 < seconds < 1_800 else usual

    held = baseline()
    before = held.healthy_s
    watch = ChangeDetector(ChangeDetectorState(baseline=held))
    for at, reading in readings(62, broken):
        watch.step(reading, at)
    assert held.healthy_s - before < 3_600


def test_the_first_lines_are_drawn_after_a_quarter_of_an_hour() -> None:
    watch = ChangeDetector(ChangeDetectorState(baseline=Baseline(keys=list(planted.KEYS))))
    times = METRIC["e2e"] * (ROW // 13) + np.arange(500, 600)
    for at, reading in readings(20):
        watch.step(TickReading(reading.parts, times), at)
        if at - 1_760_000_400 < 895:
            assert not watch.baseline.lines
    assert watch.baseline.lines["e2e"] == pytest.approx(590, abs=1)
    assert watch.weights is not None
