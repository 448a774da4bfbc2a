"""Formats and parses times and durations: one way for each kind, everywhere.

Times are epoch seconds, durations are seconds; an unknown one (NaN) is a dash.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from datetime import UTC, datetime, time, timedelta, tzinfo

from voicetop.errors import UsageError
from voicetop.formatting.numbers import DASH, known

HOUR = 3600
DAY = 86_400
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|min|[smhdw])")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?")


# -- durations -------------------------------------------------------------------------------------------------------


def seconds(value: float) -> str:
    """A wait or a lag: 11.23 → "11.2 s", 734 → "12:14"."""
    if not known(value):
        return DASH
    return f"{value:.1f} s" if value < 100 else age(value)


def age(value: float) -> str:
    """Like a stopwatch: 252 → "4:12", 4000 → "1:06:40", 200000 → "2 d 7 h"."""
    if not known(value):
        return DASH
    whole = max(0, int(value))
    if whole < HOUR:
        return f"{whole // 60}:{whole % 60:02d}"
    if whole < DAY:
        return f"{whole // HOUR}:{whole % HOUR // 60:02d}:{whole % 60:02d}"
    return f"{whole // DAY} d {whole % DAY // HOUR} h"


def span(value: float) -> str:
    """In words: 11 → "11 s", 372 → "6 min", 9000 → "2.5 h", 259200 → "3 d"."""
    if not known(value):
        return DASH
    if value < 90:
        return f"{max(0.0, value):.0f} s"
    if value < 90 * 60:
        return f"{value / 60:.0f} min"
    return f"{value / HOUR:.1f} h" if value < 2 * DAY else f"{value / DAY:.0f} d"


def long_span(value: float) -> str:
    """In full, to the second: 142 → "2 min 22 s", 9000 → "2 h 30 min"."""
    whole = max(0, int(value))
    if whole < 60:
        return f"{whole} s"
    return (
        f"{whole // 60} min {whole % 60} s" if whole < HOUR else f"{whole // HOUR} h {whole % HOUR // 60} min"
    )


def of_window(covered: float, window: float) -> str:
    """How much of a window there is data for; empty if for all of it, or none.

    >>> of_window(40, 300), of_window(130, 1800), of_window(7300, 86400), of_window(1795, 1800)
    ('40 s of 5 min', '2 of 30 min', '2 of 24 h', '')
    """
    if not 0 < covered < window - 10:
        return ""
    whole = int(window // HOUR)
    unit = HOUR if whole else 60
    name = "h" if whole else "min"
    if covered >= unit:
        return f"{covered // unit:.0f} of {window / unit:.0f} {name}"
    return (
        f"{covered // 60:.0f} min of {whole} h"
        if whole and covered >= 60
        else f"{covered:.0f} s of {window / unit:.0f} {name}"
    )


def parse_span(text: str) -> float:
    """Parse a duration in seconds. Raises UsageError.

    >>> parse_span("90s"), parse_span("1h30m"), parse_span("2 min 22 s"), parse_span("7d")
    (90.0, 5400.0, 142.0, 604800.0)
    """
    parts = _PART.findall(text.strip())
    if not parts or _PART.sub("", text).strip():
        raise UsageError(f"{text!r} is not a length of time: type it like 90s, 15m, 1h30m or 7d")
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)


# -- times -----------------------------------------------------------------------------------------------------------


def clock(at: float, *, utc: bool = True, seconds: bool = True) -> str:
    """The time of day, in UTC or in this machine's time zone: "14:05:03", "14:05"."""
    if not known(at):
        return DASH
    return _local(at, utc=utc).strftime("%H:%M:%S" if seconds else "%H:%M")


def day(at: float, *, utc: bool = True) -> str:
    """The date: "2026-11-22"."""
    return f"{_local(at, utc=utc):%Y-%m-%d}" if known(at) else DASH


def zone(at: float, *, utc: bool) -> str:
    """The name of the time zone: "UTC" or the machine's own."""
    return "UTC" if utc or not known(at) else _local(at, utc=False).strftime("%Z")


def iso(at: float, timespec: str = "milliseconds") -> str:
    """ISO 8601 in UTC: "2026-11-22T14:05:03.250Z", with `timespec` "2026-11-22T14:05:03Z"."""
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):  # outside the calendar
        return f"{at} s"


def file_stamp(at: float) -> str:
    """For the name of a file, in UTC: "20261122T140503Z"."""
    return f"{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}"


def parse_time(text: str, *, first: float, last: float, zone: tzinfo | None = None) -> float:
    """Parse a time (epoch s) in a recording from `first` to `last`. Raises UsageError.

    "14:05" and "14:05:30" are the last such time of day in it, in this machine's time zone (or `zone`); "-90s" and
    "3m ago" count back from its end, "+90s" forward from its start; "2026-11-22T14:05Z" and "1760000000" are absolute.
    Of a local time that occurs twice, "2026-10-25T02:30", the later one in the recording is meant.
    """
    word = text.strip()
    if re.fullmatch(r"\d{9,11}(\.\d+)?", word):
        return float(word)
    if word.startswith("+"):
        return first + parse_span(word[1:])
    if word.startswith("-") or word.endswith("ago"):
        return last - parse_span(word.removeprefix("-").removesuffix("ago"))
    if _CLOCK.fullmatch(word):
        return max(at for at in _times_of_day(word, last, zone) if at <= last)
    try:
        when = datetime.fromisoformat(word.replace(" ", "T"))
        found = [when.timestamp()] if when.tzinfo else occurrences(when, zone)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is not a time: type it like 14:05, 3m ago, -90s, +10m or 2026-11-22T14:05Z"
        ) from None
    return next((at for at in reversed(found) if first <= at <= last), found[0])


def parse_end(text: str, *, start: float, first: float, last: float, zone: tzinfo | None = None) -> float:
    """Parse the end of a part that begins at `start` (NaN: nowhere yet). Raises UsageError.

    As `parse_time`, but "+10m" counts from `start`, and "14:05" is the next such time after it.
    """
    if not known(start):
        return parse_time(text, first=first, last=last, zone=zone)
    at = parse_time_of_day(text, start, zone=zone)
    return parse_time(text, first=start, last=last, zone=zone) if at is None else at


def parse_time_of_day(text: str, now: float, *, zone: tzinfo | None = None) -> float | None:
    """The next time at which a clock shows "15:00"; None if it isn't a time of day. Raises UsageError for 25:00."""
    if not _CLOCK.fullmatch(text.strip()):
        return None
    return min(at for at in _times_of_day(text.strip(), now, zone) if at > now)


def occurrences(when: datetime, zone: tzinfo | None = None) -> list[float]:
    """When (epoch s) a clock in this machine's zone (or `zone`) shows a time: twice after the clocks went back.

    A time that they skip is the moment at which they go forward.
    """
    before, after = (when.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    return sorted({before, after}) if before <= after else [_change(after, before, zone)]


def in_zone(at: float, zone: tzinfo | None = None) -> datetime:
    """The date and time that a clock shows in this machine's zone (or `zone`)."""
    return datetime.fromtimestamp(at, UTC).astimezone(zone)


def _change(before: float, after: float, zone: tzinfo | None) -> float:
    """When the clocks of a zone changed between two times."""
    seconds = range(math.floor(before), math.ceil(after) + 1)
    offset = in_zone(before, zone).utcoffset()
    return float(seconds[bisect_left(seconds, True, key=lambda at: in_zone(at, zone).utcoffset() != offset)])


def _times_of_day(text: str, near: float, zone: tzinfo | None) -> list[float]:
    """When (epoch s) a clock shows that time on the day of `near` (epoch s) and on the days around it."""
    hour, minute, second = text.split(":") if text.count(":") == 2 else (*text.split(":"), "0")
    if int(hour) > 23 or int(minute) > 59 or float(second) >= 60:
        raise UsageError(f"{text!r} is not a time of day: type it like 14:05 or 14:05:30")
    shown = time(int(hour), int(minute), int(float(second)), int(float(second) % 1 * 1e6))
    today = in_zone(near, zone).date()
    days = (today + timedelta(days=number) for number in (-2, -1, 0, 1, 2))  # a zone may skip a whole day
    return [at for day in days for at in occurrences(datetime.combine(day, shown), zone)]


def _local(at: float, *, utc: bool) -> datetime:
    return in_zone(at, UTC if utc else None)
