"""What comes of calls, over 30 minutes: success, abandonment, escalation, cost, sentiment."""

from __future__ import annotations

import numpy as np

from voicetop.engine import normals
from voicetop.engine.attribution.change_point import Change, began
from voicetop.engine.judge.errors import over_since
from voicetop.engine.judge.mark import ActiveTrouble, Finding, Mark
from voicetop.engine.snapshot import NAN, Figure, Trouble
from voicetop.formatting.numbers import known

RATES = {
    "success": ("succeeded", "known"),
    "abandonment": ("abandoned", "decided"),
    "escalation": ("escalated", "talked"),
}
LEAST_RATIO = 1.25
SETTLED_S = 240.0
"""Calls that an outage hit go on ending for so long after it; their outcomes say nothing about the present."""


def find(mark: Mark, kind: str, floor: float) -> list[Finding]:
    """The figure of one kind, if it is off its normal and calls that ended lately are still worse.

    After `floor` the calls of an outage that is over have ended: only later ones count, and only once there are enough.
    """
    span = "30m" if mark.at - floor >= 1800 else "5m"
    if span == "5m" and mark.at - floor < 300:
        return []
    figure = normals.outcome(kind, mark.ledger.counts.sums(span, None), mark.usual)
    if not (figure.off and figure.normal.known):
        return []
    change = _change(mark, kind)
    since = change.onset if known(change.onset) else -np.inf
    if known(_over_since(mark, kind, since, _ratio(kind, figure))):
        return []
    return [Finding(Trouble(kind, mark.at, "degraded", figure.value, figure.normal.value, figure.n), change)]


def recovered(mark: Mark, active: ActiveTrouble) -> float:
    """Since when calls end as they normally do; NaN while they don't."""
    kind = active.trouble.kind
    figure = normals.outcome(kind, mark.ledger.counts.sums("30m", None), mark.usual)
    if not figure.off and figure.known:
        return mark.at
    return _over_since(mark, kind, active.since, max(_ratio(kind, figure), active.ratio))


def _ratio(kind: str, figure: Figure) -> float:
    """How many times more calls ended badly over 30 minutes than normal."""
    if kind == "success":
        return (1 - figure.value) / max(1e-3, 1 - figure.normal.value)
    return figure.value / max(1e-3, figure.normal.value)


def _over_since(mark: Mark, kind: str, since: float, ratio: float) -> float:
    if kind in RATES:
        hits, expected = _bad(mark, kind)
        return over_since(mark.series(hits, expected).since(since), ratio, LEAST_RATIO)
    late = normals.outcome(kind, mark.ledger.counts.sums("5m", None), mark.usual)
    return mark.at if late.n >= normals.OUTCOMES[kind].threshold.least_n and not late.off else NAN


def _bad(mark: Mark, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Calls that ended badly by slot, and how many normally do."""
    total, of = RATES[kind]
    hits, n, usual = mark.counts(total, None), mark.counts(of, None), mark.usual.rate(total, of).value
    if kind == "success":
        return n - hits, max(1e-3, 1 - usual) * n
    return hits, max(1e-3, usual) * n


def _change(mark: Mark, kind: str) -> Change:
    return began(mark.series(*_bad(mark, kind))) if kind in RATES else Change()
