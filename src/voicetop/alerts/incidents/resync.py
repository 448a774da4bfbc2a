"""Effects of replacing the state in the middle of a feed: after a gap, or after local heartbeats.

Announced incidents that the new state lacks are announced as resolved; incidents that it announced, and that weren't
announced here, are announced now.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from voicetop.alerts.incidents.incident import Incident
from voicetop.alerts.incidents.lifecycle import Incidents, effect
from voicetop.alerts.incidents.policy import RANK
from voicetop.alerts.signals import Effect


def effects_between(before: Incidents, after: Incidents, at: float, deployment: str) -> list[Effect]:
    """The effects that bring a recipient of `before` up to date with `after`, in order of time."""
    if before is after:
        return []
    by_name_before, by_name_after = _by_name(before), _by_name(after)
    over = [
        replace(effect(incident, "resolved", at, deployment), blame="no longer known")
        for name, incident in by_name_before.items()
        if incident.told and name not in by_name_after
    ]
    news = [
        effect_
        for name, incident in by_name_after.items()
        for effect_ in _effects(incident, by_name_before.get(name), deployment)
    ]
    return sorted([*over, *news], key=lambda effect_: effect_.at)


def _by_name(incidents: Incidents) -> dict[tuple[str, float], Incident]:
    """Incidents by identity, number and onset: a restarted hub numbers from 1 again."""
    every = (*incidents.closed, *incidents.opened)
    return {
        (f"{incident.identity}\n{incident.id}", incident.onset): incident
        for incident in every
        if incident.number
    }


def _effects(now: Incident, before: Incident | None, deployment: str) -> Iterator[Effect]:
    if now.phase == "resolved":
        if before is not None and before.told:
            yield effect(now, "resolved", now.resolved_at, deployment)
    elif not now.told or now.silence:
        return
    elif before is None or not before.told:
        yield effect(now, "fired", now.fired_at, deployment)
    elif RANK[now.tier] > RANK[before.told_tier]:
        yield effect(now, "worse", now.seen, deployment)
