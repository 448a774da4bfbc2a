"""Compliance violations and security events: each alerts at once."""

from __future__ import annotations

from collections.abc import Iterable

from voicetop.alerts.signals import Signal, Tier
from voicetop.engine.tick import Urgency

LASTS_S = 300.0
"""How long an event's signal stays on; its incident lasts longer."""
MILD = frozenset({"info", "notice", "low", "warning", "warn", "minor", "medium"})


def recent(events: Iterable[Urgency], at: float) -> list[Urgency]:
    """The events whose signal is still on."""
    return [event for event in events if event.ts > at - LASTS_S]


def signals(events: Iterable[Urgency]) -> list[Signal]:
    """One signal per kind of event, with its first occurrence and the number of calls."""
    groups: dict[tuple[str, str], list[Urgency]] = {}
    for event in events:
        groups.setdefault((event.family, event.label or event.kind), []).append(event)
    return [_signal(what, group) for (_, what), group in sorted(groups.items())]


def _signal(what: str, group: list[Urgency]) -> Signal:
    first = group[0]
    name = "compliance violation" if first.family == "compliance" else f"security {first.kind}".strip()
    calls = len({event.call_id for event in group if event.call_id})
    tier: Tier = "warning" if all(event.severity.casefold() in MILD for event in group) else "critical"
    return Signal(
        rule=f"{first.family}.{what}"[:120] if what else first.family,
        family=first.family,
        tier=tier,
        text=f"{name}: {what}" if what else name,
        onset=min(event.ts for event in group),
        value=float(len(group)),
        unit="calls",
        n=len(group),
        calls=calls,
        because="each one alerts immediately",
        metric=name,
    )
