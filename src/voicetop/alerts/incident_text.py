"""An incident in words: figures in their unit, with their n, and who is to blame.

P95 e2e 3.9 s (2.4× normal 1.6 s, n 312) · 82 % in LLM · billing × es × v42 explain 91 % · began 40 s after deploy v42

The text before the blame is the detector's; what follows is made here, for all of them alike.
"""

from __future__ import annotations

from collections.abc import Callable

from voicetop.alerts.signals import Signal

STAGES = {
    "stt": "ASR", "eou": "endpointing", "llm": "LLM", "llm_ttft": "LLM", "tool": "tools", "tts": "TTS",
    "tts_ttfb": "TTS", "vad": "VAD", "output": "output",
}  # fmt: skip


def stage_word(name: str) -> str:
    """A stage or component as people say it: "llm_ttft" is LLM."""
    return STAGES.get(name, name)


def milliseconds(value: float) -> str:
    """820 → "820 ms", 3910 → "3.9 s"."""
    return f"{value:,.0f} ms" if abs(value) < 995 else f"{value / 1000:,.1f} s"


def percent(share: float) -> str:
    """0.041 → "4.1 %"."""
    return f"{100 * share:.1f} %" if 100 * share < 99.95 else "100 %"


def dollars(value: float) -> str:
    return f"${value:,.3f}" if abs(value) < 1 else f"${value:,.2f}"


def calls(value: float) -> str:
    return f"{value:,.0f}"


WRITE: dict[str, Callable[[float], str]] = {
    "ms": milliseconds,
    "rate": percent,
    "usd": dollars,
    "calls": calls,
    "score": lambda value: f"{value:.1f}",
    "dbfs": lambda value: f"{value:.1f} dBFS".replace("-", "−"),
    "wpm": lambda value: f"{value:.0f} words a minute",
    "s": lambda value: f"{value:.0f} s",
}


def written(value: float, unit: str) -> str:
    """A figure in its unit; "–" where it isn't known."""
    if value != value:
        return "–"
    write = WRITE.get(unit)
    return write(value) if write is not None else f"{value:,.3g}"


_NO_RATIO = frozenset({"score", "dbfs"})
"""Units of scales whose zero means nothing: a sentiment of 4 is not twice one of 2."""


def compared(signal: Signal) -> str:
    """(2.4× normal 1.6 s, n 312): what a figure is against its normal, and what it rests on."""
    parts = []
    if signal.normal == signal.normal:
        parts.append(f"{_times(signal)}normal {written(signal.normal, signal.unit)}")
    if signal.n:
        parts.append(f"n {signal.n:,}")
    return f"({', '.join(parts)})" if parts else ""


def _times(signal: Signal) -> str:
    if signal.unit in _NO_RATIO or not (signal.normal > 0 and signal.value > 0):
        return ""
    return f"{signal.value / signal.normal:.1f}× "


def in_text(signal: Signal) -> str:
    """P95 e2e 3.9 s (2.4× normal 1.6 s): the figure alone, where few words have to do."""
    figure = f"{signal.metric} {written(signal.value, signal.unit)}"
    if signal.normal != signal.normal:
        return figure
    return f"{figure} ({_times(signal)}normal {written(signal.normal, signal.unit)})"


def span(seconds: float) -> str:
    """40 → "40 s", 600 → "10 min", 7200 → "2.0 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def blame_line(signal: Signal) -> str:
    """In numbers, then which stage or component, which segment or "global", and since which marker.

    A figure that the text has and nothing is compared with is not said twice.
    """
    figure = written(signal.value, signal.unit) if signal.value == signal.value else ""
    if not compared(signal) and figure in signal.text:
        figure = ""
    head = " ".join(part for part in (signal.metric, figure, compared(signal)) if part)
    calls = f"{signal.calls:,} call{'s' * (signal.calls != 1)}" if signal.calls else ""
    parts = (head, _stage(signal), _segment(signal), calls, _began(signal))
    return " · ".join(part for part in parts if part)


def in_short(signal: Signal) -> list[str]:
    """What the verdict says besides the text: the stage's share, the segment and the marker, where they are known."""
    whose = f"provider {signal.provider}" if signal.provider and signal.provider not in signal.text else ""
    share = _stage(signal) if signal.stage_share == signal.stage_share else whose
    segment = _segment(signal) if signal.where else ""
    return [part for part in (share, segment, _began(signal)) if part]


def _began(signal: Signal) -> str:
    if not signal.marker:
        return ""
    lag = f" {span(signal.marker_lag_s)} after" if signal.marker_lag_s > 0 else " with"
    return f"began{lag} {signal.marker}"


def _stage(signal: Signal) -> str:
    """The stage with its share of the excess, or the component, and whose."""
    who = stage_word(signal.stage or signal.component)
    if not who:
        return signal.provider
    share = f"{100 * signal.stage_share:.0f} % in " if signal.stage_share == signal.stage_share else "in "
    return f"{share}{who}{f' of {signal.provider}' if signal.provider else ''}"


def _segment(signal: Signal) -> str:
    if not signal.where:
        return "global"
    values = " × ".join(value for _, value in signal.where)
    if signal.explains != signal.explains:
        return values
    return f"{values} explain{'s' * (len(signal.where) == 1)} {100 * signal.explains:.0f} %"
