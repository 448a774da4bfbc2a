"""From an alarm to the signal that people read: figures in words, and with what change it began."""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct

from voicetop.alerts.alarms import Alarm
from voicetop.alerts.arrays import Floats
from voicetop.alerts.signals import Signal
from voicetop.alerts.streams import Stream
from voicetop.engine.buckets import censored_quantile
from voicetop.engine.fold import Engine
from voicetop.engine.snapshot import NAN
from voicetop.engine.windows import METRIC
from voicetop.wire.events import Marker

DEPLOYS = frozenset({"deploy", "model_update", "prompt", "knowledge_base", "config", "campaign"})
NEAR_MARKER_S = 1800.0
LEAST_TURNS = 20


class Blamed(Struct, frozen=True):
    """The marker that a change began with, if any."""

    marker: str = ""
    version: str = ""
    lag_s: float = NAN


def signal_of(alarm: Alarm, stream: Stream, engine: Engine, blamed: Blamed, usual_ms: float) -> Signal:
    """`usual_ms` is the normal P95 of a latency, NaN of all else."""
    value, normal, unit, metric = _figures(alarm, stream, engine, usual_ms)
    times = (
        f" ({value / normal:.1f}× normal {_amount(normal, unit)})" if normal > 0 and unit != "score" else ""
    )
    return Signal(
        rule=alarm.stream,
        family=alarm.family,
        tier=alarm.tier,
        text=f"{metric} {_amount(value, unit)}{times}",
        onset=alarm.onset,
        where=alarm.where,
        value=value,
        normal=normal,
        unit=unit,
        n=round(alarm.trials),
        calls=max(0, round(alarm.came - alarm.expected)) if stream.model != "mean" else round(alarm.trials),
        stage=stream.stage,
        component=stream.component,
        version=alarm.version or blamed.version,
        marker=blamed.marker,
        marker_lag_s=blamed.lag_s,
        explains=alarm.explains,
        because=_because(alarm, stream),
        metric=metric,
    )


def _figures(alarm: Alarm, stream: Stream, engine: Engine, usual_ms: float) -> tuple[float, float, str, str]:
    """(value, normal, unit, metric)."""
    n = alarm.trials
    if stream.family == "latency" and usual_ms == usual_ms:
        now = _p95_now(alarm, stream, engine)
        if now == now:
            return now, usual_ms, "ms", f"P95 {stream.metric}"
    if stream.model == "arrivals":
        return alarm.came, alarm.expected, "calls", stream.metric
    if n <= 0:
        return NAN, NAN, stream.unit, stream.metric
    value, normal = alarm.came / n, alarm.expected / n
    if stream.num == "x:cost":
        return math.exp(value / 100) / 1e6, math.exp(normal / 100) / 1e6, "usd", "typical cost per call"
    if stream.num == "x:sentiment":
        return 5 - value / 100, 5 - normal / 100, "score", stream.metric
    if stream.num == "x:loud":
        return value / 100, normal / 100, "score", "loudness of callers (dBFS)"
    if stream.num == "x:rate":
        return value, normal, "score", "speech rate of callers (words a minute)"
    return value, normal, "rate", stream.metric


def _p95_now(alarm: Alarm, stream: Stream, engine: Engine) -> float:
    metric = stream.num.partition(":")[2]
    cells = engine.ledger.cells.matching(alarm.where)
    counts = engine.ledger.windows.histograms("5m", cells, len(engine.ledger.cells)).get(metric)
    if counts is None or int(counts.sum()) < LEAST_TURNS:
        return NAN
    return censored_quantile(counts, None, 0.95)[0]


def usual_p95(times: Floats, stream: Stream) -> float:
    """The normal P95 of a latency stream out of the baseline's times, ms; NaN of all others."""
    metric = METRIC.get(stream.num.partition(":")[2])
    if stream.family != "latency" or metric is None:
        return NAN
    counts = times[metric].astype(np.int64)
    return censored_quantile(counts, None, 0.95)[0] if counts.sum() >= LEAST_TURNS else NAN


def _because(alarm: Alarm, stream: Stream) -> str:
    if stream.model == "mean":
        return f"CUSUM over its learned threshold (n {round(alarm.trials)})"
    came = f"{alarm.came:.0f} where {alarm.expected:.1f} were expected of {round(alarm.trials)}"
    return f"{came}: CUSUM over its learned threshold"


def _amount(value: float, unit: str) -> str:
    if value != value:
        return "–"
    if unit == "ms":
        return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.0f} ms"
    if unit == "rate":
        return f"{100 * value:.1f} %"
    if unit == "usd":
        return f"${value:.3f}"
    return f"{value:.0f}" if unit == "calls" else f"{value:.1f}"


def near_markers(markers: list[Marker], onset: float) -> list[Marker]:
    """Changes in the world that may have begun it, the nearest first."""
    near = [one for one in markers if one.kind in DEPLOYS and abs(one.ts - onset) <= NEAR_MARKER_S]
    return sorted(near, key=lambda one: (abs(one.ts - onset), one.ts))
