"""What is news when a state comes in the middle of a feed: after a gap, or when a console had made up time by itself.

From then on the state is what is known. Who was told of an incident that it doesn't have is told that it is over; what
fires in it and nobody here was told of is told now.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from voicetop.alerts.incidents.incident import Incident
from voicetop.alerts.incidents.lifecycle import Incidents, effect
from voicetop.alerts.incidents.policy import RANK
from voicetop.alerts.signals import Effect


def between(before: Incidents, after: Incidents, at: float, deployment: str) -> list[Effect]:
    """What somebody who was told all of `before` has to be told to know `after`, in the order of the moments."""
    if before is after:
        return []
    known, here = _by_name(before), _by_name(after)
    over = [
        replace(effect(gone, "resolved", at, deployment), blame="no longer known")
        for name, gone in known.items()
        if gone.told and name not in here
    ]
    news = [one for name, incident in here.items() for one in _news(incident, known.get(name), deployment)]
    return sorted([*over, *news], key=lambda one: one.at)


def _by_name(incidents: Incidents) -> dict[tuple[str, float], Incident]:
    """By identity and number, and when it began: a hub that begins anew counts anew."""
    every = (*incidents.closed, *incidents.opened)
    return {(f"{one.identity}\n{one.id}", one.onset): one for one in every if one.number}


def _news(now: Incident, before: Incident | None, deployment: str) -> Iterator[Effect]:
    if now.phase == "resolved":
        if before is not None and before.told:
            yield effect(now, "resolved", now.resolved_at, deployment)
    elif not now.told or now.silence:
        return
    elif before is None or not before.told:
        yield effect(now, "fired", now.fired_at, deployment)
    elif RANK[now.tier] > RANK[before.told_tier]:
        yield effect(now, "worse", now.seen, deployment)
