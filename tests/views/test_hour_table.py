from __future__ import annotations

import numpy as np

from voicetop.engine.windows.buckets import BUCKETS
from voicetop.engine.windows.histograms import Histogram
from voicetop.views import hour_table

Quarter = tuple[float, Histogram, dict[str, int]]


def quarter(number: int, *, slow: bool = False) -> Quarter:
    counts = np.zeros(BUCKETS, np.int64)
    counts[700 if slow else 600] = 200
    return number * 900.0, counts, {"ended": 100, "error": 9 if slow else 1, "known": 90, "succeeded": 80}


def test_a_slow_hour_comes_first_and_hours_are_compared_with_the_others() -> None:
    made = hour_table.panel([quarter(n, slow=n // 4 == 14) for n in range(96)])
    assert made.dimension == "hour"
    assert [row.value for row in made.rows][:2] == ["14", "00"]
    worst = made.rows[0]
    assert set(worst.worse) >= {"latency", "errors"}
    assert worst.p95.value > 1.5 * worst.p95.normal.value
    assert worst.calls == 400
    assert len(made.rows) == 24
    assert not made.rows[1].worse


def test_hours_without_a_call_have_no_row() -> None:
    assert [
        row.value for row in hour_table.panel([quarter(4), (7200.0, np.zeros(BUCKETS, np.int64), {})]).rows
    ] == ["01"]


def test_the_same_hour_of_two_days_is_one_row() -> None:
    made = hour_table.panel([quarter(n) for n in range(58, 58 + 96)])
    assert len(made.rows) == 24
    assert sum(row.calls for row in made.rows) == 9600


def test_a_quarter_with_a_problem_is_shown_and_is_no_normal_for_other_hours() -> None:
    quarters = [quarter(n, slow=n // 4 == 14) for n in range(96)]
    troubled = range(14 * 60, 15 * 60)
    spoilt, rows = (
        {row.value: row for row in hour_table.panel(quarters, minutes).rows} for minutes in ((), troubled)
    )
    assert rows["14"].calls == 400
    assert set(rows["14"].worse) >= {"latency", "errors"}
    assert spoilt["03"].errors.normal.value > 1.2 * rows["03"].errors.normal.value
    assert rows["03"].errors.normal.value == rows["03"].errors.value
