"""Formats and parses numbers: one way for each kind, on every screen, in alerts, messages, exports and the CLI.

An unknown value (NaN) is a dash. Rates are shares (0–1), written in percent.

Latencies are whole milliseconds with a thousands separator, "3,910 ms", in tables and in sentences alike: thresholds
are set in milliseconds, and 1,630 against 2,445 says more than 1.6 s against 2.4 s. From 10 s on nobody compares the
milliseconds, so they are seconds: "12.4 s". How long something has lasted is a duration (`times.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from voicetop.errors import UsageError

DASH = "–"
LONG_MS = 9_999.5
"""From here on latencies are in seconds."""
_SIZES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZES |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_NUMBER = re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")


def known(value: float) -> bool:
    """Whether there is a value: an unknown one is NaN, which doesn't equal itself."""
    return value == value


# -- written ---------------------------------------------------------------------------------------------------------


def milliseconds(value: float) -> str:
    """A latency: 742 → "742 ms", 3910 → "3,910 ms", 12400 → "12.4 s"."""
    if not known(value):
        return DASH
    return f"{value:,.0f} ms" if abs(value) < LONG_MS else f"{value / 1000:,.1f} s"


def bare_ms(value: float) -> str:
    """Milliseconds without the unit, which is shown nearby."""
    return count(value)


def axis_ms(value: float) -> str:
    """A round number on a chart's axis: 800 → "800 ms", 2500 → "2.5 s"."""
    return f"{value / 1000:g} s" if value >= 1000 else f"{value:g} ms"


def percent(share: float) -> str:
    """0.0412 → "4.1 %"; 1 → "100 %"."""
    if not known(share):
        return DASH
    return f"{share * 100:.1f} %" if share < 0.9995 else f"{share * 100:.0f} %"


def whole_percent(share: float) -> str:
    """A share without decimals: 0.824 → "82 %"."""
    return f"{share * 100:.0f} %" if known(share) else DASH


def axis_percent(share: float) -> str:
    """A share on a chart's axis: 0.05 → "5 %"."""
    return f"{share * 100:.3g} %"


def axis_dollars(value: float) -> str:
    """Dollars on a chart's axis: 0.05 → "$0.05"."""
    return f"${value:.3g}"


def axis_plain(value: float) -> str:
    """Any other number on a chart's axis."""
    return f"{value:,.4g}"


def dollars(value: float) -> str:
    """0.0912 → "$0.091", 12.3 → "$12.30"."""
    if not known(value):
        return DASH
    return f"${value:,.3f}" if abs(value) < 1 else f"${value:,.2f}"


def cents(value: float) -> str:
    """Dollars for a column: 0.138 → "$0.14"."""
    return f"${value:,.2f}" if known(value) else DASH


def plain(value: float) -> str:
    """A score: 3.84 → "3.8"."""
    return f"{value:.1f}" if known(value) else DASH


def count(value: float) -> str:
    """12345 → "12,345"."""
    return f"{value:,.0f}" if known(value) else DASH


def short_count(number: int, most: int = 10_000) -> str:
    """A count for a narrow column, in full below `most`: 3778 → "3,778" or "3.8k", 14210 → "14k", 2300000 → "2.3M"."""
    if number < most:
        return f"{number:,}"
    if number < 9_950:
        return f"{number / 1000:.1f}k"
    return f"{number / 1000:.0f}k" if number < 999_500 else f"{number / 1e6:.1f}M"


def counted(number: int, noun: str, plural: str = "") -> str:
    """1 → "1 call", 3000 → "3,000 calls"; `plural` for irregular nouns."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def ratio(value: float) -> str:
    """2.38 → "2.4×", 23.8 → "24×"; empty if unknown."""
    if not known(value):
        return ""
    return f"{value:.1f}×" if value < 10 else f"{value:.0f}×"


_WRITERS: dict[str, Callable[[float], str]] = {
    "ms": milliseconds,
    "rate": percent,
    "usd": dollars,
    "calls": count,
    "score": plain,
    "dbfs": lambda value: f"{value:.1f} dBFS".replace("-", "−"),
    "wpm": lambda value: f"{value:.0f} words per minute",
    "s": lambda value: f"{value:.0f} s",
}


def written(value: float, unit: str) -> str:
    """A figure with its unit."""
    if not known(value):
        return DASH
    write = _WRITERS.get(unit)
    return write(value) if write is not None else f"{value:,.3g}"


# -- read ------------------------------------------------------------------------------------------------------------

_SIGNS: dict[str, tuple[tuple[str, float], ...]] = {
    "ms": (("ms", 1.0), ("s", 1000.0)),
    "rate": (("%", 0.01),),
    "usd": (("$", 1.0),),
}


def parse_figure(text: str, unit: str) -> float | None:
    """A figure with its unit, in the base of `unit`; None for anything else.

    >>> parse_figure("2.7 s", "ms"), parse_figure("3,910 ms", "ms"), parse_figure("$0.20", "usd")
    (2700.0, 3910.0, 0.2)
    """
    text = text.strip()
    for sign, factor in _SIGNS.get(unit, ()):
        number = text.removeprefix(sign).removesuffix(sign).strip()
        if number != text and _NUMBER.fullmatch(number):
            return float(number.replace(",", "")) * factor
    return None


def parse_size(text: str) -> int:
    """Parse a size in bytes. Raises UsageError.

    >>> parse_size("2GB"), parse_size("512 MiB")
    (2000000000, 536870912)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip(), re.IGNORECASE)
    if not match or match[2].upper() not in _SIZES:
        raise UsageError(f"{text!r} is not a size: type it like 500MB or 2GB")
    return int(float(match[1]) * _SIZES[match[2].upper()])
