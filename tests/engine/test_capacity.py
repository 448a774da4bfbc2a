"""Load against the tested limit: the way to the line, and the peak of the day."""

from __future__ import annotations

import math

import pytest

from engine.feeding import START, Line
from voicetop.engine.capacity import MAX_MINUTES, CapacityLoad, minutes_to_limit
from voicetop.wire.events import CallEnd, Capacity


def test_the_way_to_the_line_is_the_one_of_the_docstring() -> None:
    assert minutes_to_limit(120, 150, 60, 180) == pytest.approx(2.08, abs=0.01)


@pytest.mark.parametrize("live", [10, 80, 140])
def test_the_load_really_is_at_the_line_then(live: int) -> None:
    minutes = minutes_to_limit(live, 150, 60, 180)
    load, step = float(live), 0.001
    for _ in range(round(minutes / step)):
        load += (60 - load / 3) * step  # 60 calls come a minute, a third of those on the line leave
    assert load == pytest.approx(150, rel=0.01)


def test_a_line_that_arrivals_do_not_lead_to_is_never_reached() -> None:
    assert math.isnan(minutes_to_limit(120, 180, 60, 180))
    assert math.isnan(minutes_to_limit(120, 0, 60, 180))
    assert math.isnan(minutes_to_limit(120, 150, 60, math.nan))
    assert minutes_to_limit(150, 150, 0.1, 1) == 0


def test_the_peak_is_the_most_calls_at_once_of_the_last_day() -> None:
    load = CapacityLoad()
    for minute, live in ((0, 90), (10, 40), (12, 60), (12, 50), (MAX_MINUTES, 20)):
        load.beat(minute * 60.0, live)
    assert load.peak(60.0 * (MAX_MINUTES - 1)) == (90, 0.0)
    assert load.peak(60.0 * MAX_MINUTES) == (60, 720.0)
    for minute in range(5_000):
        load.beat(minute * 60.0, 1)
    assert len(load.minutes) == MAX_MINUTES


def test_the_screen_tells_load_limit_peak_and_arrivals() -> None:
    line = Line()
    line.tell(Capacity, limit=20, tested_at=START - 86_400)
    for n in range(120):  # two calls a minute, each of a minute and a half
        line.begin(f"c{n}")
        if n >= 3:
            line.tell(CallEnd, f"c{n - 3}", reason="completed")
        line.pass_(30, every=15)
    panel = line.see().capacity
    assert (panel.live, panel.limit, panel.peak) == (3, 20, 3)
    assert panel.arrivals_per_min == pytest.approx(2, rel=0.1)
    assert panel.handling_s == pytest.approx(90)
    assert math.isnan(panel.minutes_to_limit)


def test_the_limit_that_an_operator_set_counts_whatever_publishers_report() -> None:
    line = Line()
    line.tell(Capacity, limit=300, source="hub")
    line.tell(Capacity, limit=40, tested_at=START, source="fleet")
    line.pass_(10)
    panel = line.see().capacity
    assert (panel.limit, panel.published) == (300, 40)
    assert math.isnan(panel.tested_at)
    line.tell(Capacity, limit=300, source="fleet")
    line.pass_(10)
    assert line.see().capacity.published == 0, "nothing to show where they agree"
    line.tell(Capacity, limit=400, source="hub")
    line.pass_(10)
    assert line.see().capacity.limit == 400


def test_without_an_operator_the_last_publisher_counts() -> None:
    line = Line()
    for limit in (40, 50):
        line.tell(Capacity, limit=limit, source="fleet")
    line.pass_(10)
    assert (line.see().capacity.limit, line.see().capacity.published) == (50, 0)


def test_how_fast_calls_arrive_is_unknown_to_who_has_just_joined() -> None:
    line = Line()
    line.tell(Capacity, limit=150)
    for n in range(100):
        line.begin(f"c{n}")
    line.pass_(60)
    assert math.isnan(line.see().capacity.arrivals_per_min)
    line.pass_(300, every=15)
    assert line.see().capacity.arrivals_per_min < 1


def test_a_full_line_is_a_trouble() -> None:
    line = Line()
    line.tell(Capacity, limit=10)
    for n in range(9):
        line.begin(f"c{n}")
    line.pass_(6)
    verdict = line.see().verdict
    assert verdict.severity == "degraded"
    assert verdict.text.startswith("9 live calls, 90 % of the tested limit of 10")
