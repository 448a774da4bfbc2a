"""Moments, spans and sizes as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from voicetop.errors import UsageError

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_SIZES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZES |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|min|[smhdw])")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?")


def parse_span(text: str) -> float:
    """A length of time in seconds. Raises UsageError.

    >>> parse_span("90s"), parse_span("1h30m"), parse_span("7d")
    (90.0, 5400.0, 604800.0)
    """
    parts = _PART.findall(text.strip())
    if not parts or _PART.sub("", text).strip():
        raise UsageError(f"{text!r} is no length of time: type it like 90s, 15m, 1h30m or 7d")
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)


def parse_size(text: str) -> int:
    """A size in bytes. Raises UsageError.

    >>> parse_size("2GB"), parse_size("512 MiB")
    (2000000000, 536870912)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip(), re.IGNORECASE)
    if not found or found[2].upper() not in _SIZES:
        raise UsageError(f"{text!r} is no size: type it like 500MB or 2GB")
    return int(float(found[1]) * _SIZES[found[2].upper()])


def parse_moment(text: str, *, first: float, last: float, zone: tzinfo | None = None) -> float:
    """A moment (epoch s) of a recording that goes from `first` to `last`. Raises UsageError.

    "14:05" and "14:05:30" are the last such time of day in it, by the clock of this machine (or `zone`); "-90s" and
    "3m ago" count back from its end, "+90s" on from its beginning; "2026-11-22T14:05Z" and "1760000000" are themselves.
    """
    word = text.strip()
    if re.fullmatch(r"\d{9,11}(\.\d+)?", word):
        return float(word)
    if word.startswith("+"):
        return first + parse_span(word[1:])
    if word.startswith("-") or word.endswith("ago"):
        return last - parse_span(word.removeprefix("-").removesuffix("ago"))
    if found := _CLOCK.fullmatch(word):
        return _time_of_day(text, found, last, zone)
    try:
        moment = datetime.fromisoformat(word.replace(" ", "T"))
    except ValueError:
        raise UsageError(
            f"{text!r} is no moment: type it like 14:05, 3m ago, -90s, +10m or 2026-11-22T14:05Z"
        ) from None
    return moment.timestamp() if moment.tzinfo else _in_zone(moment, zone).timestamp()


def _time_of_day(text: str, found: re.Match[str], last: float, zone: tzinfo | None) -> float:
    end = datetime.fromtimestamp(last, UTC).astimezone(zone)
    hour, minute, second = int(found[1]), int(found[2]), float(found[3] or 0)
    if hour > 23 or minute > 59 or second >= 60:
        raise UsageError(f"{text!r} is no time of day: type it like 14:05 or 14:05:30")
    at = end.replace(hour=hour, minute=minute, second=int(second), microsecond=int(second % 1 * 1e6))
    return (at if at <= end else at - timedelta(days=1)).timestamp()


def _in_zone(moment: datetime, zone: tzinfo | None) -> datetime:
    return moment.replace(tzinfo=zone) if zone else moment.astimezone()
