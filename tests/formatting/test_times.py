"""Times and durations, formatted and parsed."""

from __future__ import annotations

from datetime import UTC, datetime
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicetop.errors import UsageError
from voicetop.formatting import times
from voicetop.formatting.numbers import known
from voicetop.formatting.times import parse_span, parse_time, parse_time_of_day

FIRST = datetime(2026, 11, 22, 13, 0, tzinfo=UTC).timestamp()
LAST = datetime(2026, 11, 22, 15, 30, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("14:05", "2026-11-22T14:05:00"),
        ("14:05:30", "2026-11-22T14:05:30"),
        ("23:00", "2026-11-21T23:00:00"),
        ("3m ago", "2026-11-22T15:27:00"),
        ("-90s", "2026-11-22T15:28:30"),
        ("+1h30m", "2026-11-22T14:30:00"),
        ("2026-11-22T14:05Z", "2026-11-22T14:05:00"),
        ("2026-11-22 14:05", "2026-11-22T14:05:00"),
        ("2026-11-22T15:05+01:00", "2026-11-22T14:05:00"),
        ("1795269900", "2026-11-21T14:05:00"),
    ],
)
def test_times_are_parsed_as_people_write_them(text: str, told: str) -> None:
    moment = parse_time(text, first=FIRST, last=LAST, zone=UTC)
    assert datetime.fromtimestamp(moment, UTC).isoformat() == f"{told}+00:00"


@pytest.mark.parametrize("text", ["soon", "25:00", "14:61", "-", "3x ago", ""])
def test_an_invalid_time_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="is not a"):
        parse_time(text, first=FIRST, last=LAST)


def test_durations_take_every_unit() -> None:
    spans = ("500ms", "90s", "1h30m", "2 min 22 s", "2d", "1w", "1.5 h")
    assert [parse_span(text) for text in spans] == [0.5, 90.0, 5400.0, 142.0, 172_800.0, 604_800.0, 5400.0]


@pytest.mark.parametrize("text", ["lots", "", "5", "5 years", "-5m", "1h 30"])
def test_an_invalid_duration_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="is not a length of time: type it like 90s, 15m, 1h30m or 7d"):
        parse_span(text)


@given(st.floats(0, 1e7))
def test_a_formatted_duration_parses_back(length: float) -> None:
    half = 0.5 if length < 90 else 30 if length < 5400 else 180 if length < 2 * times.DAY else times.DAY / 2
    assert parse_span(times.span(length)) == pytest.approx(length, abs=half * 1.001)
    assert parse_span(times.long_span(length)) == pytest.approx(length, abs=1 if length < times.HOUR else 60)


@given(st.integers(0, 4_000_000_000))
def test_a_formatted_time_parses_back(at: int) -> None:
    assert parse_time(times.iso(at), first=0, last=at) == at
    assert parse_time(f"{times.day(at)} {times.clock(at)}", first=0, last=at, zone=UTC) == at
    assert parse_time(times.clock(at), first=0, last=at, zone=UTC) == at
    assert parse_time_of_day(times.clock(at), at - 1, zone=UTC) == at


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("15:31", LAST + 60), ("15:30", LAST + times.DAY), ("9:00", LAST + 17.5 * times.HOUR)],
)
def test_a_time_of_day_is_the_next_one(text: str, wanted: float) -> None:
    assert parse_time_of_day(text, LAST, zone=UTC) == wanted
    assert parse_time_of_day("2h", LAST) is None


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (times.seconds(11.23), "11.2 s"),
        (times.seconds(734), "12:14"),
        (times.age(252), "4:12"),
        (times.age(4000), "1:06:40"),
        (times.age(200_000), "2 d 7 h"),
        (times.span(11), "11 s"),
        (times.span(372), "6 min"),
        (times.span(9000), "2.5 h"),
        (times.span(259_200), "3 d"),
        (times.long_span(142), "2 min 22 s"),
        (times.clock(LAST), "15:30:00"),
        (times.clock(LAST, seconds=False), "15:30"),
        (times.day(LAST), "2026-11-22"),
        (times.iso(LAST + 0.25), "2026-11-22T15:30:00.250Z"),
        (times.iso(LAST, "seconds"), "2026-11-22T15:30:00Z"),
        (times.iso(1e99), "1e+99 s"),
        (times.file_stamp(LAST), "20261122T153000Z"),
    ],
)
def test_each_kind_of_time_has_one_format(written: str, wanted: str) -> None:
    assert written == wanted


def test_an_unknown_time_is_a_dash() -> None:
    assert not known(nan)
    for write in (times.seconds, times.age, times.span, times.clock, times.day):
        assert write(nan) == "–"
