"""Parses a typed silence: its end (30m, 2h, 15:00), an optional matcher, and a reason."""

from __future__ import annotations

import shlex
from datetime import UTC
from typing import NamedTuple

from voicetop.alerts.incidents.silences import MAX_S, format_matcher, matcher_of
from voicetop.errors import UsageError
from voicetop.formatting.times import parse_span, parse_time_of_day

HINT = "30m reason · until 15:00 · 1h family=latency   Enter silences"


class SilenceEntry(NamedTuple):
    """End (epoch s), matcher ("" if none was typed), and reason."""

    until: float
    matcher: str
    why: str


def parse_silence(text: str, now: float, *, utc: bool) -> SilenceEntry:
    """Parse a silence relative to `now` (epoch s). Raises UsageError."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    if words and words[0] in ("until", "for"):
        words.pop(0)
    if not words:
        raise UsageError("enter a duration: 30m, 2h, 1d, or an end: 15:00")
    until = _end(words.pop(0), now, utc=utc)
    parts = [word for word in words if "=" in word]
    matcher = shlex.join(parts)
    if parts and not matcher_of(matcher):
        raise UsageError(f"{matcher}: a matcher is key=value, like language=es or family=latency")
    why = " ".join(word for word in words if word not in parts)
    return SilenceEntry(until, format_matcher(matcher_of(matcher)) if parts else "", why)


def _end(word: str, now: float, *, utc: bool) -> float:
    clock = parse_time_of_day(word, now, zone=UTC if utc else None)
    until = clock if clock is not None else now + parse_span(word)
    if not now < until <= now + MAX_S:
        raise UsageError("a silence has to end within 30 days")
    return until
