"""Callers who wait and get no reply: nothing has failed yet, and no latency was measured, but they sit in silence."""

from __future__ import annotations

from voicetop.alerts.signals import Signal, Tier
from voicetop.alerts.trouble_text import stuck_text
from voicetop.engine import thresholds
from voicetop.engine.attribution import segments
from voicetop.engine.attribution.likelihood import Attribution
from voicetop.engine.engine import Engine
from voicetop.engine.snapshot import WaitingPanel, Where
from voicetop.engine.waiting import Waits
from voicetop.formatting.times import span

KEEP_S = 120.0
"""Callers who are stuck again within this time are judged as a part of the same outage."""


def signals(engine: Engine, at: float, before: Where = ()) -> list[Signal]:
    """The stuck callers, where there are more than chance brings: stuck by the same value as on every screen.

    `before` is the segment named at the last mark with a signal.
    """
    waits = Waits(engine.feed, at)
    waiting = waits.waiting_calls(engine.roster.live.values(), None)
    if len(waiting) < 2:
        return []
    over_s = engine.stuck_after_s
    panel = waits.panel(waiting, over_s)
    severity = thresholds.stuck(
        waits.panel(waits.confirmed(waiting, over_s), over_s), len(engine.roster.live)
    )
    if severity == "ok":
        return []
    stuck = (call for call in waiting if waits.seconds(call) > panel.over_s)
    who = segments.of_stuck(engine.ledger, stuck, before, engine.judge.suspects)
    return [_signal(panel, at, "critical" if severity == "down" else "warning", who)]


def _signal(panel: WaitingPanel, at: float, tier: Tier, who: Attribution) -> Signal:
    worst = panel.stages[0]
    return Signal(
        rule="waiting",
        family="waiting",
        tier=tier,
        text=stuck_text(panel.stuck, panel.waiting, worst.stage, panel.over_s),
        onset=at - panel.longest_s,
        where=who.where,
        explains=who.explains,
        value=float(panel.stuck),
        normal=0.0,
        unit="calls",
        n=panel.waiting,
        calls=panel.stuck,
        stage=worst.stage,
        component=worst.stage,
        provider=worst.provider,
        because=f"stuck is a wait of over {span(panel.over_s)} = 3 × normal P99, never less than configured",
        metric="stuck callers",
    )
