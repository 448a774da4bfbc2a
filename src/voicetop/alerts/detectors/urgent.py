"""Compliance violations and security events: each is an alert by itself, at once."""

from __future__ import annotations

from collections.abc import Iterable

from voicetop.alerts.signals import Signal, Tier
from voicetop.engine.tick import Urgency

LASTS_S = 300.0
"""How long one stays on: it is an event and no state, and its incident lasts longer."""
MILD = frozenset({"info", "notice", "low", "warning", "warn", "minor", "medium"})


def recent(held: Iterable[Urgency], at: float) -> list[Urgency]:
    """Those that are still on."""
    return [one for one in held if one.ts > at - LASTS_S]


def signals(held: Iterable[Urgency]) -> list[Signal]:
    """One for each kind, however often it happened: when it began, and how many calls it hit."""
    groups: dict[tuple[str, str], list[Urgency]] = {}
    for one in held:
        groups.setdefault((one.family, one.label or one.kind), []).append(one)
    return [_signal(what, group) for (_, what), group in sorted(groups.items())]


def _signal(what: str, group: list[Urgency]) -> Signal:
    first = group[0]
    name = "compliance violation" if first.family == "compliance" else f"security {first.kind}".strip()
    calls = len({one.call_id for one in group if one.call_id})
    tier: Tier = "warning" if all(one.severity.casefold() in MILD for one in group) else "critical"
    return Signal(
        rule=f"{first.family}.{what}"[:120] if what else first.family,
        family=first.family,
        tier=tier,
        text=f"{name}: {what}" if what else name,
        onset=min(one.ts for one in group),
        value=float(len(group)),
        unit="calls",
        n=len(group),
        calls=calls,
        because="each one alerts immediately",
        metric=name,
    )
