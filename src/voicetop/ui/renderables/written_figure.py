"""Formats a figure for a panel: value, judgement and comparison with normal.

What rests on too little says so ("too few (n=12)"), and what is only a lower bound, since callers still wait, is marked
"≥".
"""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from typing import NamedTuple

from voicetop.engine.snapshot import Figure
from voicetop.formatting.numbers import ratio


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


def write_figure(
    figure: Figure, write: Callable[[float], str], *, low_is_bad: bool = False, troubled: bool = False
) -> WrittenFigure:
    """Write a figure with what was judged of it: by the verdict where it speaks of it (`troubled`), or by itself."""
    if figure.few and figure.n:
        return WrittenFigure(f"too few (n={figure.n:,})", "·", "", "muted", "", _normal(figure, write))
    value = ("≥ " if figure.at_least else "") + write(figure.value)
    judged = judge(figure, low_is_bad=low_is_bad, troubled=troubled)
    return WrittenFigure(value, *judged, ratio(figure.ratio), _normal(figure, write))


def judge(figure: Figure, *, low_is_bad: bool = False, troubled: bool = False) -> tuple[str, str, str]:
    """Glyph, word and tone of a figure. Without a threshold and a normal, or where a value beyond its threshold may be
    chance, it is shown and not judged.
    """
    if figure.few or not figure.known:
        return UNJUDGED
    if troubled or figure.off:
        return LOW if low_is_bad else HIGH
    if figure.value < figure.warn if low_is_bad else figure.value > figure.warn:
        return UNJUDGED
    return FINE if figure.normal.known or not isnan(figure.warn) else UNJUDGED


def _normal(figure: Figure, write: Callable[[float], str]) -> str:
    return write(figure.normal.value) if figure.normal.known else ""


def plus_minus(figure: Figure) -> str:
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
