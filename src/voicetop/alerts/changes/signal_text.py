"""From an alarm to a readable signal: figures in words, and the change it began with."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from msgspec import Struct, structs

from voicetop.alerts.changes.alarms import Alarm
from voicetop.alerts.changes.array_codec import Floats
from voicetop.alerts.changes.baseline import Baseline
from voicetop.alerts.changes.streams import STAGES, MonitoredRate
from voicetop.alerts.incident_text import short_text
from voicetop.alerts.signals import Signal
from voicetop.engine import normals
from voicetop.engine.attribution import stages
from voicetop.engine.engine import Engine
from voicetop.engine.snapshot import NAN, Figure
from voicetop.engine.windows.buckets import EDGES, censored_quantile
from voicetop.engine.windows.histograms import METRIC, Histogram
from voicetop.formatting import labels
from voicetop.formatting.numbers import known, milliseconds

MIN_TURNS = 20


class AttributedChange(Struct, frozen=True):
    """The marker that a change began with, if any."""

    marker: str = ""
    version: str = ""
    lag_s: float = NAN


def signal_of(
    alarm: Alarm, stream: MonitoredRate, engine: Engine, blamed: AttributedChange, baseline: Baseline
) -> Signal:
    """The signal of an alarm."""
    figure = _figure(alarm, stream, engine, baseline)
    stage, share = _stage(alarm, stream, engine, baseline)
    signal = Signal(
        rule=alarm.stream,
        family=alarm.family,
        tier=alarm.tier,
        text="",
        onset=alarm.began,
        earliest=alarm.earliest,
        latest=alarm.latest,
        where=alarm.where,
        value=figure.value,
        at_least=figure.at_least,
        normal=figure.normal,
        unit=figure.unit,
        n=0 if stream.model == "arrivals" else round(alarm.trials),
        calls=max(0, round(alarm.came - alarm.expected)) if stream.model != "mean" else round(alarm.trials),
        stage=stage,
        component=stream.component,
        stage_share=share,
        version=alarm.version or blamed.version,
        marker=blamed.marker,
        marker_lag_s=blamed.lag_s,
        explains=alarm.explains,
        because=_because(alarm, stream),
        metric=figure.metric,
        low_is_bad=stream.low_is_bad,
    )
    return structs.replace(signal, text=short_text(signal))


class _Figure(NamedTuple):
    value: float
    normal: float
    unit: str
    metric: str
    at_least: bool = False


def _figure(alarm: Alarm, stream: MonitoredRate, engine: Engine, baseline: Baseline) -> _Figure:
    """The headline figure: a P95 if there are enough turns, else the share of trials that were hit."""
    n = alarm.trials
    if stream.family == "latency":
        now, normal = _current_p95(alarm, stream, engine), normal_p95(baseline.times, stream)
        if not now.few and known(normal):
            name = labels.latency(stream.num.partition(":")[2])
            return _Figure(now.value, normal, "ms", name, now.at_least)
        limit = milliseconds(float(EDGES[baseline.lines[stream.num.partition(":")[2]]]))
        share, expected_share = (alarm.came / n, alarm.expected / n) if n > 0 else (NAN, NAN)
        return _Figure(share, expected_share, "rate", f"turns with {stream.metric} over {limit}")
    if stream.model == "arrivals":
        return _Figure(alarm.came, alarm.expected, stream.unit, stream.metric)
    if n <= 0:
        return _Figure(NAN, NAN, stream.unit, stream.metric)
    value, normal = alarm.came / n, alarm.expected / n
    return _Figure(stream.scale(value), stream.scale(normal), stream.unit, stream.metric)


def _current_p95(alarm: Alarm, stream: MonitoredRate, engine: Engine) -> Figure:
    """As the panels show it: e2e with the callers who wait."""
    name, now = stream.num.partition(":")[2], _current_histograms(alarm, engine)
    waits = None
    if name == "e2e":
        cells = engine.ledger.cells.matching(alarm.scope)
        waiting = engine.waits.waiting_calls(engine.roster.live.values(), cells)
        waits = engine.waits.histogram(waiting) + now.get("waited", 0)
    return normals.percentile(now.get(name, normals.NOTHING), waits, 0.95)


def _current_histograms(alarm: Alarm, engine: Engine) -> dict[str, Histogram]:
    cells = engine.ledger.cells.matching(alarm.scope)
    return engine.ledger.windows.histograms("5m", cells, len(engine.ledger.cells))


def normal_p95(times: Floats, stream: MonitoredRate) -> float:
    """Normal P95 of a latency stream from the baseline's times, ms; NaN for all others."""
    metric = METRIC.get(stream.num.partition(":")[2])
    if stream.family != "latency" or metric is None:
        return NAN
    counts = times[metric].astype(np.int64)
    return censored_quantile(counts, None, 0.95)[0] if counts.sum() >= MIN_TURNS else NAN


def _stage(alarm: Alarm, stream: MonitoredRate, engine: Engine, baseline: Baseline) -> tuple[str, float]:
    """The stage, and for a slow e2e its share of the mean turn's excess time; "" if none stands out."""
    if stream.family != "latency" or stream.stage:
        return stream.stage, NAN
    normal_times = {name: baseline.times[number] for name, number in METRIC.items()}
    cause = stages.culprit(_current_histograms(alarm, engine), normal_times)
    return STAGES.get(cause.stage, ""), cause.share


def _because(alarm: Alarm, stream: MonitoredRate) -> str:
    if stream.model == "mean":
        return f"CUSUM over its learned threshold (n {round(alarm.trials)})"
    hits = f"{alarm.came:.0f} where {alarm.expected:.1f} were expected among {round(alarm.trials)}"
    if stream.model == "arrivals":
        hits = f"{alarm.came:.0f} where {alarm.expected:.0f} were expected"
    return f"{hits}: CUSUM over its learned threshold"
