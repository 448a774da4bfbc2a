"""When few became many and many few again: the likelihoods, against planted changes and against counting by hand."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from voicetop.engine.attribution.change_point import Change, Series, began, ended

SLOTS = 30


def series(hits: list[int], expected: float = 1.0) -> Series:
    edges = np.arange(len(hits) + 1, dtype=np.float64) * 10.0
    return Series(edges, np.array(hits, float), np.full(len(hits), expected))


def drawn(rates: list[float], seed: int) -> Series:
    dice = np.random.default_rng(seed)
    return series([int(dice.poisson(rate)) for rate in rates])


def test_nothing_began_where_what_comes_is_what_is_expected() -> None:
    assert began(series([1] * SLOTS)).score == 0.0
    assert began(series([])) == Change()


def test_an_excess_begins_where_it_was_planted_and_its_bounds_hold_it() -> None:
    held = 0
    for seed in range(200):
        start = random.Random(seed).randint(3, 25)
        change = began(drawn([1.0] * start + [8.0] * (SLOTS - start), seed))
        assert abs(change.onset - 10.0 * start) <= 60
        held += change.earliest <= 10.0 * start <= change.latest
    assert held >= 190, "95 % bounds"


def test_the_score_is_the_likelihood_ratio_of_the_hits_since_the_onset() -> None:
    change = began(series([0, 0, 0, 5, 7]))
    assert (change.onset, change.hits, change.expected) == (30.0, 12.0, 2.0)
    assert change.score == pytest.approx(12 * math.log(6) - 10)


def test_a_fall_is_no_excess_and_the_other_way_round() -> None:
    less = series([10] * 20 + [0] * 10, 10.0)
    assert began(less).score == 0.0
    assert began(less, low=True).onset == 200.0
    assert began(less, low=True).score == pytest.approx(100.0)
    assert began(series([10] * 20 + [30] * 10, 10.0), low=True).score < 1.0


def test_an_excess_has_ended_once_the_normal_rate_explains_the_last_slots_better() -> None:
    over = series([1] * 10 + [20] * 10 + [1] * 10)
    nats, since = ended(over, 10.0)
    assert since == 200.0
    assert nats == pytest.approx(10 * (9 - math.log(10)))
    assert ended(series([1] * 10 + [20] * 20), 10.0) == (0.0, 290.0)


def test_a_few_seconds_without_a_hit_are_no_end() -> None:
    just_begun = Series(
        np.array([0.0, 10.0, 20.0, 25.0]), np.array([50.0, 50.0, 0.0]), np.array([1.0, 1.0, 0.5])
    )
    assert ended(just_begun, 30.0)[0] == 0.0
    assert ended(just_begun._replace(edges=np.array([0.0, 10.0, 20.0, 30.0])), 30.0)[0] > 10


def test_a_fall_has_ended_once_calls_come_again() -> None:
    nats, since = ended(series([0] * 20 + [10] * 10, 10.0), 0.4)
    assert since == 200.0
    assert nats > 20


def test_a_change_counts_for_less_than_it_looks_like() -> None:
    few, many = Change(hits=5, expected=0.02), Change(hits=500, expected=2.0)
    assert few.ratio < many.ratio < 250


def test_a_series_can_be_cut_and_held_against_a_higher_rate() -> None:
    half = series(list(range(10)), 2.0).since(50.0)
    assert half.hits.tolist() == [5, 6, 7, 8, 9]
    assert half.scaled(1.5).expected.tolist() == [3.0] * 5
    assert half.scaled(1.5, 4.0).expected.tolist() == [6.0] * 5
    assert half.scaled(0.5).expected.tolist() == [1.0] * 5
