"""Live calls against the tested limit: near it, over it, or minutes away from it."""

from __future__ import annotations

from voicetop.alerts.signals import Signal, Tier
from voicetop.alerts.trouble_text import capacity_text
from voicetop.engine.capacity import minutes_to_limit
from voicetop.engine.engine import Engine
from voicetop.engine.normals import handling_s
from voicetop.engine.thresholds import MINUTES_TO_CAPACITY, NEAR_CAPACITY
from voicetop.formatting.times import span

FEW_CALLS = 30
MINUTES_OF_SHORT = 5.0


def signals(engine: Engine, at: float) -> list[Signal]:
    limit, live = engine.load.limit, len(engine.roster.live)
    if not limit:
        return []
    share, sums = live / limit, engine.ledger.counts.sums("5m", None)
    text = capacity_text(live, limit)
    if live >= limit:
        because = f"critical at the tested limit of {limit}"
        return [_signal("capacity", "critical", text, at, live, float(limit), because, sums)]
    if share >= NEAR_CAPACITY:
        because = f"warn at {NEAR_CAPACITY * limit:.0f} = {100 * NEAR_CAPACITY:.0f} % of the tested limit of {limit}"
        return [_signal("capacity", "warning", text, at, live, NEAR_CAPACITY * limit, because, sums)]
    if sums.get("ended", 0) < FEW_CALLS:
        return []
    left = minutes_to_limit(live, limit, sums.get("started", 0) / MINUTES_OF_SHORT, handling_s(sums))
    if not left < MINUTES_TO_CAPACITY:
        return []
    text = f"{live} live calls will reach the tested limit of {limit} in {left:.0f} min at this rate"
    because = f"warn when the tested limit of {limit} is less than {MINUTES_TO_CAPACITY:.0f} min away"
    return [_signal("capacity.minutes", "warning", text, at, live, float(limit), because, sums)]


def _signal(
    rule: str, tier: Tier, text: str, at: float, live: int, line: float, because: str, sums: dict[str, int]
) -> Signal:
    return Signal(
        rule=rule, family="capacity", tier=tier, text=text, onset=at, value=float(live), line=line,
        unit="calls", because=because, metric=_load(sums),
    )  # fmt: skip


def _load(sums: dict[str, int]) -> str:
    """What drives the load: the arrival rate and the handling time."""
    started, ended = sums.get("started", 0), sums.get("ended", 0)
    arrivals = f"{started / MINUTES_OF_SHORT:.0f} calls per minute start (n {started:,} in 5 min)"
    return f"{arrivals} and take {span(handling_s(sums))} (n {ended:,})" if ended else arrivals
