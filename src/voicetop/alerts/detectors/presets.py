"""Signals from the verdict's troubles while the detectors still learn, so that a new hub still reports an outage.

The verdict (`engine.judge`) compares with what the windows hold already, and has a preset for errors without any
normal. It is less precise than a learned threshold and is ignored once there is one.
"""

from __future__ import annotations

from typing import cast

from voicetop.alerts import trouble_text
from voicetop.alerts.signals import Family, Signal
from voicetop.engine import thresholds
from voicetop.engine.engine import Engine
from voicetop.engine.snapshot import NAN, Normal, Trouble

_SIGNIFICANT = "significantly different from its normal"
_BECAUSE = {
    "errors": f"significantly above its normal, or above {100 * thresholds.ERRORS.unlearned:.0f} % where none is known",
    "traffic": f"{thresholds.FEW_CALLS:g} × the calls expected at this hour",
    "cost": f"{thresholds.COST.times:g} × normal",
    "sentiment": f"{thresholds.SENTIMENT.more:g} below normal",
}
_THRESHOLDS = {
    "errors": thresholds.ERRORS, "latency": thresholds.LATENCY, "success": thresholds.SUCCESS,
    "abandonment": thresholds.ABANDONMENT, "escalation": thresholds.ESCALATION, "cost": thresholds.COST,
    "sentiment": thresholds.SENTIMENT, "traffic": thresholds.TRAFFIC,
}  # fmt: skip


def signals(engine: Engine) -> list[Signal]:
    """Troubles of this mark that are measured against a normal; the others have detectors without one."""
    return [
        _signal(active.trouble, active.since)
        for _, active in sorted(engine.judge.standing.items())
        if active.trouble.kind in trouble_text.MEASURES and active.on
    ]


def _because(trouble: Trouble) -> str:
    if trouble.kind == "latency":
        return f"{_threshold(trouble).times:g} × normal"
    return _BECAUSE.get(trouble.kind, _SIGNIFICANT)


def _threshold(trouble: Trouble) -> thresholds.Threshold:
    if trouble.kind == "latency" and trouble.figure not in ("", "e2e"):
        return thresholds.STAGE
    local_latency = trouble.local and trouble.kind == "latency"
    return thresholds.SEGMENT_LATENCY if local_latency else _THRESHOLDS[trouble.kind]


def _signal(trouble: Trouble, since: float) -> Signal:
    measure, threshold = trouble_text.MEASURES[trouble.kind], _threshold(trouble)
    return Signal(
        rule=f"preset.{trouble.key.replace(' ', '_')}",
        family=cast("Family", trouble.kind),
        tier="critical" if trouble.severity == "down" else "warning",
        text=trouble_text.text(trouble),
        onset=since,
        earliest=trouble.earliest,
        latest=trouble.latest,
        marker=trouble.marker,
        marker_lag_s=0.0 if trouble.marker else NAN,
        where=trouble.where,
        value=trouble.value,
        at_least=trouble.at_least,
        normal=trouble.normal,
        line=threshold.at(Normal(trouble.normal)),
        low_is_bad=threshold.low_is_bad,
        unit=measure.unit,
        n=trouble.n,
        stage=trouble.stage,
        explains=trouble.explains,
        because=f"{_because(trouble)}: a preset threshold, until thresholds are learned",
        metric=trouble_text.metric(trouble),
    )
