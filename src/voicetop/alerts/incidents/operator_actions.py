"""What people do to incidents, as `operator` records say it: they are in the feed, so that every console applies them.

    ack, unack, resolve   target: an incident's id
    note                  target: an incident's id, text
    silence               target: a matcher or an incident's id; until; text: why
    unsilence             target: a silence's id
    runbook_tick          target: an incident's id; text: the step's number, with a minus to take it back

What names nothing is counted and otherwise ignored: the record may be older than what is still known.
"""

from __future__ import annotations

from collections.abc import Callable

from voicetop.alerts.incidents.incident import MOST_NOTES, MOST_TICKS, Incident
from voicetop.alerts.incidents.lifecycle import Incidents, effect
from voicetop.alerts.incidents.silences import MOST_S, Silence, matcher_of
from voicetop.alerts.signals import Effect
from voicetop.engine.snapshot import NAN, IncidentNote
from voicetop.wire.events import Operator

MOST_SILENCES = 200


def operate(incidents: Incidents, act: Operator, at: float, deployment: str = "") -> list[Effect]:
    """Apply one act as of stamp time `at`."""
    if act.act == "silence":
        return _silence(incidents, act, at)
    if act.act == "unsilence":
        return _unsilence(incidents, act)
    apply = _ACTS.get(act.act)
    if apply is None or (act.act == "note" and not act.target):
        return []  # a bookmark, a note on the timeline: not about incidents
    incident = incidents.find(act.target)
    if incident is None or not incident.number:
        incidents.refused += 1
        return []
    return apply(incidents, incident, act, at, deployment)


def _ack(_: Incidents, incident: Incident, act: Operator, at: float, deployment: str) -> list[Effect]:
    if incident.phase == "resolved" or incident.acked_by:
        return []
    incident.acked_at, incident.acked_by = at, act.by
    _remark(incident, act, at)
    return [effect(incident, "acknowledged", at, deployment, act.by)] if incident.told else []


def _unack(_: Incidents, incident: Incident, act: Operator, at: float, deployment: str) -> list[Effect]:
    if incident.phase == "resolved" or not incident.acked_by:
        return []
    incident.acked_at, incident.acked_by = NAN, ""
    _remark(incident, act, at)
    return [effect(incident, "returned", at, deployment, act.by)] if incident.told else []


def _resolve(incidents: Incidents, incident: Incident, act: Operator, at: float, _: str) -> list[Effect]:
    """Its effect follows with the next look at all incidents: it may be part of others, or have parts."""
    if incident.firing:
        incidents.resolve(incident, at, act.by)
        _remark(incident, act, at)
    return []


def _note(_: Incidents, incident: Incident, act: Operator, at: float, __: str) -> list[Effect]:
    _remark(incident, act, at)
    return []


def _tick(incidents: Incidents, incident: Incident, act: Operator, at: float, _: str) -> list[Effect]:
    number = act.text.strip()
    undone = number.startswith("-")
    step = number.removeprefix("-")
    if not (step.isascii() and step.isdigit() and 0 < int(step[:4]) < 1_000):
        incidents.refused += 1
    elif undone:
        incident.ticks.pop(int(step), None)
    elif len(incident.ticks) < MOST_TICKS:
        incident.ticks.setdefault(int(step), IncidentNote(at, act.by))
    return []


def _silence(incidents: Incidents, act: Operator, at: float) -> list[Effect]:
    matcher = matcher_of(act.target)
    if not matcher or not act.until > at or len(incidents.silences) >= MOST_SILENCES:
        incidents.refused += 1
        return []
    incidents.silence_numbers += 1
    until = min(act.until, at + MOST_S)
    made = Silence(incidents.silence_numbers, matcher, at, until, act.by, act.text)
    incidents.silences = [*incidents.silences, made]
    return []


def _unsilence(incidents: Incidents, act: Operator) -> list[Effect]:
    kept = [silence for silence in incidents.silences if silence.id != act.target]
    incidents.refused += len(kept) == len(incidents.silences)
    incidents.silences = kept
    return []


def _remark(incident: Incident, act: Operator, at: float) -> None:
    """What was said with an act is kept with it; of too many the oldest go."""
    if act.text:
        incident.notes = [*incident.notes, IncidentNote(at, act.by, act.text)][-MOST_NOTES:]


_Apply = Callable[[Incidents, Incident, Operator, float, str], list[Effect]]
_ACTS: dict[str, _Apply] = {
    "ack": _ack, "unack": _unack, "resolve": _resolve, "note": _note, "runbook_tick": _tick,
}  # fmt: skip
