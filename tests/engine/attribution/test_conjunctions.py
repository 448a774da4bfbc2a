"""Sums over conjunctions of segment values are those that counting by hand gives."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from voicetop.engine.attribution.conjunctions import MOST_VALUES, Conjunctions

keys = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.sampled_from("12")).map(
        lambda values: tuple(zip(("intent", "language", "tier"), values, strict=True))
    ),
    min_size=1,
    max_size=12,
    unique=True,
)


@given(keys, st.data())
def test_the_sum_over_a_conjunction_is_that_over_the_rows_that_have_all_of_it(
    rows: list[tuple[tuple[str, str], ...]], data: st.DataObject
) -> None:
    conjunctions = Conjunctions()
    conjunctions.grow(rows[: len(rows) // 2])
    conjunctions.grow(rows)
    amounts = np.array(data.draw(st.lists(st.integers(0, 1_000), min_size=len(rows), max_size=len(rows))))
    sums = conjunctions.sums(np.arange(len(rows)), amounts)
    weighed = conjunctions.weighed(amounts.astype(float))
    for size in range(1, MOST_VALUES + 1):
        for where in {part for row in rows for part in itertools.combinations(row, size)}:
            number = conjunctions.number_of(where)
            assert number is not None
            expected = sum(
                int(amount) for row, amount in zip(rows, amounts, strict=True) if set(where) <= set(row)
            )
            assert sums[number] == expected
            assert weighed[number] == expected
    assert sums[0] == 0
    assert conjunctions.number_of((("intent", "c"),)) is None
