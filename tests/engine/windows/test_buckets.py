"""Percentiles from buckets: within 1 % of the exact ones, and callers who still wait count as long as they wait."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.oracle import at_least_rank, middle, nearest_rank
from voicetop.engine.windows.buckets import BUCKETS, bucket_of, censored_quantile, quantile, value_of
from voicetop.engine.windows.histograms import Histogram

times = st.floats(1.0, 2.0**20 - 1)
shares = st.sampled_from((0.5, 0.9, 0.95, 0.99))


def counted(values: list[float]) -> Histogram:
    return np.bincount(bucket_of(np.array(values, float)), minlength=BUCKETS)


@given(times)
def test_a_bucket_stands_for_its_values_within_one_percent(ms: float) -> None:
    held = value_of(int(bucket_of(np.array([ms]))[0]))
    assert held == middle(ms) == pytest.approx(ms, rel=0.008)


def test_what_is_beyond_the_scale_counts_as_its_end() -> None:
    low, high = bucket_of(np.array([0.0, 1e12])).tolist()
    assert (low, high) == (0, BUCKETS - 1)
    assert value_of(high) == pytest.approx(2**20, rel=0.01)


@given(st.lists(times, min_size=1, max_size=200), shares)
def test_a_percentile_is_the_nearest_rank_within_one_percent(values: list[float], q: float) -> None:
    assert quantile(counted(values), q) == pytest.approx(nearest_rank(values, q), rel=0.01)


@given(st.lists(times, max_size=60), st.lists(times, max_size=30), shares)
def test_waits_push_a_percentile_as_they_would_if_each_were_looked_at(
    done: list[float], waits: list[float], q: float
) -> None:
    value, _ = censored_quantile(counted(done), counted(waits), q)
    exact = at_least_rank([middle(ms) for ms in done], [middle(ms) for ms in waits], q)
    assert value == pytest.approx(exact, nan_ok=True)


def test_a_wait_counts_once_it_has_passed_the_percentile() -> None:
    done = counted([1_000.0] * 95)
    assert censored_quantile(done, counted([9_000.0] * 5), 0.95) == (middle(1_000), False)
    assert censored_quantile(done, counted([9_000.0] * 6), 0.95) == (middle(9_000), True)
    assert censored_quantile(done, counted([500.0] * 50), 0.95) == (middle(1_000), False)


@given(st.lists(times, min_size=1, max_size=60), st.lists(times, max_size=30), shares)
def test_waiting_callers_never_make_a_percentile_better(
    done: list[float], waits: list[float], q: float
) -> None:
    value, at_least = censored_quantile(counted(done), counted(waits), q)
    assert value >= quantile(counted(done), q)
    assert not at_least or middle(value) in {middle(ms) for ms in waits}


def test_nothing_measured_is_not_a_number() -> None:
    assert np.isnan(quantile(counted([]), 0.95))
    value, at_least = censored_quantile(counted([]), counted([4_000.0]), 0.5)
    assert (value, at_least) == (middle(4_000), True)
