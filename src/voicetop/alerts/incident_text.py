"""An incident in words: figures with unit and n, and the culprit.

P95 response 3,910 ms (2.4× normal 1,630 ms, n 312) · 82 % in LLM · billing × es explain 91 % · began 40 s after v42

The detector writes the text before the blame; everything after it is written here, alike for all detectors.
"""

from __future__ import annotations

from voicetop.alerts.signals import Signal
from voicetop.engine.snapshot import IncidentFigure, Where
from voicetop.formatting import labels, numbers, times
from voicetop.formatting.numbers import known, written

_NO_RATIO = frozenset({"score", "dbfs"})
"""Units of scales whose zero means nothing: a sentiment of 4 is not twice one of 2."""


def compared(signal: Signal) -> str:
    """(2.4× normal 1,630 ms, n 312): a figure against its normal, and its n."""
    parts = []
    if known(signal.normal):
        parts.append(f"{_times_normal(signal)}normal {written(signal.normal, signal.unit)}")
    if signal.n:
        parts.append(f"n {signal.n:,}")
    return f"({', '.join(parts)})" if parts else ""


def times_normal(figure: Signal | IncidentFigure) -> str:
    """2.4×: a figure as a multiple of its normal; empty where that means nothing."""
    if figure.unit in _NO_RATIO or not (figure.normal > 0 and figure.value > 0):
        return ""
    return numbers.ratio(figure.value / figure.normal)


def _times_normal(signal: Signal) -> str:
    times = times_normal(signal)
    return f"{times} " if times else ""


def figure_text(signal: Signal | IncidentFigure) -> str:
    """3,910 ms, or ≥ 3,910 ms."""
    return f"{'≥ ' if signal.at_least else ''}{written(signal.value, signal.unit)}"


def short_text(signal: Signal) -> str:
    """P95 response 3,910 ms (2.4× normal 1,630 ms): the figure alone, in short."""
    figure = f"{signal.metric} {figure_text(signal)}"
    if not known(signal.normal):
        return figure
    return f"{figure} ({_times_normal(signal)}normal {written(signal.normal, signal.unit)})"


def course_of(
    fired: IncidentFigure, worst: IncidentFigure | None, last: IncidentFigure, *, over: bool = True
) -> str:
    """What became of the figure that fired: "worst 5.1×, last 1.3×", or "now" until it is `over`; empty if unknown."""
    parts = [("worst", worst), ("last" if over else "now", last)]
    return ", ".join(
        f"{name} {brief(figure, fired)}" for name, figure in parts if figure and known(figure.value)
    )


def brief(figure: IncidentFigure, fired: IncidentFigure) -> str:
    """2.4×, or the value if a multiple of its normal says little; in full if it measures something else."""
    if not figure.comparable(fired):
        return figure.text
    return multiple(figure, fired) or figure_text(figure)


def multiple(figure: IncidentFigure, fired: IncidentFigure) -> str:
    """2.4×, for figures that are the worse the higher; else empty."""
    return times_normal(figure) if fired.value > fired.normal else ""


def blame_line(signal: Signal) -> str:
    """Figures, then the stage or component, the segment or "all segments", and the marker.

    A figure without a comparison isn't repeated if the text has it.
    """
    figure = figure_text(signal) if known(signal.value) else ""
    if not compared(signal) and figure in signal.text:
        figure = ""
    head = " ".join(part for part in (signal.metric, figure, compared(signal)) if part)
    calls = numbers.counted(signal.calls, "call") if signal.calls else ""
    parts = (head, _stage(signal), segment_text(signal.where, signal.explains), calls, _began(signal))
    return " · ".join(part for part in parts if part)


def verdict_parts(signal: Signal) -> list[str]:
    """What the verdict says besides text and segment: the stage's share and the marker, if known."""
    provider = f"provider {signal.provider}" if signal.provider and signal.provider not in signal.text else ""
    share = _stage(signal) if known(signal.stage_share) else provider
    return [part for part in (share, _began(signal)) if part]


def _began(signal: Signal) -> str:
    if not signal.marker:
        return ""
    lag = f" {times.span(signal.marker_lag_s)} after" if signal.marker_lag_s > 0 else " with"
    return f"began{lag} {signal.marker}"


def _stage(signal: Signal) -> str:
    """The stage with its share of the excess, or the component, with its provider."""
    component = labels.stage(signal.stage or signal.component)
    if not component:
        return signal.provider
    share = f"{numbers.whole_percent(signal.stage_share)} in " if known(signal.stage_share) else "in "
    return f"{share}{component}{f' of {signal.provider}' if signal.provider else ''}"


def segment_text(where: Where, explains: float) -> str:
    """The segment: "billing × es explain 91 %", without the share if unknown; "all segments" if fleet-wide."""
    if not where:
        return "all segments"
    values = " × ".join(value for _, value in where)
    if not known(explains):
        return values
    return f"{values} explain{'s' * (len(where) == 1)} {numbers.whole_percent(explains)}"
