"""Times and durations, formatted and parsed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import nan
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicetop.errors import UsageError
from voicetop.formatting import times
from voicetop.formatting.numbers import known
from voicetop.formatting.times import parse_end, parse_span, parse_time, parse_time_of_day
from zones import machine_zone

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


# -- across a change to or from summer time --------------------------------------------------------------------------


def instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


CHANGES = {  # a zone, and the recording of a day across a change
    "Berlin, back at 03:00": ("Europe/Berlin", "2026-10-24T12:00+02:00", "2026-10-25T10:00+01:00"),
    "Berlin, forward at 02:00": ("Europe/Berlin", "2026-03-28T12:00+01:00", "2026-03-29T10:00+02:00"),
    "New York, back at 02:00": ("America/New_York", "2026-10-31T12:00-04:00", "2026-11-01T10:00-05:00"),
    "New York, forward at 02:00": ("America/New_York", "2026-03-07T12:00-05:00", "2026-03-08T10:00-04:00"),
    "Lord Howe, half an hour back": (
        "Australia/Lord_Howe",
        "2026-04-04T12:00+11:00",
        "2026-04-05T10:00+10:30",
    ),
    "Lord Howe, half an hour on": ("Australia/Lord_Howe", "2026-10-03T12:00+10:30", "2026-10-04T10:00+11:00"),
    "Kolkata, never": ("Asia/Kolkata", "2026-10-24T12:00+05:30", "2026-10-25T10:00+05:30"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("of_machine", [True, False])
def test_a_time_is_found_on_both_sides_of_a_change(change: str, of_machine: bool) -> None:
    name, begins, ends = CHANGES[change]
    first, last = instant(begins), instant(ends)
    zone = None if of_machine else ZoneInfo(name)
    before, after = (datetime.fromisoformat(text).tzinfo for text in (begins, ends))
    day, next_day = begins[:10], ends[:10]
    for clock, date, offset in (
        ("12:30", day, before),
        ("14:05", day, before),
        ("23:50:30", day, before),
        ("00:55", next_day, before),
        ("04:30", next_day, after),
        ("09:59", next_day, after),
    ):
        expected = datetime.fromisoformat(f"{date}T{clock}").replace(tzinfo=offset).timestamp()
        with machine_zone(name if of_machine else "UTC"):
            assert parse_time(clock, first=first, last=last, zone=zone) == expected
            assert parse_time(f"{date}T{clock}", first=first, last=last, zone=zone) == expected
            assert parse_time(f"{date} {clock}", first=first, last=last, zone=zone) == expected
            assert parse_time_of_day(clock, expected - 60, zone=zone) == expected
            if date == next_day:
                assert (
                    parse_time_of_day(clock, instant(f"{day}T20:00:00{begins[-6:]}"), zone=zone) == expected
                )


@pytest.mark.parametrize("change", CHANGES)
def test_with_utc_a_change_of_the_clocks_has_no_effect(change: str) -> None:
    name, begins, ends = CHANGES[change]
    with machine_zone(name):
        at = parse_time("23:59", first=instant(begins), last=instant(ends), zone=UTC)
    assert datetime.fromtimestamp(at, UTC).strftime("%H:%M") == "23:59"
    assert instant(ends) - times.DAY < at <= instant(ends)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("minutes", range(-150, 151, 5))
def test_every_shown_time_can_be_typed(change: str, minutes: int) -> None:
    """Also in the hour that occurs twice: the last such time is the one that has just been shown."""
    name, begins, _ = CHANGES[change]
    at = instant(f"{begins[:10]}T23:59:59{begins[-6:]}") + 1 + 2 * times.HOUR + minutes * 60
    with machine_zone(name):
        shown, day = times.clock(at, utc=False), times.day(at, utc=False)
        assert parse_time(shown, first=at - times.DAY, last=at) == at
        assert parse_time(f"{day} {shown}", first=at - times.DAY, last=at) == at
        assert parse_time_of_day(shown, at - 1) == at


BERLIN = ZoneInfo("Europe/Berlin")
TWICE = (instant("2026-10-25T02:30+02:00"), instant("2026-10-25T02:30+01:00"))


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2026-10-24T12:00Z", "2026-10-25T09:00Z", TWICE[1]),
        ("2026-10-24T12:00Z", "2026-10-25T00:45Z", TWICE[0]),
        ("2026-10-25T01:00Z", "2026-10-25T09:00Z", TWICE[1]),
    ],
)
def test_a_time_that_occurs_twice_is_the_last_one_in_the_recording(
    first: str, last: str, expected: float
) -> None:
    for text in ("02:30", "2026-10-25T02:30", "2026-10-25 02:30:00"):
        assert parse_time(text, first=instant(first), last=instant(last), zone=BERLIN) == expected
    for text, at in zip(("2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"), TWICE, strict=True):
        assert parse_time(text, first=instant(first), last=instant(last), zone=BERLIN) == at


def test_until_a_time_that_occurs_twice_is_until_the_next_one() -> None:
    assert parse_time_of_day("02:30", TWICE[0] - 60, zone=BERLIN) == TWICE[0]
    assert parse_time_of_day("02:30", TWICE[0], zone=BERLIN) == TWICE[1]
    assert parse_time_of_day("02:30", TWICE[1], zone=BERLIN) == TWICE[1] + times.DAY


@pytest.mark.parametrize("text", ["02:00", "02:30", "02:59:59", "2026-03-29T02:30"])
def test_a_time_that_the_clocks_skip_is_the_moment_at_which_they_go_forward(text: str) -> None:
    change = instant("2026-03-29T03:00+02:00")
    first, last = instant("2026-03-28T12:00+01:00"), instant("2026-03-29T10:00+02:00")
    assert parse_time(text, first=first, last=last, zone=BERLIN) == change
    if "T" not in text:
        assert parse_time_of_day(text, change - times.HOUR, zone=BERLIN) == change


@given(
    st.integers(-400, 400),
    st.sampled_from(["Asia/Kolkata", "Africa/Cairo", "Pacific/Apia"]),
    st.integers(0, 1439),
)
def test_a_time_of_day_is_found_in_every_zone_on_every_day(days: int, name: str, minute: int) -> None:
    now, zone = FIRST + days * times.DAY, ZoneInfo(name)
    text = f"{minute // 60:02d}:{minute % 60:02d}"
    upcoming, past = parse_time_of_day(text, now, zone=zone), parse_time(text, first=0, last=now, zone=zone)
    assert upcoming is not None
    assert past <= now < upcoming
    for at in (past, upcoming):
        shown = datetime.fromtimestamp(at, zone)
        assert (
            shown.strftime("%H:%M") == text or (shown - timedelta(seconds=1)).utcoffset() != shown.utcoffset()
        )


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        ("+10m", FIRST + 3900, FIRST + 4500),
        ("+10m", nan, FIRST + 600),
        ("14:10", FIRST + 3900, FIRST + 4200),
        ("14:05", FIRST + 3900, FIRST + 3900 + times.DAY),
        ("14:10", FIRST - 3 * times.DAY, FIRST + 4200 - 3 * times.DAY),
        ("-90s", FIRST + 3900, LAST - 90),
        ("2026-11-22T14:20Z", FIRST + 3900, FIRST + 4800),
    ],
)
def test_the_end_of_a_part_is_relative_to_its_start(text: str, start: float, expected: float) -> None:
    assert parse_end(text, start=start, first=FIRST, last=LAST, zone=UTC) == expected


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31T23:59"])
def test_a_date_outside_the_calendar_is_an_error(text: str) -> None:
    with machine_zone("Asia/Kolkata" if text < "1" else "America/New_York"), pytest.raises(UsageError):
        parse_time(text, first=FIRST, last=LAST)
