"""The three inhibition rules: an incident that is part of a larger one isn't notified separately.

A page inhibits the warnings of its family; a wider segment inhibits a narrower one; an outage inhibits its effects on
success, sentiment and abandonment for as long as their windows contain it.
"""

from __future__ import annotations

from collections.abc import Sequence

from voicetop.alerts.incidents.incident import Incident, within
from voicetop.alerts.incidents.policy import AFTERMATH_S, DOWNSTREAM, RANK, UPSTREAM


def mute(opened: Sequence[Incident], closed: Sequence[Incident], at: float) -> None:
    """Set `part_of` of every firing incident."""
    firing = [incident for incident in opened if incident.firing]
    pages = [incident for incident in firing if incident.tier == "critical"]
    outages = [incident for incident in pages if incident.family in UPSTREAM]
    outages += [old for old in (*closed, *opened) if _recently_resolved(old, at)]
    for incident in firing:
        incident.part_of, incident.part_why = _part_of(incident, firing, pages, outages)


def _part_of(
    incident: Incident, firing: Sequence[Incident], pages: Sequence[Incident], outages: Sequence[Incident]
) -> tuple[str, str]:
    if incident.tier != "critical":
        for page in pages:
            if page.family == incident.family:
                return page.id, "covered by the page of its family"
    for wide in firing:
        if _covers(wide, incident):
            return wide.id, "all segments have it" if not wide.where else "a wider segment has it"
    if incident.family in DOWNSTREAM:
        for outage in outages:
            if within(incident.where, outage.where) or within(outage.where, incident.where):
                return outage.id, "effect of an outage"
    return "", ""


def _covers(wide: Incident, incident: Incident) -> bool:
    """Whether `wide` is of the same family, at least as bad, and in a wider segment."""
    return (
        wide.family == incident.family
        and len(wide.where) < len(incident.where)
        and within(incident.where, wide.where)
        and RANK[wide.tier] >= RANK[incident.tier]
    )


def _recently_resolved(old: Incident, at: float) -> bool:
    outage = old.family in UPSTREAM and old.tier == "critical"
    return outage and old.phase == "resolved" and at - old.over_at < AFTERMATH_S
