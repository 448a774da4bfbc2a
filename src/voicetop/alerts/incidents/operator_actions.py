"""Applies `operator` records to incidents: they are part of the feed, so that every console applies them.

    ack, unack, resolve   target: an incident's id
    note                  target: an incident's id, text
    silence               target: a matcher or an incident's id; until; text: why
    unsilence             target: a silence's id
    runbook_tick          target: an incident's id; text: the item's number, with a minus to untick it

Acts with an unknown target are counted and ignored: the target may have been evicted already.
"""

from __future__ import annotations

from collections.abc import Callable

from voicetop.alerts.incidents.incident import MAX_NOTES, MAX_TICKS, Incident
from voicetop.alerts.incidents.lifecycle import Incidents, effect
from voicetop.alerts.incidents.silences import MAX_S, Silence, matcher_of
from voicetop.alerts.signals import Effect
from voicetop.engine.snapshot import NAN, IncidentNote
from voicetop.wire.events import Operator

MAX_SILENCES = 200


def operate(incidents: Incidents, act: Operator, at: float, deployment: str = "") -> list[Effect]:
    """Apply one act as of stamp time `at`."""
    if act.act == "silence":
        return _silence(incidents, act, at)
    if act.act == "unsilence":
        return _unsilence(incidents, act)
    apply = _ACTS.get(act.act)
    if apply is None or (act.act == "note" and not act.target):
        return []  # a bookmark or timeline note, not about an incident
    incident = incidents.find(act.target)
    if incident is None or not incident.number:
        incidents.refused += 1
        return []
    return apply(incidents, incident, act, at, deployment)


def _ack(_: Incidents, incident: Incident, act: Operator, at: float, deployment: str) -> list[Effect]:
    if incident.phase == "resolved" or incident.acked_by:
        return []
    incident.acked_at, incident.acked_by = at, act.by
    _add_note(incident, act, at)
    return [effect(incident, "acknowledged", at, deployment, act.by)] if incident.told else []


def _unack(_: Incidents, incident: Incident, act: Operator, at: float, deployment: str) -> list[Effect]:
    if incident.phase == "resolved" or not incident.acked_by:
        return []
    incident.acked_at, incident.acked_by = NAN, ""
    _add_note(incident, act, at)
    return [effect(incident, "returned", at, deployment, act.by)] if incident.told else []


def _resolve(incidents: Incidents, incident: Incident, act: Operator, at: float, _: str) -> list[Effect]:
    """Resolve it; the effect follows when all incidents are next evaluated, as inhibition may apply."""
    if incident.firing:
        incidents.resolve(incident, at, act.by)
        _add_note(incident, act, at)
    return []


def _note(_: Incidents, incident: Incident, act: Operator, at: float, __: str) -> list[Effect]:
    _add_note(incident, act, at)
    return []


def _tick(incidents: Incidents, incident: Incident, act: Operator, at: float, _: str) -> list[Effect]:
    number = act.text.strip()
    undone = number.startswith("-")
    step = number.removeprefix("-")
    if not (step.isascii() and step.isdigit() and 0 < int(step[:4]) < 1_000):
        incidents.refused += 1
    elif undone:
        incident.ticks.pop(int(step), None)
    elif len(incident.ticks) < MAX_TICKS:
        incident.ticks.setdefault(int(step), IncidentNote(at, act.by))
    return []


def _silence(incidents: Incidents, act: Operator, at: float) -> list[Effect]:
    matcher = matcher_of(act.target)
    if not matcher or not act.until > at or len(incidents.silences) >= MAX_SILENCES:
        incidents.refused += 1
        return []
    incidents.silence_numbers += 1
    until = min(act.until, at + MAX_S)
    silence = Silence(incidents.silence_numbers, matcher, at, until, act.by, act.text)
    incidents.silences = [*incidents.silences, silence]
    return []


def _unsilence(incidents: Incidents, act: Operator) -> list[Effect]:
    remaining = [silence for silence in incidents.silences if silence.id != act.target]
    incidents.refused += len(remaining) == len(incidents.silences)
    incidents.silences = remaining
    return []


def _add_note(incident: Incident, act: Operator, at: float) -> None:
    """Keep the text of an act, up to `MAX_NOTES`."""
    if act.text:
        incident.notes = [*incident.notes, IncidentNote(at, act.by, act.text)][-MAX_NOTES:]


_Apply = Callable[[Incidents, Incident, Operator, float, str], list[Effect]]
_ACTS: dict[str, _Apply] = {
    "ack": _ack, "unack": _unack, "resolve": _resolve, "note": _note, "runbook_tick": _tick,
}  # fmt: skip
