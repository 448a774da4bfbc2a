"""Incidents as a screen sees them: the panel, and the verdict in one voice with the engine's plain judgement.

Who speaks in the verdict: incidents that fire, each for its whole family; and the judge's troubles of those families of
which no incident fires, since they are on the screen and true, though nobody was alerted. So there is one sentence, no
figure in it twice, and it is never "OK" while something fires. A silence quiets notifiers and not the truth.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from voicetop.alerts.incident_text import blame_line, in_short, span
from voicetop.alerts.incidents.incident import Incident
from voicetop.alerts.incidents.lifecycle import Incidents
from voicetop.alerts.incidents.policy import RANK, UPSTREAM
from voicetop.alerts.rules.rules import charted, drawn
from voicetop.engine.config import Rule
from voicetop.engine.engine import Engine
from voicetop.engine.snapshot import (
    NAN,
    AlertsPanel,
    IncidentRow,
    Severity,
    SilenceRow,
    Snapshot,
    Trouble,
    Verdict,
)
from voicetop.engine.verdict import CLEAR_S
from voicetop.views.verdict_text import sentence, standing

ORDER = ("firing", "pending", "acknowledged", "silenced", "resolved")
KIND_OF = {"waiting": "stuck"}
"""What the judge calls a trouble where it isn't the family's own name."""


def dressed(
    snap: Snapshot, incidents: Incidents, learning_s: float = 0.0, rules: tuple[Rule, ...] = ()
) -> Snapshot:
    """The picture with its panel of alerts, the rules' lines, and with the incidents' voice in its verdict."""
    panel = panel_of(incidents, learning_s)
    verdict = verdict_of(snap.verdict, incidents.opened, snap.at)
    if verdict.severity == "ok" and panel.last_resolved == panel.last_resolved:
        ago = span(max(0.0, snap.at - panel.last_resolved))
        verdict = replace(verdict, text=f"{verdict.text} · last alert {ago} ago, resolved")
    return ruled(replace(snap, alerts=panel, verdict=verdict), rules)


def ruled(snap: Snapshot, rules: tuple[Rule, ...]) -> Snapshot:
    """The picture with the rules' lines on its charts, where there are rules of one's own."""
    if not rules:
        return snap
    for name, (place, part) in charted().items():
        panel = getattr(snap, place)
        holder = panel.e2e if place == "latency" else panel
        figure = getattr(holder, part)
        made = drawn(rules, snap.view.where, name, figure)
        if made is not figure:
            holder = replace(holder, **{part: made})
            panel = replace(panel, e2e=holder) if place == "latency" else holder
            snap = replace(snap, **{place: panel})
    return snap


def panel_of(incidents: Incidents, learning_s: float = 0.0) -> AlertsPanel:
    """All that is known of them, the most urgent first."""
    ends = {silence.number: silence.until for silence in incidents.silences}
    rows = [row_of(one, ends) for one in (*incidents.opened, *reversed(incidents.closed))]
    rows.sort(key=_urgency)
    loud = [row for row in rows if row.state in ("firing", "acknowledged") and not row.muted]
    silences = tuple(
        SilenceRow(
            *(one.id, one.said, one.until, one.by, one.text, one.since),
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
    newest = row.resolved if over else row.fired if row.fired == row.fired else row.began
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


# -- the verdict ---------------------------------------------------------------------------------------------------


def verdict_of(plain: Verdict, opened: Iterable[Incident], at: float) -> Verdict:
    """The verdict of judge and incidents together, as of stamp time `at`."""
    open_still = [incident for incident in opened if incident.firing]
    firing = [incident for incident in open_still if at - incident.seen < CLEAR_S]
    plain = _fading(plain, [incident for incident in open_still if at - incident.seen >= CLEAR_S], at)
    voices = [_voice(incident) for incident in firing if not incident.part_of]
    spoken = {KIND_OF.get(incident.family, incident.family) for incident in firing}
    worst = {trouble.kind.removeprefix("local "): trouble.severity for trouble in plain.troubles}
    voices = [_as_bad(voice, worst) for voice in voices]
    others = [trouble for trouble in plain.troubles if trouble.kind.removeprefix("local ") not in spoken]
    troubles = tuple(standing([*voices, *others]))
    if plain.severity == "blind":
        return replace(plain, troubles=troubles)
    if not voices:
        return plain
    since = min(trouble.since for trouble in troubles)
    return Verdict(troubles[0].severity, sentence(troubles), min(since, at), troubles)


def severity_of(engine: Engine, incidents: Incidents, at: float) -> Severity:
    """The severity of that verdict for everybody; what is still being learned is no trouble."""
    if engine.feed.blind:
        return "blind"
    if not engine.judge.standing and not incidents.opened:
        return "ok"
    troubles = tuple(standing([held.trouble for held in engine.judge.standing.values()]))
    plain = Verdict(troubles[0].severity if troubles else "ok", "", troubles=troubles)
    return verdict_of(plain, incidents.opened, at).severity


def _fading(plain: Verdict, quiet: list[Incident], at: float) -> Verdict:
    """The judge's verdict, with those named that still fire though there is no sign of them any more."""
    named = [
        f"{one.family} alert ({one.id}) quiet for {span(at - one.seen)}" for one in quiet if not one.part_of
    ]
    if not named or plain.severity == "blind":
        return plain
    more = f" and {len(named) - 1} more" if len(named) > 1 else ""
    return replace(plain, text=f"{plain.text} · {named[0]}{more}")


def _as_bad(voice: Trouble, worst: dict[str, Severity]) -> Trouble:
    """Down where the judge sees that it is: an incident says what, the figures on the screen say how much."""
    return replace(voice, severity="down") if worst.get(voice.kind) == "down" else voice


def _voice(incident: Incident) -> Trouble:
    lead = incident.lead
    down = incident.tier == "critical" and incident.family in UPSTREAM and not incident.segment
    return Trouble(
        kind=KIND_OF.get(incident.family, incident.family),
        text=" · ".join((lead.text, *in_short(lead))),
        since=incident.onset,
        severity="down" if down else "degraded",
        value=lead.value,
        normal=lead.normal,
        n=lead.n,
        where=incident.segment,
        explains=lead.explains,
        stage=lead.stage,
    )
