"""A mark of the engine as a reading: every kind is what counting cell by cell gives, in the baseline's rows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from voicetop.alerts.changes.readings import Part, TickReading, read, within
from voicetop.engine.tick import TickDelta
from voicetop.engine.windows.buckets import BUCKETS, bucket_of
from voicetop.engine.windows.histograms import METRIC, ROW

ROW_OF = np.array([3, 1, 3], np.int64)
"""Cells 0 and 2 are one row of the baseline."""
LIMIT = int(bucket_of(np.array([2_000.0]))[0])


def delta(
    counts: dict[str, dict[int, int]] | None = None,
    *,
    times: list[tuple[int, str, float]] | None = None,
    turns: tuple[int, int, int] = (0, 0, 0),
    costs: list[tuple[int, int]] | None = None,
) -> TickDelta:
    """`times` are (cell, metric, ms)."""
    index = sorted(
        cell * ROW + METRIC[name] * BUCKETS + int(bucket_of(np.array([ms]))[0])
        for cell, name, ms in times or []
    )
    return TickDelta(counts or {}, np.array(turns, np.int64), np.array(index, np.uint32), [], costs or [])


def amounts(part: Part) -> dict[int, int]:
    rows, values = part
    return dict(zip(rows.tolist(), values.tolist(), strict=True))


def reading(made: TickDelta, limits: dict[str, int] | None = None) -> TickReading:
    return read(made, ROW_OF, {} if limits is None else limits)


def test_cells_of_one_row_add_up_and_kinds_of_a_family_add_up_too() -> None:
    counts = {"fault:llm:timeout": {0: 2, 1: 1}, "fault:tts:server": {2: 3}, "barge_ins": {0: 9}}
    parts = reading(delta(counts, turns=(4, 5, 6))).parts
    assert amounts(parts["fault:llm:timeout"]) == {3: 2, 1: 1}
    assert amounts(parts["fault"]) == {3: 5, 1: 1}
    assert amounts(parts["turns"]) == {3: 10, 1: 5}
    assert "barge_ins" not in parts


def test_outcomes_that_were_no_success_are_failures() -> None:
    parts = reading(delta({"known": {0: 5, 1: 2}, "succeeded": {0: 1, 2: 1, 1: 2}})).parts
    assert amounts(parts["failed"]) == {3: 3}
    assert "succeeded" not in parts
    assert amounts(reading(delta({"known": {1: 2}})).parts["failed"]) == {1: 2}


def test_sentiment_is_how_far_below_five_in_hundredths() -> None:
    parts = reading(delta({"sentiments": {0: 2, 1: 1}, "sentiment_centi": {0: 700, 1: 450}})).parts
    assert amounts(parts["x:sentiment"]) == {3: 300, 1: 50}
    assert "sentiment_centi" not in parts


def test_times_are_counted_against_their_limit_and_a_wait_only_beyond_it() -> None:
    made = delta(
        times=[
            (0, "e2e", 800.0),
            (2, "e2e", 9_000.0),
            (1, "waited", 9_000.0),
            (1, "waited", 500.0),
            (0, "stt", 90.0),
        ]
    )
    found = reading(made, {"e2e": LIMIT})
    assert amounts(found.parts["n:e2e"]) == {3: 2, 1: 1}
    assert amounts(found.parts["o:e2e"]) == {3: 1, 1: 1}
    assert "n:stt" not in found.parts
    assert len(found.times) == 5
    assert not any(kind.startswith(("n:", "o:")) for kind in reading(made).parts), "no limits are learned yet"


def test_cost_is_a_logarithm_and_the_dearest_call_is_named() -> None:
    found = reading(delta(costs=[(0, 80_000), (1, 250_000), (2, 90_000)]))
    assert found.dearest == (1, 250_000)
    expected = round(100 * math.log(80_000)) + round(100 * math.log(90_000))
    assert amounts(found.parts["x:cost"])[3] == pytest.approx(expected, abs=2)
    assert amounts(found.parts["cost"]) == {3: 2, 1: 1}


def test_rows_that_the_weights_do_not_know_count_as_nobodys() -> None:
    parts = reading(delta({"ended": {0: 2, 1: 1}})).parts
    assert amounts(within(parts, 4)["ended"]) == {3: 2, 1: 1}
    assert amounts(within(parts, 3)["ended"]) == {0: 2, 1: 1}
