"""Signals from the verdict's troubles while the detectors still learn, so that a new hub still reports an outage.

The verdict (`engine.verdict`) compares with what the windows hold already, and has a preset for errors without any
normal. It is less precise than a learned threshold and is ignored once there is one.
"""

from __future__ import annotations

from typing import cast

from voicetop.alerts import trouble_text
from voicetop.alerts.signals import Family, Signal
from voicetop.engine import thresholds
from voicetop.engine.engine import MARK_S, Engine
from voicetop.engine.snapshot import Trouble

_SIGNIFICANT = "significantly different from its normal"
_BECAUSE = {
    "errors": f"significantly above its normal, or above {100 * thresholds.ERRORS.unlearned:.0f} % where none is known",
    "latency": f"{thresholds.LATENCY.times:g} × normal P95",
    "cost": f"{thresholds.COST.times:g} × normal",
    "sentiment": f"{thresholds.SENTIMENT.more:g} below normal",
}


def signals(engine: Engine, at: float) -> list[Signal]:
    """Troubles of this mark that are measured against a normal; the others have detectors without one."""
    return [
        _signal(active.trouble, active.since)
        for _, active in sorted(engine.judge.standing.items())
        if active.trouble.kind in trouble_text.MEASURES and active.last > at - MARK_S
    ]


def _signal(trouble: Trouble, since: float) -> Signal:
    measure = trouble_text.MEASURES[trouble.kind]
    return Signal(
        rule=f"preset.{trouble.key.replace(' ', '_')}",
        family=cast("Family", trouble.kind),
        tier="critical" if trouble.severity == "down" else "warning",
        text=trouble_text.text(trouble),
        onset=since,
        where=trouble.where,
        value=trouble.value,
        normal=trouble.normal,
        unit=measure.unit,
        n=trouble.n,
        stage=trouble.stage,
        explains=trouble.explains,
        because=f"{_BECAUSE.get(trouble.kind, _SIGNIFICANT)}: a preset threshold, until thresholds are learned",
        metric=measure.metric,
    )
