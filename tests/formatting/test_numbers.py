"""Numbers, formatted and parsed."""

from __future__ import annotations

from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicetop.errors import UsageError
from voicetop.formatting import numbers


def test_an_unknown_number_is_a_dash() -> None:
    for write in (
        *(numbers.milliseconds, numbers.bare_ms, numbers.percent, numbers.whole_percent, numbers.dollars),
        *(numbers.cents, numbers.plain, numbers.count),
    ):
        assert write(nan) == "–"
    assert numbers.written(nan, "usd") == "–"
    assert numbers.ratio(nan) == ""


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (numbers.milliseconds(742), "742 ms"),
        (numbers.milliseconds(3910), "3,910 ms"),
        (numbers.milliseconds(9999.4), "9,999 ms"),
        (numbers.milliseconds(9999.6), "10.0 s"),
        (numbers.milliseconds(12_400), "12.4 s"),
        (numbers.bare_ms(3910), "3,910"),
        (numbers.axis_ms(800), "800 ms"),
        (numbers.axis_ms(2500), "2.5 s"),
        (numbers.percent(0.0412), "4.1 %"),
        (numbers.percent(1.0), "100 %"),
        (numbers.percent(1.2), "120 %"),
        (numbers.whole_percent(0.824), "82 %"),
        (numbers.dollars(0.0912), "$0.091"),
        (numbers.dollars(12.3), "$12.30"),
        (numbers.cents(0.138), "$0.14"),
        (numbers.plain(3.84), "3.8"),
        (numbers.count(12_345.0), "12,345"),
        (numbers.short_count(9_999), "9,999"),
        (numbers.short_count(3_778, 1_000), "3.8k"),
        (numbers.short_count(14_210), "14k"),
        (numbers.short_count(2_300_000), "2.3M"),
        (numbers.counted(1, "call"), "1 call"),
        (numbers.counted(3_000, "call"), "3,000 calls"),
        (numbers.counted(0, "query", "queries"), "0 queries"),
        (numbers.ratio(2.38), "2.4×"),
        (numbers.ratio(23.8), "24×"),
        (numbers.written(-31.5, "dbfs"), "−31.5 dBFS"),
        (numbers.written(3910, "ms"), "3,910 ms"),
        (numbers.written(1234.5, "a unit of the feed's own"), "1.23e+03"),
    ],
)
def test_each_kind_of_number_has_one_format(written: str, wanted: str) -> None:
    assert written == wanted


@given(st.sampled_from(["ms", "rate", "usd"]), st.floats(0, 1))
def test_a_formatted_figure_parses_back(unit: str, share: float) -> None:
    value = share * {"ms": 600_000, "rate": 1, "usd": 10_000}[unit]
    accuracy = {"ms": 0.51 if value < numbers.LONG_MS else 51, "rate": 0.00051, "usd": 0.0051}[unit]
    assert numbers.parse_figure(numbers.written(value, unit), unit) == pytest.approx(value, abs=accuracy)


@pytest.mark.parametrize(
    ("text", "unit"), [("2700", "ms"), ("5 %", "ms"), ("a lot", "rate"), ("$", "usd"), ("1,2 ms", "ms")]
)
def test_a_figure_without_a_unit_is_none(text: str, unit: str) -> None:
    assert numbers.parse_figure(text, unit) is None


def test_sizes() -> None:
    assert [numbers.parse_size(text) for text in ("2GB", "1.5 kib", "77")] == [2 * 10**9, 1536, 77]
    with pytest.raises(UsageError, match="is not a size: type it like 500MB or 2GB"):
        numbers.parse_size("lots")
