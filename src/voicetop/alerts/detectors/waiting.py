"""Callers who wait and get no reply: nothing has failed yet, and no latency was measured, but they sit in silence."""

from __future__ import annotations

from voicetop.alerts.changes.array_codec import Floats
from voicetop.alerts.signals import Signal, Tier
from voicetop.engine import normals, waiting
from voicetop.engine.engine import Engine
from voicetop.engine.snapshot import WaitingPanel
from voicetop.engine.windows.histograms import METRIC
from voicetop.formatting import labels
from voicetop.formatting.times import span

FEW, SHARE = 3, 0.5
"""From so many stuck callers on, and of so many of those who wait, it is an outage."""
HUSHED_S = 8.0
"""Publishers speak of themselves every 5 s. While all that do are silent for so long, replies to their callers aren't
heard either: a hub that stood still, or a network, and no outage."""
BY_CHANCE = 100
"""One live call in so many may be stuck by chance."""


def signals(engine: Engine, at: float, times: Floats) -> list[Signal]:
    """`times` are the normal times by [metric, bucket]."""
    waits = waiting.waiting_calls(engine.roster.live.values(), None)
    if len(waits) < 2 or _hushed(engine, at):
        return []
    over = normals.stuck_after(times[METRIC["e2e"]].astype(int), engine.config.stuck_after_s)
    panel = waiting.panel(waits, at, over)
    live = len(engine.roster.live)
    if panel.stuck < max(2, 1 + live // BY_CHANCE):
        return []
    down = panel.stuck >= max(FEW, live // 50) and panel.stuck >= SHARE * panel.waiting
    return [_signal(panel, at, "critical" if down else "warning")]


def _hushed(engine: Engine, at: float) -> bool:
    told = [source.seen for source in engine.feed.sources.values() if source.status_at]
    return bool(told) and at - max(told) > HUSHED_S


def _signal(panel: WaitingPanel, at: float, tier: Tier) -> Signal:
    worst = panel.stages[0]
    where = f" in {labels.stage(worst.stage)}" if worst.stage else ""
    return Signal(
        rule="waiting",
        family="waiting",
        tier=tier,
        text=f"{panel.stuck} of {panel.waiting} waiting callers stuck{where} for over {span(panel.over_s)}",
        onset=at - panel.longest_s,
        value=float(panel.stuck),
        normal=0.0,
        line=panel.over_s,
        unit="calls",
        n=panel.waiting,
        calls=panel.stuck,
        stage=worst.stage,
        component=worst.stage,
        provider=worst.provider,
        because=f"stuck is a wait of over {span(panel.over_s)} = 3 × normal P99, never less than configured",
        metric="stuck callers",
    )
