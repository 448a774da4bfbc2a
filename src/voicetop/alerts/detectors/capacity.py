"""Live calls against the tested limit: near it, over it, or on the way to it within minutes."""

from __future__ import annotations

from voicetop.alerts.signals import Signal, Tier
from voicetop.engine.capacity import minutes_to_line
from voicetop.engine.fold import Engine
from voicetop.engine.judge import handling_s

NEAR = 0.9
MINUTES = 10.0
FEW_CALLS = 30
MINUTES_OF_SHORT = 5.0


def signals(engine: Engine, at: float) -> list[Signal]:
    limit, live = engine.load.limit, len(engine.roster.live)
    if not limit:
        return []
    share = live / limit
    if share >= NEAR:
        tier: Tier = "critical" if live >= limit else "warning"
        text = f"{live} live calls, {100 * share:.0f} % of the tested capacity of {limit}"
        return [_signal("capacity", tier, text, at, live, limit)]
    sums = engine.ledger.counts.sums("5m", None)
    if sums.get("ended", 0) < FEW_CALLS:
        return []
    left = minutes_to_line(live, limit, sums.get("started", 0) / MINUTES_OF_SHORT, handling_s(sums))
    if not left < MINUTES:
        return []
    text = f"{live} live calls reach the tested capacity of {limit} in {left:.0f} min at this rate"
    return [_signal("capacity.minutes", "warning", text, at, live, limit)]


def _signal(rule: str, tier: Tier, text: str, at: float, live: int, limit: int) -> Signal:  # noqa: PLR0917
    return Signal(
        rule=rule, family="capacity", tier=tier, text=text, onset=at, value=float(live), line=NEAR * limit,
        unit="calls", n=live, calls=live, because=f"warn at {100 * NEAR:.0f} % of the tested limit of {limit}",
        metric="live calls",
    )  # fmt: skip
