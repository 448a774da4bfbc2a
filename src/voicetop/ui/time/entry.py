"""Parses a typed time in the screen's time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from math import isfinite

from voicetop.errors import UsageError
from voicetop.formatting.times import parse_time

HINT = "14:05 · 3m ago · -90s · 2026-11-22T14:05Z   Enter goes, Esc cancels"
_SUBJECT = re.compile(r"^'.*' is |^\".*\" is ", re.DOTALL)


def parse_time_entry(text: str, *, first: float, last: float, utc: bool) -> float:
    """The typed time (epoch s), relative to `first` and `last`. Raises UsageError without `text` in its message."""
    try:
        at = parse_time(text, first=first, last=last, zone=UTC if utc else None)
        datetime.fromtimestamp(at, UTC)
    except UsageError as error:
        raise UsageError(_SUBJECT.sub("", str(error)).replace(": type it like ", ": ")) from None
    except (OverflowError, ValueError, OSError):
        raise UsageError("out of range: 14:05, 3m ago, -90s") from None
    if not isfinite(at):
        raise UsageError("out of range: 14:05, 3m ago, -90s")
    return at
