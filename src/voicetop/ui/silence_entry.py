"""Until when a silence lasts, as people type it (30m, 2h, 15:00); then what it matches, if need be; then why."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from voicetop.alerts.incidents.silences import MOST_S, matcher_of, written
from voicetop.errors import UsageError

HINT = "how long, then why: 30m · 2h · until 15:00 · 1h family=latency maintenance"
UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_LENGTH = re.compile(r"(\d{1,6}(?:\.\d+)?)(s|min|m|h|d)")


class SilenceEntry(NamedTuple):
    """Epoch seconds, a matcher where one was typed, and the words."""

    until: float
    matcher: str
    why: str


def ending_of(text: str, now: float, *, utc: bool) -> SilenceEntry:
    """What was typed, as of `now`. Raises UsageError with a line that says what is wrong."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    if words and words[0] in ("until", "for"):
        words.pop(0)
    if not words:
        raise UsageError("say how long: 30m, 2h, 1d, or until when: 15:00")
    until = _end(words.pop(0), now, utc=utc)
    parts = [word for word in words if "=" in word]
    matcher = shlex.join(parts)
    if parts and not matcher_of(matcher):
        raise UsageError(f"{matcher}: a matcher is key=value, like language=es or family=latency")
    why = " ".join(word for word in words if word not in parts)
    return SilenceEntry(until, written(matcher_of(matcher)) if parts else "", why)


def _end(word: str, now: float, *, utc: bool) -> float:
    length, clock = _LENGTH.fullmatch(word), _CLOCK.fullmatch(word)
    if length:
        until = now + float(length[1]) * UNITS[length[2]]
    elif clock:
        until = _next(int(clock[1]), int(clock[2]), now, utc=utc)
    else:
        raise UsageError(f"{word!r} is no length of time: 30m, 2h, 1d, or a time like 15:00")
    if not now < until <= now + MOST_S:
        raise UsageError("a silence ends between now and 30 days from now")
    return until


def _next(hour: int, minute: int, now: float, *, utc: bool) -> float:
    """The next time that a clock shows this."""
    here = datetime.fromtimestamp(now, UTC) if utc else datetime.fromtimestamp(now).astimezone()
    at = here.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (at if at > here else at + timedelta(days=1)).timestamp()
