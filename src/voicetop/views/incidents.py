"""Incidents as a screen sees them: the panel of alerts, row by row."""

from __future__ import annotations

from voicetop.alerts.incident_text import blame_line
from voicetop.alerts.incidents.incident import Incident
from voicetop.alerts.incidents.lifecycle import Incidents
from voicetop.alerts.incidents.policy import RANK
from voicetop.engine.snapshot import (
    NAN,
    AlertsPanel,
    IncidentRow,
    SilenceRow,
)
from voicetop.formatting.numbers import known

ORDER = ("firing", "pending", "acknowledged", "silenced", "resolved")


def panel_of(incidents: Incidents, learning_s: float = 0.0) -> AlertsPanel:
    """All that is known of them, the most urgent first."""
    ends = {silence.number: silence.until for silence in incidents.silences}
    rows = [row_of(one, ends) for one in (*incidents.opened, *reversed(incidents.closed))]
    rows.sort(key=_urgency)
    loud = [row for row in rows if row.state in ("firing", "acknowledged") and not row.muted]
    silences = tuple(
        SilenceRow(
            *(one.id, one.expression, one.until, one.by, one.text, one.since),
            hits=sum(each.phase != "resolved" and each.silence == one.number for each in incidents.opened),
        )
        for one in incidents.silences
    )
    return AlertsPanel(
        incidents=tuple(rows),
        silences=silences,
        critical=sum(row.tier == "critical" for row in loud),
        warning=sum(row.tier == "warning" for row in loud),
        learning_s=learning_s,
        crowded=incidents.crowded,
        last_resolved=max((row.resolved for row in rows if row.state == "resolved"), default=NAN),
    )


def _urgency(row: IncidentRow) -> tuple[int, bool, int, float]:
    over = row.state == "resolved"
    newest = row.resolved if over else row.fired if known(row.fired) else row.began
    rank = 0 if over else -RANK[row.tier]
    return ORDER.index(row.state), bool(row.muted) and not over, rank, -newest


def state_of(incident: Incident) -> str:
    """The word for where it stands; a silence goes before an acknowledgement, since it has an end."""
    if incident.phase != "firing":
        return incident.phase
    if incident.silence:
        return "silenced"
    return "acknowledged" if incident.acked_by else "firing"


def row_of(incident: Incident, ends: dict[int, float]) -> IncidentRow:
    """One incident, ready to paint."""
    lead = incident.lead
    waits = incident.phase == "pending"
    return IncidentRow(
        id=incident.id,
        state=state_of(incident),
        tier=incident.tier,
        family=incident.family,
        rule=incident.rule,
        text=lead.text,
        blame=blame_line(lead),
        because=lead.because,
        where=incident.segment,
        began=incident.onset,
        fired=incident.fired_at,
        acked=incident.acked_at,
        ended=incident.over_at,
        resolved=incident.resolved_at,
        acked_by=incident.acked_by,
        resolved_by=incident.resolved_by,
        silence=f"s{incident.silence}" if incident.silence else "",
        silenced_until=ends.get(incident.silence, NAN),
        muted=f"part of {incident.part_of}: {incident.part_why}" if incident.part_of else "",
        due=incident.began + incident.for_s if waits else NAN,
        times=incident.times,
        value=lead.value,
        normal=lead.normal,
        line=lead.line,
        unit=lead.unit,
        n=lead.n,
        calls=lead.calls,
        stage=lead.stage,
        component=lead.component,
        provider=lead.provider,
        version=lead.version,
        explains=lead.explains,
        also=tuple(incident.also.values()),
        notes=tuple(incident.notes),
        ticks=tuple(sorted(incident.ticks.items(), key=lambda tick: tick[0])),
        runbook=lead.runbook or incident.family,
        links=lead.links,
    )
