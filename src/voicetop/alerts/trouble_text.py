"""A trouble in words, for the verdict, presets and timeline: figures and details.

P95 response 3,910 ms = 2.4× normal (n 312) · LLM +1,900 ms
"""

from __future__ import annotations

from typing import NamedTuple

from voicetop.alerts.incident_text import segment_text
from voicetop.engine.snapshot import Trouble
from voicetop.formatting import labels, numbers
from voicetop.formatting.labels import FIGURES
from voicetop.formatting.numbers import known, written
from voicetop.formatting.times import span


class _Measure(NamedTuple):
    """A trouble's metric, its unit, and whether it is compared as a multiple of normal."""

    metric: str
    unit: str
    times: bool = False


MEASURES = {
    "errors": _Measure(labels.errors(), "rate", times=True),
    "latency": _Measure(labels.latency("e2e"), "ms", times=True),
    "success": _Measure(FIGURES["success"], "rate"),
    "abandonment": _Measure(FIGURES["abandonment"], "rate"),
    "escalation": _Measure(FIGURES["escalation"], "rate"),
    "cost": _Measure(FIGURES["cost"], "usd", times=True),
    "sentiment": _Measure(FIGURES["sentiment"], "score"),
    "traffic": _Measure(FIGURES["arrivals"], "calls", times=True),
}
"""Troubles measured against a normal, by kind."""


def text(trouble: Trouble) -> str:
    """The figures with all details except the segment."""
    return " · ".join((headline(trouble), *details(trouble)))


def headline(trouble: Trouble) -> str:
    """What is wrong, in figures."""
    if trouble.kind == "waiting" and not trouble.value:
        return "callers were stuck until a moment ago"
    if trouble.kind == "waiting":
        return stuck_text(int(trouble.value), trouble.n, trouble.stage, trouble.line)
    if trouble.kind == "capacity":
        return capacity_text(int(trouble.value), int(trouble.line))
    if known(trouble.over_s) and trouble.kind in COUNTED:
        return _counted_text(trouble)
    _, unit, times = MEASURES.get(trouble.kind, _Measure(trouble.kind, ""))
    of = f" of {' × '.join(value for _, value in trouble.where)}" if trouble.local else ""
    value = f"{'≥ ' if trouble.at_least else ''}{written(trouble.value, unit)}"
    lately = f" in the last {span(trouble.over_s)}" if known(trouble.over_s) else ""
    n = f" (n {trouble.n:,})" if trouble.kind != "traffic" else ""
    return f"{metric(trouble)}{of}{lately} {value}{_against_normal(trouble, unit, times=times)}{n}"


def metric(trouble: Trouble) -> str:
    """The name of the figure: "P95 response", "P50 TTS", "errors"."""
    if trouble.kind == "latency":
        return labels.latency(trouble.figure or "e2e", "P50" if trouble.quantile == 0.5 else "P95")
    measure = MEASURES.get(trouble.kind)
    return measure.metric if measure is not None else trouble.kind


COUNTED = {
    "errors": ("call with an error", "calls with an error"),
    "traffic": ("call arrived", "calls arrived"),
}
"""What is counted while the figure itself doesn't show a change yet that is beyond doubt."""


def _counted_text(trouble: Trouble) -> str:
    """9 calls with an error in 20 s, 0.4 expected."""
    of = f" of {' × '.join(value for _, value in trouble.where)}" if trouble.local else ""
    what = numbers.counted(trouble.hits, *COUNTED[trouble.kind])
    expected = f"{trouble.expected:.0f}" if trouble.expected >= 10 else f"{trouble.expected:.1f}"
    return f"{what}{of} in {span(trouble.over_s)}, {expected} expected"


def recovered_text(trouble: Trouble, at: float) -> str:
    """What is normal again, since when, and what the longer figure still says."""
    lasts = span(max(0.0, at - trouble.recovered))
    if trouble.kind == "waiting":
        return f"no caller stuck for {lasts}"
    if trouble.kind == "errors":
        what = "no error" if not trouble.hits else "errors normal again"
        return f"{what} for {lasts} · {_still(trouble, '5-min error rate', 'rate')}"
    if trouble.kind == "latency":
        return f"replies normal again for {lasts} · {_still(trouble, f'5-min {metric(trouble)}', 'ms')}"
    if trouble.kind == "traffic":
        return f"calls arrive again for {lasts}"
    name, unit = metric(trouble), MEASURES.get(trouble.kind, _Measure(trouble.kind, "")).unit
    return f"{name} normal again for {lasts} · {_still(trouble, f'30-min {name}', unit)}"


def _still(trouble: Trouble, name: str, unit: str) -> str:
    normal = f", normal {written(trouble.normal, unit)}" if known(trouble.normal) else ""
    return f"{name} still {'≥ ' if trouble.at_least else ''}{written(trouble.value, unit)}{normal}"


def _against_normal(trouble: Trouble, unit: str, *, times: bool) -> str:
    normal = trouble.normal
    if not known(normal) or (times and normal <= 0):
        return ""
    normal_label = "its normal" if trouble.local else "normal"
    return (
        f" = {numbers.ratio(trouble.value / normal)} {normal_label}"
        if times
        else f", {normal_label} {written(normal, unit)}"
    )


def details(trouble: Trouble) -> list[str]:
    """The known details: most frequent error, stage with its growth, provider."""
    parts = [f"began with {trouble.marker}"] if trouble.marker else []
    if trouble.kind == "errors" and trouble.category:
        parts.append(f"mostly {labels.fault(trouble.stage, trouble.category)}")
    if trouble.stage_more_ms > 0:
        parts.append(f"{labels.stage(trouble.stage)} +{numbers.milliseconds(trouble.stage_more_ms)}")
    if trouble.provider:
        parts.append(f"provider {trouble.provider}")
    return parts


def segment(trouble: Trouble) -> str:
    """The segment that explains it; empty if fleet-wide, or named in the figures already."""
    return "" if trouble.local or not trouble.where else segment_text(trouble.where, trouble.explains)


def stuck_text(stuck: int, waiting: int, stage: str, over_s: float) -> str:
    """5 of 6 waiting callers stuck in LLM for over 8 s."""
    where = f" in {labels.stage(stage)}" if stage else ""
    return f"{stuck} of {waiting} waiting callers stuck{where} for over {span(over_s)}"


def capacity_text(live: int, limit: int) -> str:
    """412 live calls, 92 % of the tested limit of 450."""
    return f"{live} live calls, {100 * live / limit:.0f} % of the tested limit of {limit}"
