from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicetop.engine.windows.buckets import BUCKETS, bucket_of
from voicetop.views.compare import intervals

COUNTS = st.integers(1, 40)


def test_the_interval_of_two_rates_is_the_published_one() -> None:
    """Newcombe (1998), table II, method 10: 56/70 − 48/80 and 9/10 − 3/10."""
    assert intervals.rates((48, 80), (56, 70), intervals.Z95) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert intervals.rates((3, 10), (9, 10), intervals.Z95) == pytest.approx((0.1705, 0.8090), abs=1e-4)


@given(COUNTS, COUNTS, st.data())
def test_fishers_p_value_equals_full_enumeration(n_a: int, n_b: int, data: st.DataObject) -> None:
    hits_a, hits_b = data.draw(st.integers(0, n_a)), data.draw(st.integers(0, n_b))
    hits = hits_a + hits_b
    ways = {k: math.comb(n_b, k) * math.comb(n_a, hits - k) for k in range(hits + 1) if hits - k <= n_a}
    total = sum(ways.values())
    tails = (sum(w for k, w in ways.items() if k <= hits_b), sum(w for k, w in ways.items() if k >= hits_b))
    above = Fraction(hits_b, n_b) >= Fraction(hits, n_a + n_b)
    naive = min(1.0, 2 * tails[above] / total)
    assert intervals.fisher(hits_a, n_a, hits_b, n_b) == pytest.approx(naive, rel=1e-6)


@pytest.mark.parametrize(("t", "df"), [(12.7062, 1), (2.5706, 5), (2.0423, 30), (1.9600, 1e9)])
def test_students_tails_are_those_of_the_tables(t: float, df: float) -> None:
    assert intervals.student(t, df) == pytest.approx(0.05, abs=2e-5)
    assert intervals.student_z(df, intervals.Z95) == pytest.approx(t, abs=2e-3)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.01, 0.2))
def test_the_cutoff_is_the_largest_p_below_its_threshold(chances: list[float], level: float) -> None:
    ordered = sorted(chances)
    passed = [p for rank, p in enumerate(ordered, 1) if p <= level * rank / len(chances)]
    assert intervals.cutoff(chances, level) == max(passed, default=-1.0)


def test_a_p_value_is_where_the_interval_first_excludes_zero() -> None:
    assert intervals.p_value(lambda z: (3.0 - z, 3.0 + z)) == pytest.approx(intervals.tail(3.0), rel=1e-4)
    assert intervals.p_value(lambda z: (0.0 - z, 0.0 + z)) == 1.0
    assert intervals.z_of(intervals.tail(4.2)) == pytest.approx(4.2, abs=1e-4)
    assert intervals.z_of(1.0 + 1e-12) == 0.0
    assert intervals.z_of(0.0) == 37.0


@pytest.mark.parametrize(("q", "n"), [(0.5, 60), (0.95, 200), (0.99, 800)])
def test_bounds_of_a_percentile_hold_the_true_one_in_19_of_20_draws(q: float, n: int) -> None:
    dice = np.random.default_rng(11)
    truth = float(np.quantile(np.exp(6.7 + 0.5 * dice.normal(size=2_000_000)), q))
    held = 0
    for _ in range(400):
        values = np.exp(6.7 + 0.5 * dice.normal(size=n))
        done = np.cumsum(np.bincount(bucket_of(values), minlength=BUCKETS))
        low, high = intervals.quantile_bounds(done, q, n, intervals.Z95)
        held += low <= truth <= high
    assert held >= 0.94 * 400


def test_a_mean_s_variance_is_that_between_its_slots() -> None:
    dice = np.random.default_rng(5)
    of = dice.poisson(40, 30).astype(float)
    draws = [
        intervals.ratio(np.array([dice.normal(3.0, 1.0, int(n)).sum() for n in of]), of) for _ in range(500)
    ]
    truth = 1.0 / of.sum()
    assert np.mean([draw[1] for draw in draws]) == pytest.approx(truth, rel=0.1)
    assert np.var([draw[0] for draw in draws]) == pytest.approx(truth, rel=0.15)
    assert draws[0][2] == 29


def test_identical_turns_in_a_call_count_as_one() -> None:
    dice = np.random.default_rng(3)
    slow = (dice.random(400) < 0.3).astype(float)
    of = np.full(400, 5.0)
    assert intervals.design_effect(slow * of, of) == pytest.approx(5.0, rel=0.02)
    assert intervals.design_effect(dice.binomial(5, 0.3, 400).astype(float), of) < 1.25
    assert intervals.design_effect(slow[:10], of[:10]) == 1.0


@settings(max_examples=20)
@given(st.floats(0.0, 0.2), st.integers(0, 1000))
def test_variation_beyond_sampling_error_is_measured(wobble: float, seed: int) -> None:
    dice = np.random.default_rng(seed)
    values = dice.normal(5.0, wobble, 400) + dice.normal(0.0, 0.05, 400)
    found = intervals.spread_between(values, np.full(400, 0.0025))
    assert found**2 == pytest.approx(wobble**2, abs=5 * (wobble**2 + 0.0025) * (2 / 400) ** 0.5)
