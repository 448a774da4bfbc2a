from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from voicetop.charts import blocks, dots
from voicetop.charts.scale import NAN, Scale, ceiling, columns, round_up, ticks, time_ticks

VALUES = st.lists(st.floats(0, 1e6) | st.just(NAN), max_size=200).map(tuple)


@given(VALUES, st.integers(0, 120), st.integers(0, 1000))
def test_a_series_fills_its_columns_exactly(values: tuple[float, ...], width: int, first: int) -> None:
    made = columns(values, width, first)
    assert len(made) == width
    known = [value for value in values if value == value]
    assert all(min(known) <= value <= max(known) for value in made if value == value)


@given(st.lists(st.floats(0, 1e6), min_size=41, max_size=300).map(tuple))
def test_a_peak_of_the_recent_columns_never_vanishes(values: tuple[float, ...]) -> None:
    per = -(-len(values) // 40)
    assert max(columns(values, 40)) == max(values[-40 * per :] if len(values) > 40 * per else values)


def test_a_series_scrolls_as_one_piece() -> None:
    values = tuple(float(i * 7 % 23) for i in range(200))
    before = columns(values[:120], 40, first=0)
    after = columns(values[3:123], 40, first=3)
    assert after[:-1] == before[1:]


def test_nan_stays_nan() -> None:
    made = columns((1.0, NAN, NAN, NAN, 5.0), 50)
    assert math.isnan(made[25])
    assert dots.line((NAN,) * 20, 10, 2, 1.0) == [" " * 10] * 2


@given(st.floats(1e-6, 1e9))
def test_an_axis_ends_at_a_round_number_not_far_above(value: float) -> None:
    high = round_up(value)
    assert value <= high * (1 + 1e-9)
    assert high <= value * 1.5 + 1e-9
    marks = ticks(high, 9)
    assert high / 2 <= marks[-1] <= high * (1 + 1e-9)
    assert 1 <= len(marks) <= 5


def test_an_axis_without_values_is_valid() -> None:
    assert ceiling((), NAN) == 1.0
    assert Scale(0, 0, 5).place(3) == 0
    assert columns((), 3) != ()


def test_time_ticks_are_round_and_few() -> None:
    marks = time_ticks(1_795_356_000.0, 1_795_356_000.0 + 1800, 4)
    assert 2 <= len(marks) <= 4
    assert all(mark % 60 == 0 for mark in marks)
    assert time_ticks(5.0, 5.0, 3) == ()


@given(VALUES.filter(bool), st.integers(2, 60), st.integers(1, 12))
def test_a_line_has_the_requested_size(values: tuple[float, ...], width: int, height: int) -> None:
    high = ceiling(values)
    for rows in (
        dots.line(columns(values, width * 2), width, height, high),
        dots.line_ascii(columns(values, width), width, height, high),
    ):
        assert len(rows) == height
        assert all(len(row) == width for row in rows)


def test_ascii_lines_and_bars_are_ascii() -> None:
    rows = dots.line_ascii((0.0, 1.0, 2.0, 1.0), 4, 3, 2.0)
    assert rows == ["  * ", " * *", "*   "]
    assert blocks.bar(0.5, 10, ascii_only=True) == "#####"
    assert blocks.spark((0.0, 1.0), 1.0, ascii_only=True) == "_#"


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=8), st.integers(1, 200))
def test_a_stacked_bar_is_full(parts: list[float], width: int) -> None:
    cells = blocks.shares(parts, width)
    assert sum(cells) == (width if sum(parts) > 0 else 0)
    assert min(cells) >= 0


def test_any_share_above_zero_shows() -> None:
    assert blocks.bar(0.0001, 10) == "▏"
    assert blocks.bar(0.0, 10) == ""
    assert blocks.bar(NAN, 10) == ""
    assert blocks.strokes(0.0001, 10) == "▇"
    assert len(blocks.bar(7.0, 10)) == 10
