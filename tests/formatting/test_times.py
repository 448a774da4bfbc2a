"""Moments as people type them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from voicetop.errors import UsageError
from voicetop.formatting.times import parse_moment, parse_size, parse_span

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
def test_a_moment_is_what_a_person_means(text: str, told: str) -> None:
    moment = parse_moment(text, first=FIRST, last=LAST, zone=UTC)
    assert datetime.fromtimestamp(moment, UTC).isoformat() == f"{told}+00:00"


@pytest.mark.parametrize("text", ["soon", "25:00", "14:61", "-", "3x ago", ""])
def test_what_is_no_moment_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="is no"):
        parse_moment(text, first=FIRST, last=LAST)


def test_spans_and_sizes() -> None:
    assert [parse_span(text) for text in ("250ms", "90s", "1h30m", "7d", "1.5 h")] == [
        0.25, 90.0, 5400.0, 604_800.0, 5400.0
    ]  # fmt: skip
    assert [parse_size(text) for text in ("2GB", "1.5 kib", "77")] == [2 * 10**9, 1536, 77]
    for parse in (parse_span, parse_size):
        with pytest.raises(UsageError):
            parse("lots")
