"""While the detectors still learn: the plain lines of the judge, so that a young hub isn't silent about an outage.

The judge (`engine.judge`) compares with what the windows hold already, and knows a preset for errors where they hold
nothing. It is less sure than a learned threshold, and stops speaking here as soon as there is one.
"""

from __future__ import annotations

from typing import NamedTuple

from voicetop.alerts.signals import Family, Signal
from voicetop.engine import attribution
from voicetop.engine.attribution import Attribution
from voicetop.engine.engine import MARK_S, Engine
from voicetop.engine.normals import WARN_RATIO
from voicetop.engine.snapshot import Trouble
from voicetop.engine.verdict import UNLEARNED_ERRORS
from voicetop.formatting import labels


class _Kind(NamedTuple):
    family: Family
    metric: str
    unit: str
    line: str


_ERRORS = f"beyond doubt above its normal, or above {100 * UNLEARNED_ERRORS:.0f} % where none is known"
_LATENCY = f"{WARN_RATIO:g} × normal P95"
_DOUBT = "beyond doubt from its normal"
KINDS = {
    "errors": _Kind("errors", labels.errors(), "rate", _ERRORS),
    "local errors": _Kind("errors", labels.errors(), "rate", _ERRORS),
    "latency": _Kind("latency", labels.latency("e2e"), "ms", _LATENCY),
    "local latency": _Kind("latency", labels.latency("e2e"), "ms", _LATENCY),
    "success": _Kind("success", labels.FIGURES["success"], "rate", _DOUBT),
    "abandonment": _Kind("abandonment", labels.FIGURES["abandonment"], "rate", _DOUBT),
    "cost": _Kind("cost", labels.FIGURES["cost"], "usd", f"{WARN_RATIO:g} × normal"),
}
"""The judge's troubles that need a normal; all others have detectors that need none."""


def signals(engine: Engine, at: float) -> list[Signal]:
    """The troubles that the judge has at this mark."""
    return [
        _signal(held.trouble, held.since, KINDS[kind])
        for kind, held in sorted(engine.judge.standing.items())
        if kind in KINDS and held.last > at - MARK_S
    ]


def _signal(trouble: Trouble, since: float, kind: _Kind) -> Signal:
    whose = attribution.in_words(Attribution(trouble.where, trouble.explains)) if trouble.where else ""
    return Signal(
        rule=f"preset.{trouble.kind.replace(' ', '_')}",
        family=kind.family,
        tier="critical" if trouble.severity == "down" else "warning",
        text=trouble.text.replace(whose, "") if whose else trouble.text,
        onset=since,
        where=trouble.where,
        value=trouble.value,
        normal=trouble.normal,
        unit=kind.unit,
        n=trouble.n,
        stage=trouble.stage,
        explains=trouble.explains,
        because=f"{kind.line}: a preset, until thresholds are learned",
        metric=kind.metric,
    )
