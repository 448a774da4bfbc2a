"""Rows against their own past and against each other: what is beyond chance, and how seldom chance gets there."""

from __future__ import annotations

import math

import numpy as np

from voicetop.engine.attribution.rows import Counted, counted, least_ratio, whole
from voicetop.engine.attribution.segments import Trials

FIGURES = 7


def rows(hits: list[int], n: list[int], past_hits: list[int], past_n: list[int]) -> list[Counted]:
    trials = Trials(*(np.array(column, np.float64) for column in (hits, n, past_hits, past_n)))
    return counted(trials, [[number] for number in range(len(n))])


def standing_out(found: list[Counted]) -> list[int]:
    """The rows that are beyond chance in one of seven figures."""
    least, everything = least_ratio(len(found), FIGURES), whole(found)
    return [
        number
        for number, row in enumerate(found)
        if row.over_past >= least and row.over_rest(everything) >= least
    ]


def test_the_row_that_got_worse_stands_out() -> None:
    found = rows([20, 2, 1, 1], [100] * 4, [20, 20, 20, 20], [2_000] * 4)
    assert standing_out(found) == [0]
    assert found[0].times > 10


def test_a_row_that_always_was_worse_does_not_stand_out() -> None:
    assert standing_out(rows([20, 2, 1, 1], [100] * 4, [400, 20, 20, 20], [2_000] * 4)) == []


def test_all_rows_together_do_not_stand_out_from_each_other() -> None:
    found = rows([20, 22, 18, 21], [100] * 4, [20] * 4, [2_000] * 4)
    assert standing_out(found) == []
    assert whole(found).over_past > 50


def test_fewer_than_five_are_never_beyond_chance() -> None:
    assert standing_out(rows([4, 0, 0], [4, 1_000, 1_000], [0, 1, 1], [1_000] * 3)) == []


def test_nothing_bad_is_never_worse() -> None:
    assert standing_out(rows([0, 0, 0], [22, 500, 500], [0, 0, 0], [1_000] * 3)) == []
    assert rows([0], [22], [0], [1_000])[0].over_past == 0.0


def test_while_nothing_is_learned_rows_are_compared_with_each_other() -> None:
    found = rows([40, 5, 5], [100] * 3, [0] * 3, [0] * 3)
    assert standing_out(found) == [0]
    assert found[0].over_past == math.inf


def test_a_new_value_is_compared_with_what_is_normal_for_all() -> None:
    assert standing_out(rows([60, 5, 5], [100, 100, 100], [0, 100, 100], [0, 2_000, 2_000])) == [0]


def test_chance_marks_hardly_any_table() -> None:
    dice, marked = np.random.default_rng(9), 0
    sizes = np.array([500, 360, 330, 240, 190, 180, 100, 40, 8])
    rates = dice.uniform(0.02, 0.09, len(sizes))
    for _ in range(2_000):
        past = dice.binomial(sizes * 6, rates)
        now = dice.binomial(sizes, rates)
        marked += bool(standing_out(rows(now.tolist(), sizes.tolist(), past.tolist(), (sizes * 6).tolist())))
    assert marked <= 2_000 * 0.05 / FIGURES


def test_a_row_that_is_now_as_bad_as_the_others_always_were_does_not_stand_out() -> None:
    assert standing_out(rows([15, 30, 30], [100, 200, 200], [10, 600, 600], [2_000, 4_000, 4_000])) == []
