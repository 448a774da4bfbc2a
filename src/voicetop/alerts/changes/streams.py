"""The monitored streams: each is a number of hits among trials, or a mean over trials, cell by cell.

A stream names its trials (`den`) and its hits (`num`) by the kinds of `readings.py`. Rates are tilted by odds, means by
standard deviations: `tilts` are the sizes of change to detect, smallest first. Names of components, categories and
steps come from the feed; nothing here is specific to a fleet.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from voicetop.alerts.signals import Family
from voicetop.formatting import labels
from voicetop.formatting.labels import FIGURES

Model = Literal["rate", "mean", "arrivals"]
STAGES = {"e2e": "", "stt": "stt", "eou": "eou", "llm_ttft": "llm", "tool": "tool", "tts_ttfb": "tts"}
"""Monitored latencies: window metric to the stage named in signals."""
TILTS = 3
ARRIVALS = "traffic"
"""Name of the stream of arriving calls."""


class MonitoredRate(Struct, frozen=True):
    """`scanned`: segments are monitored separately. `hold_s`: how long a change must last (so that a 45 s latency blip
    is none). `unit` and `metric` are for text; `scale` converts the monitored mean to that unit.
    """

    name: str
    family: Family
    model: Model
    den: str
    num: str
    tilts: tuple[float, float, float]
    metric: str
    unit: str = "rate"
    stage: str = ""
    component: str = ""
    scanned: bool = False
    hold_s: float = 0.0
    prior: float = 0.01
    deep: int = 3
    """Maximum number of segment values in a conjunction monitored separately."""
    scale: Callable[[float], float] = float
    days: float = 600.0
    """Mean days between false alarms (ARL0)."""
    low_is_bad: bool = False
    """Of the figure as it is shown."""


def of_kinds(kinds: list[str]) -> list[MonitoredRate]:
    """The streams that these reading kinds support, in an order that depends on the names alone."""
    available = set(kinds)
    streams = [stream for stream in _FIXED if stream.den in available and (stream.num in available)]
    for metric, stage in STAGES.items():
        if f"n:{metric}" in available:
            streams.append(_latency(metric, stage))
    streams += [_fault(kind) for kind in sorted(kinds) if kind.startswith("fault:")]
    for kind in sorted(kinds):
        family, _, step = kind.partition(":")
        if family == "hangup" and f"step:{step}" in available:
            streams.append(_hangups(step))
    return streams


def _latency(metric: str, stage: str) -> MonitoredRate:
    words = f"{labels.stage(stage)} latency" if stage else "response time"
    return MonitoredRate(
        f"latency.{stage or metric}", "latency", "rate", f"n:{metric}", f"o:{metric}", (4.0, 8.0, 20.0), words,
        stage=stage, component=stage, scanned=True, hold_s=45.0, prior=0.1,
    )  # fmt: skip


def _fault(kind: str) -> MonitoredRate:
    _, component, category = kind.split(":", 2)
    words = labels.errors(component, category)
    return MonitoredRate(
        f"errors.{component}.{category}", "errors", "rate", "turns", kind, (4.0, 20.0, 120.0), words,
        stage=component, component=component, scanned=True,
    )  # fmt: skip


def _hangups(step: str) -> MonitoredRate:
    words = f"hang-ups at {labels.words(step)}"
    return MonitoredRate(
        f"abandonment.{step}",
        "abandonment",
        "rate",
        f"step:{step}",
        f"hangup:{step}",
        (2.5, 6.0, 20.0),
        words,
    )


_FIXED = (
    MonitoredRate("errors", "errors", "rate", "turns", "fault", (6.0, 20.0, 80.0), "errors", scanned=True),
    MonitoredRate("success", "success", "rate", "known", "failed", (1.6, 2.5, 6.0), "failed calls", scanned=True),
    MonitoredRate("escalation", "escalation", "rate", "talked", "escalated", (1.7, 3.0, 8.0), FIGURES["escalation"]),
    MonitoredRate("abandonment", "abandonment", "rate", "ended", "hangup", (1.7, 3.0, 8.0), FIGURES["abandonment"]),
    MonitoredRate("cost", "cost", "mean", "cost", "x:cost", (0.5, 1.0, 2.0), f"typical {FIGURES['cost']}",
                  unit="usd", scale=lambda centi_log: math.exp(centi_log / 100) / 1e6),
    MonitoredRate("sentiment", "sentiment", "mean", "sentiments", "x:sentiment", (0.25, 0.5, 1.0), "sentiment",
                  unit="score", scale=lambda less: 5 - less / 100, scanned=True, deep=1, low_is_bad=True),
    MonitoredRate("frustration.rate", "frustration", "mean", "v:rate", "x:rate", (0.5, 0.8, 1.4),
                  "callers' speech rate", unit="wpm"),
    MonitoredRate("frustration.loudness", "frustration", "mean", "v:loud", "x:loud", (0.5, 0.8, 1.4),
                  "callers' loudness", unit="dbfs", scale=lambda centi: centi / 100),
    MonitoredRate("frustration.calls", "frustration", "rate", "ended", "moody", (2.0, 4.0, 10.0), "frustrated callers"),
    MonitoredRate(ARRIVALS, "traffic", "arrivals", "expected", "started", (0.6, 0.35, 0.1), "calls arriving",
                  unit="calls", days=120.0, low_is_bad=True),
)  # fmt: skip
