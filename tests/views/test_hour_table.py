"""Each hour of the last 24 is a row of its own, compared with the others."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from engine.feeding import START, Line
from voicetop.engine.snapshot import Figure, SegmentsPanel
from voicetop.engine.windows.buckets import BUCKETS
from voicetop.views import hour_table
from voicetop.views.over_time import Bucket
from voicetop.wire.events import CallUpdate, Error

NOBODY = np.zeros(BUCKETS, np.int64)


def bucket(start: float, width: float, *, quarters: int = 1, slow: bool = False) -> Bucket:
    counts = np.zeros(BUCKETS, np.int64)
    counts[700 if slow else 600] = 200 * quarters
    failed = (9 if slow else 1) * quarters
    sums = {"ended": 100 * quarters, "error": failed, "known": 90 * quarters, "succeeded": 80 * quarters}
    return Bucket(start, start + width, counts, NOBODY, sums, failed)


def quarter(number: int, *, slow: bool = False) -> Bucket:
    return bucket(number * 900.0, 900.0, slow=slow)


def hour(number: int, *, slow: bool = False) -> Bucket:
    return bucket(number * 3600.0, 3600.0, quarters=4, slow=slow)


def table(hours: list[Bucket], quarters: list[Bucket], troubled: Collection[int] = ()) -> SegmentsPanel:
    return hour_table.table(hours, [0] * len(hours), quarters, troubled)


def day(troubled: Collection[int] = ()) -> SegmentsPanel:
    """A day with a slow hour at 14:00."""
    return table(
        [hour(n, slow=n == 14) for n in range(24)],
        [quarter(n, slow=n // 4 == 14) for n in range(96)],
        troubled,
    )


def test_a_slow_hour_comes_first_and_hours_are_compared_with_the_others() -> None:
    made = day()
    assert made.dimension == "hour"
    assert [row.value for row in made.rows][:2] == ["14", "00"]
    worst = made.rows[0]
    assert set(worst.worse_in) >= {"latency", "errors"}
    assert worst.p95.value > 1.5 * worst.p95.normal.value
    assert worst.calls == 400
    assert len(made.rows) == 24
    assert not made.rows[1].worse


def test_hours_without_a_call_have_no_row() -> None:
    nothing = Bucket(7200.0, 10_800.0, NOBODY, NOBODY, {}, 0)
    assert [row.value for row in table([hour(1), nothing], [quarter(4)]).rows] == ["01"]


def test_the_same_hour_of_two_days_is_one_row() -> None:
    made = table([hour(n) for n in range(14, 39)], [quarter(n) for n in range(58, 58 + 96)])
    assert len(made.rows) == 24
    assert sum(row.calls for row in made.rows) == 10_000
    assert next(row.calls for row in made.rows if row.value == "14") == 800


def test_a_quarter_with_a_problem_is_shown_and_is_no_normal_for_other_hours() -> None:
    troubled = range(14 * 60, 15 * 60)
    spoilt, rows = ({row.value: row for row in day(minutes).rows} for minutes in ((), troubled))
    assert rows["14"].calls == 400
    assert set(rows["14"].worse_in) >= {"latency", "errors"}
    assert spoilt["03"].errors.normal.value > 1.2 * rows["03"].errors.normal.value
    assert rows["03"].errors.normal.value == rows["03"].errors.value


def test_a_past_hour_counts_who_waited_and_who_was_live_at_its_end() -> None:
    line = Line(at=START // 3600 * 3600 + 3_570)
    for number in range(30):
        line.begin(f"c{number}")
        line.turn(f"c{number}", 900.0)
    for number in range(10):
        line.wait(f"c{number}", turn=1)
    line.tell(Error, "c29", component="llm", category="timeout")
    line.pass_(40.0)
    for number in range(10):
        line.turn(f"c{number}", 40_000.0, turn=1)
    line.tell(Error, "c29", component="llm", category="timeout")
    line.beat(line.at + 1)
    past, now = sorted(line.see(dimension="hour").segments.rows, key=lambda row: row.value)  # type: ignore[union-attr]
    assert (past.p95.n, past.p95.at_least) == (40, True)
    assert 29_500 < past.p95.value < 30_500
    assert (past.errors.n, round(past.errors.value * 30)) == (30, 1)
    assert (now.p95.n, now.p95.at_least) == (10, False)
    assert (now.errors.n, round(now.errors.value * 30)) == (30, 1)
    for row in (past, now):
        panels = line.see(where=(("hour", row.value),))
        shown, errors = panels.latency.e2e.p95, panels.errors.rate
        assert (shown.value, shown.at_least, shown.n) == (row.p95.value, row.p95.at_least, row.p95.n)
        assert (errors.value, errors.n) == (row.errors.value, row.errors.n)


def test_each_kind_of_error_counts_in_every_hour_that_has_one() -> None:
    line = Line(at=START // 3600 * 3600 + 3_570)
    for number in range(30):
        line.begin(f"c{number}")
    for category in ("timeout", "timeout", "rate_limit"):
        line.tell(Error, "c1", component="llm", category=category)
    line.pass_(40.0)
    line.tell(Error, "c1", component="llm", category="timeout")
    line.tell(Error, "c2", component="llm", category="timeout")
    line.tell(Error, "c2", component="llm", category="timeout", ts=line.at - 35)  # one that arrives late
    line.tell(CallUpdate, "c1", segments={"tier": "gold"})
    line.beat(line.at + 1)
    past, now = (f"{int(line.at) // 3600 % 24 - back:02d}" for back in (1, 0))
    assert failed(line, ("hour", past)) == (2, {"timeout": 2, "rate_limit": 1})
    assert failed(line, ("hour", now)) == (2, {"timeout": 2})
    assert failed(line, ("hour", past), ("tier", "gold")) == (1, {"timeout": 1, "rate_limit": 1})
    assert failed(line) == (2, {"timeout": 2, "rate_limit": 1})


def failed(line: Line, *where: tuple[str, str]) -> tuple[int, dict[str, int]]:
    """Calls with an error, and of each category."""
    panel = line.see(where=where).errors
    return calls(panel.rate), {kind.category: calls(kind.rate) for kind in panel.kinds}


def calls(rate: Figure) -> int:
    return round(rate.value * rate.n)
