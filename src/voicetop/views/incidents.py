"""The alerts panel: incidents as rows."""

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
    """All incidents and silences, the most urgent first."""
    ends = {silence.number: silence.until for silence in incidents.silences}
    rows = [row_of(incident, ends) for incident in (*incidents.opened, *reversed(incidents.closed))]
    rows.sort(key=_urgency)
    audible = [row for row in rows if row.state in ("firing", "acknowledged") and not row.muted]
    silences = tuple(
        SilenceRow(
            *(silence.id, silence.expression, silence.until, silence.by, silence.text, silence.since),
            hits=sum(
                each.phase != "resolved" and each.silence == silence.number for each in incidents.opened
            ),
        )
        for silence in incidents.silences
    )
    return AlertsPanel(
        incidents=tuple(rows),
        silences=silences,
        critical=sum(row.tier == "critical" for row in audible),
        warning=sum(row.tier == "warning" for row in audible),
        learning_s=learning_s,
        crowded=incidents.crowded,
        last_resolved=max((row.resolved for row in rows if row.state == "resolved"), default=NAN),
    )


def _urgency(row: IncidentRow) -> tuple[int, bool, int, float]:
    resolved = row.state == "resolved"
    newest = row.resolved if resolved else row.fired if known(row.fired) else row.began
    rank = 0 if resolved else -RANK[row.tier]
    return ORDER.index(row.state), bool(row.muted) and not resolved, rank, -newest


def state_of(incident: Incident) -> str:
    """The state shown; a silence takes precedence over an acknowledgement, since it expires."""
    if incident.phase != "firing":
        return incident.phase
    if incident.silence:
        return "silenced"
    return "acknowledged" if incident.acked_by else "firing"


def row_of(incident: Incident, ends: dict[int, float]) -> IncidentRow:
    """One incident as a row."""
    lead, reported = incident.lead, incident.reported
    pending = incident.phase == "pending"
    return IncidentRow(
        id=incident.id,
        state=state_of(incident),
        tier=incident.tier,
        family=incident.family,
        rule=incident.rule,
        text=reported.text,
        blame=blame_line(reported),
        because=reported.because,
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
        due=incident.began + incident.for_s if pending else NAN,
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
        at_firing=incident.at_firing,
        worst=incident.worst,
        last=incident.last,
        earliest=incident.earliest,
        latest=incident.latest,
        marker=incident.marker,
    )
