"""How figures are written: one way for each kind, everywhere.

What isn't known is a dash, what rests on too little says so ("n 12, too few"), and what is only a lower bound, since
callers still wait, is marked "≥". Rates come as shares (0–1) and are written in percent.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from math import isnan
from typing import NamedTuple

from voicetop.engine.snapshot import Figure

DASH = "–"
HOUR = 3600
DAY = 86400


def milliseconds(value: float) -> str:
    """742 → "742 ms", 3910 → "3,910 ms"."""
    return DASH if isnan(value) else f"{value:,.0f} ms"


def bare_ms(value: float) -> str:
    """The same without its unit, where the unit stands nearby."""
    return DASH if isnan(value) else f"{value:,.0f}"


def seconds_of_ms(value: float) -> str:
    """8130 ms → "8.1 s": for columns where a glance must do."""
    return seconds(value / 1000)


def seconds(value: float) -> str:
    """11.23 → "11.2 s", 734 → "12:14"."""
    if isnan(value):
        return DASH
    return f"{value:.1f} s" if value < 100 else age(value)


def percent(share: float) -> str:
    """0.0412 → "4.1 %"; 1 → "100 %"."""
    if isnan(share):
        return DASH
    return f"{share * 100:.1f} %" if share < 0.9995 else f"{share * 100:.0f} %"


def dollars(value: float) -> str:
    """0.0912 → "$0.091", 12.3 → "$12.30"."""
    if isnan(value):
        return DASH
    return f"${value:,.3f}" if abs(value) < 1 else f"${value:,.2f}"


def cents(value: float) -> str:
    """Dollars for a column: 0.138 → "$0.14"."""
    return DASH if isnan(value) else f"${value:,.2f}"


def plain(value: float) -> str:
    """A score: 3.84 → "3.8"."""
    return DASH if isnan(value) else f"{value:.1f}"


def count(value: float) -> str:
    return DASH if isnan(value) else f"{value:,.0f}"


def age(value: float) -> str:
    """Seconds as a stopwatch shows them: 252 → "4:12", 4000 → "1:06:40", 200000 → "2 d 7 h"."""
    if isnan(value):
        return DASH
    whole = max(0, int(value))
    if whole < HOUR:
        return f"{whole // 60}:{whole % 60:02d}"
    if whole < DAY:
        return f"{whole // HOUR}:{whole % HOUR // 60:02d}:{whole % 60:02d}"
    return f"{whole // DAY} d {whole % DAY // HOUR} h"


def span(value: float) -> str:
    """Seconds in words: 11 → "11 s", 372 → "6 min", 9000 → "2.5 h"."""
    if isnan(value):
        return DASH
    if value < 90:
        return f"{max(0.0, value):.0f} s"
    if value < 90 * 60:
        return f"{value / 60:.0f} min"
    return f"{value / HOUR:.1f} h" if value < 2 * DAY else f"{value / DAY:.0f} d"


def long_span(value: float) -> str:
    """Seconds in full, for how far behind: 142 → "2 min 22 s"."""
    whole = max(0, int(value))
    if whole < 60:
        return f"{whole} s"
    return (
        f"{whole // 60} min {whole % 60} s" if whole < HOUR else f"{whole // HOUR} h {whole % HOUR // 60} min"
    )


def clock(at: float, *, utc: bool, seconds: bool = True) -> str:
    """A moment as a clock shows it."""
    if isnan(at):
        return DASH
    moment = datetime.fromtimestamp(at, UTC) if utc else datetime.fromtimestamp(at).astimezone()
    return moment.strftime("%H:%M:%S" if seconds else "%H:%M")


def day(at: float, *, utc: bool) -> str:
    """The date of a moment."""
    if isnan(at):
        return DASH
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment if utc else moment.astimezone():%Y-%m-%d}"


def zone(at: float, *, utc: bool) -> str:
    """The name of the clock: "UTC" or what the machine calls its own."""
    if utc or isnan(at):
        return "UTC"
    return datetime.fromtimestamp(at).astimezone().strftime("%Z")


def ratio(value: float) -> str:
    """2.38 → "2.4×", 23.8 → "24×"."""
    if isnan(value):
        return ""
    return f"{value:.1f}×" if value < 10 else f"{value:.0f}×"


class WrittenFigure(NamedTuple):
    """A figure ready to paint: its value, its judgement (glyph, word, tone) and its comparison with normal."""

    value: str
    glyph: str
    word: str
    tone: str
    ratio: str
    normal: str


UNJUDGED = ("", "", "text")
FINE = ("●", "ok", "ok")
HIGH = ("▲", "high", "degraded")
LOW = ("▼", "low", "degraded")


def read(
    figure: Figure, write: Callable[[float], str], *, low_is_bad: bool = False, troubled: bool = False
) -> WrittenFigure:
    """Write a figure and judge it: by the verdict where it speaks of it (`troubled`), else by its warning line."""
    if figure.few:
        return WrittenFigure(f"n {figure.n:,}, too few", "·", "", "muted", "", _normal(figure, write))
    value = ("≥ " if figure.at_least else "") + write(figure.value)
    judged = judge(figure, low_is_bad=low_is_bad, troubled=troubled)
    return WrittenFigure(value, *judged, ratio(figure.ratio), _normal(figure, write))


def judge(figure: Figure, *, low_is_bad: bool = False, troubled: bool = False) -> tuple[str, str, str]:
    """Glyph, word and tone of a figure. Without a line to cross and a normal it is shown and not judged."""
    if figure.few or not figure.known:
        return UNJUDGED
    over = figure.value < figure.warn if low_is_bad else figure.value > figure.warn
    if troubled or over:
        return LOW if low_is_bad else HIGH
    return FINE if figure.normal.known or not isnan(figure.warn) else UNJUDGED


def _normal(figure: Figure, write: Callable[[float], str]) -> str:
    return write(figure.normal.value) if figure.normal.known else ""


def interval(figure: Figure) -> str:
    """Half the width of a rate's 95 % interval, in points of percent: "±2.1"; empty where it isn't known."""
    if isnan(figure.low) or isnan(figure.high) or figure.few:
        return ""
    return f"±{(figure.high - figure.low) * 50:.1f}"


def derivation(figure: Figure, write: Callable[[float], str]) -> str:
    """Where a warning line comes from: "warn 2,445 = 1.5 × normal 1,630", or "warn 2,000 by rule slow"."""
    if isnan(figure.warn):
        return ""
    if figure.rule:
        return f"warn {write(figure.warn)} by rule {figure.rule}"
    if not figure.normal.known or not figure.normal.value:
        return f"warn {write(figure.warn)}"
    return f"warn {write(figure.warn)} = {figure.warn / figure.normal.value:.1f} × normal {write(figure.normal.value)}"
