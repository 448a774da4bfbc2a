"""Turns signals into incidents: pending, firing, resolved; acknowledged, silenced, or part of another.

Pure and deterministic: driven by marks and operator acts alone, so that every console, the watcher and a replay hold
the same incidents under the same ids. Notifications are returned as `Effect`s.

    signals ──► known? ──► nested in an open one? ──► a new one, pending
                   └─► update ◄─┘                       └──► fires after `for_s`, resolves `keep_s` after its last sign
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from voicetop.alerts.incident_text import blame_line, course_of
from voicetop.alerts.incidents.incident import Incident, identity, within
from voicetop.alerts.incidents.inhibition import mute
from voicetop.alerts.incidents.policy import (
    EVENTS,
    FLAP_S,
    MAX_KEEP_S,
    PER_KIND,
    RANK,
    WIDEN_S,
    Policies,
    policy_of,
)
from voicetop.alerts.incidents.silences import Silence
from voicetop.alerts.signals import Effect, Reason, Signal
from voicetop.engine.snapshot import NAN, Trouble
from voicetop.formatting.numbers import known

MAX_OPEN, MAX_CLOSED, MAX_FLAPS = 1_000, 200, 1_000


class Flap(Struct, frozen=True):
    """How often an incident came back, and when it last resolved (`at`)."""

    times: int
    at: float


class Incidents(Struct, kw_only=True):
    """All incidents and silences; part of the checkpoint and of the digest.

    `numbers` and `local_numbers` count incidents ever fired: a disconnected console numbers the ones that only it sees
    separately, so that shared numbers stay the same. `marked` is the last mark, `acted` the operator acts applied,
    `refused` those with an unknown target, `crowded` the signals dropped at `MAX_OPEN`.
    """

    policies: Policies = field(default_factory=dict)
    numbers: int = 0
    local_numbers: int = 0
    opened: list[Incident] = field(default_factory=list)
    closed: list[Incident] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    silence_numbers: int = 0
    flaps: dict[str, Flap] = field(default_factory=dict)
    marked: float = NAN
    blind: bool = False
    acted: int = 0
    refused: int = 0
    crowded: int = 0

    def step(
        self,
        signals: Sequence[Signal],
        at: float,
        *,
        deployment: str = "",
        local: bool = False,
        troubles: Sequence[Trouble] = (),
    ) -> list[Effect]:
        """Process a mark: `signals` are all active ones at `at`, `troubles` those of the verdict, with their onsets.

        `local`: the heartbeats are this console's own.
        """
        self.blind = any(signal.family == "feed" and signal.tier == "critical" for signal in signals)
        if self.blind:
            self._freeze(at)
        self.crowded = 0
        self._assign(signals, at, local=local)
        self._date(troubles, at)
        self.marked = at
        self._expire(at)
        return self._collect_effects(at, deployment)

    def step_urgent(
        self, signals: Sequence[Signal], at: float, *, deployment: str = "", local: bool = False
    ) -> list[Effect]:
        """Process urgent signals between two marks; other incidents are left as they are."""
        self._assign(signals, at, local=local)
        return self._collect_effects(at, deployment)

    def find(self, incident_id: str) -> Incident | None:
        """An open or recently closed incident."""
        return next(
            (incident for incident in (*self.opened, *reversed(self.closed)) if incident.id == incident_id),
            None,
        )

    # -- signals ------------------------------------------------------------------------------------------------

    def _freeze(self, at: float) -> None:
        """While blind, incidents neither resolve for lack of signals nor come closer to firing."""
        passed = at - self.marked if known(self.marked) else 0.0
        for incident in self.opened:
            if incident.family not in EVENTS:
                incident.seen += passed
                incident.began += passed if incident.phase == "pending" else 0.0

    def _assign(self, signals: Iterable[Signal], at: float, *, local: bool) -> None:
        by_identity = {incident.identity: incident for incident in self.opened}
        ordered = sorted(
            signals, key=lambda signal: (-RANK[signal.tier], len(signal.where), signal.rule, signal.where)
        )
        for signal in ordered:
            if self.blind and signal.family not in EVENTS:
                continue
            same = by_identity.get(identity(signal.family, signal.rule, signal.where))
            incident = same or self._find_open(signal)
            if incident is not None and _reopens(incident, signal):
                incident.held = False
                incident = None
            if incident is None:
                incident = self._open(signal, at, local=local)
                if incident is None:
                    self.crowded += 1
                    continue
                by_identity[incident.identity] = incident
            self._keep_narrower_alive(signal, incident, at)
            if incident.phase == "pending":
                incident.for_s = min(incident.for_s, at - incident.began + self._hold_time(signal))
            incident.update(signal, at)

    def _find_open(self, signal: Signal) -> Incident | None:
        """The open incident of its family with the narrowest segment that contains the signal's."""
        candidates = [
            incident
            for incident in self.opened
            if incident.family == signal.family and (incident.phase != "resolved" or incident.held)
            and within(signal.where, incident.where)
            and (incident.rule == signal.rule or incident.family not in PER_KIND)
        ]  # fmt: skip
        return min(candidates, key=lambda incident: (incident.held, -len(incident.where)), default=None)

    def _keep_narrower_alive(self, signal: Signal, incident: Incident, at: float) -> None:
        """Until a wide incident fires, its signals keep alive the same rule's incidents in narrower segments."""
        if incident.phase != "pending":
            return
        for narrower in self.opened:
            same_rule = narrower.rule == signal.rule and narrower.family == signal.family
            if (
                narrower is not incident
                and narrower.firing
                and same_rule
                and within(narrower.where, signal.where)
            ):
                narrower.seen = at

    def _open(self, signal: Signal, at: float, *, local: bool) -> Incident | None:
        if len(self.opened) >= MAX_OPEN:
            return None
        policy = policy_of(self.policies, signal.rule, signal.family)
        name = identity(signal.family, signal.rule, signal.where)
        before = self.flaps.get(name)
        times = before.times + 1 if before is not None and at - before.at < FLAP_S else 1
        incident = Incident(
            local=local and signal.family == "feed",
            family=signal.family,
            rule=signal.rule,
            where=signal.where,
            lead=signal,
            tier=signal.tier,
            began=at,
            seen=at,
            onset=at,
            for_s=self._hold_time(signal),
            keep_s=min(MAX_KEEP_S, policy.keep_s * 2.0 ** min(times - 1, 16)),
            times=times,
        )
        self.opened.append(incident)
        return incident

    def _hold_time(self, signal: Signal) -> float:
        """Seconds a signal must last before it fires; longer if a narrower segment fires already."""
        for_s = policy_of(self.policies, signal.rule, signal.family).for_s
        return max(for_s, WIDEN_S if self._narrower_is_firing(signal) else 0.0)

    def _narrower_is_firing(self, signal: Signal) -> bool:
        """Whether a narrower incident of the family fires at the same or a worse tier."""
        return any(
            incident.firing and incident.family == signal.family and len(incident.where) > len(signal.where)
            and within(incident.where, signal.where) and RANK[incident.tier] >= RANK[signal.tier]
            for incident in self.opened
        )  # fmt: skip

    def _date(self, troubles: Sequence[Trouble], at: float) -> None:
        """Until it fires, an incident has the onset of the verdict's trouble of its family in its segment."""
        for incident in self.opened:
            if incident.phase != "pending":
                continue
            trouble = _trouble_of(incident, troubles)
            if trouble is not None:
                incident.date(min(trouble.since, at), trouble.earliest, trouble.latest, trouble.marker)

    # -- time ---------------------------------------------------------------------------------------------------

    def _expire(self, at: float) -> None:
        """Drop pending incidents without a signal at this mark, and resolve firing ones after `keep_s` without one."""
        self.silences = [silence for silence in self.silences if silence.until > at]
        remaining = []
        for incident in self.opened:
            quiet = at - incident.seen
            if incident.phase == "pending" and quiet > 0:
                continue
            if incident.firing and quiet >= incident.keep_s:
                self.resolve(incident, at, "")
            if incident.phase == "resolved" and (not incident.held or quiet >= incident.keep_s):
                incident.held = False
            remaining.append(incident)
        self.opened = remaining
        self.flaps = {name: flap for name, flap in self.flaps.items() if at - flap.at < FLAP_S}

    def resolve(self, incident: Incident, at: float, by: str) -> None:
        """Resolve an incident: manually (`by`), or automatically (`by` is empty)."""
        incident.phase = "resolved"
        incident.resolved_at, incident.resolved_by = at, by
        incident.over_at = incident.seen
        incident.held = bool(by)
        if len(self.flaps) < MAX_FLAPS:
            self.flaps[incident.identity] = Flap(incident.times, at)

    # -- effects ------------------------------------------------------------------------------------------------

    def _collect_effects(self, at: float, deployment: str) -> list[Effect]:
        """Fire due incidents, apply inhibition and silences, collect effects, and archive resolved incidents."""
        for incident in self.opened:
            if incident.phase == "pending" and not self._is_waiting(incident, at):
                self._fire(incident, at)
        mute(self.opened, self.closed, at)
        effects: list[Effect] = []
        for incident in self.opened:
            incident.silence = self._silence_of(incident)
            reason = _reason_to_notify(incident)
            if reason:
                effects.append(effect(incident, reason, at, deployment))
                if incident.told != "loud":
                    incident.told = "quiet" if incident.silence else "loud"
                incident.told_tier = incident.tier
                if reason == "resolved":
                    incident.told = ""
        self._archive()
        return effects

    def _fire(self, incident: Incident, at: float) -> None:
        """Fire an incident and give it its number."""
        if incident.local:
            self.local_numbers += 1
        else:
            self.numbers += 1
        incident.fire(self.local_numbers if incident.local else self.numbers, at)

    def _is_waiting(self, incident: Incident, at: float) -> bool:
        blinded = self.blind and incident.family not in EVENTS
        return blinded or at - incident.began < incident.for_s

    def _silence_of(self, incident: Incident) -> int:
        return next((silence.number for silence in self.silences if silence.matches(incident)), 0)

    def _archive(self) -> None:
        """Move resolved incidents to `closed`; one resolved manually stays open while its signal lasts."""
        over = [incident for incident in self.opened if incident.phase == "resolved" and not incident.held]
        if over:
            self.opened = [
                incident for incident in self.opened if incident.phase != "resolved" or incident.held
            ]
            self.closed = [*self.closed, *over][-MAX_CLOSED:]


def _trouble_of(incident: Incident, troubles: Sequence[Trouble]) -> Trouble | None:
    """The trouble of the family whose segment is nearest: the same, else one that contains it or lies within it."""
    candidates = [
        trouble
        for trouble in troubles
        if trouble.kind == incident.family and known(trouble.earliest)
        and (within(trouble.where, incident.segment) or within(incident.segment, trouble.where))
    ]  # fmt: skip
    size = len(incident.segment)
    return min(candidates, key=lambda trouble: (abs(len(trouble.where) - size), trouble.key), default=None)


def _reopens(incident: Incident, signal: Signal) -> bool:
    """Whether a signal reopens a manually resolved incident: it is worse, or happened again."""
    again = signal.family in PER_KIND and signal.n > incident.lead.n
    return incident.phase == "resolved" and (again or RANK[signal.tier] > RANK[incident.tier])


def _reason_to_notify(incident: Incident) -> Reason | None:
    """Why to notify about an incident, if at all. Whatever was announced is also announced as resolved."""
    if incident.phase == "resolved":
        return "resolved" if incident.told else None
    if not incident.firing or incident.part_of:
        return None
    if not incident.told or (incident.told == "quiet" and not incident.silence):
        return "fired"
    return "worse" if RANK[incident.tier] > RANK[incident.told_tier] else None


def effect(incident: Incident, reason: Reason, at: float, deployment: str, by: str = "") -> Effect:
    """The effect that describes an incident."""
    lead = incident.lead
    return Effect(
        reason=reason,
        key=incident.key(deployment),
        incident_id=incident.id,
        tier=incident.tier,
        family=incident.family,
        rule=incident.rule,
        where=incident.segment,
        at=at,
        onset=incident.onset,
        summary=_summary(incident, reason),
        blame=blame_line(incident.reported),
        runbook=lead.runbook or incident.family,
        links=lead.links,
        by=by or incident.resolved_by if reason == "resolved" else by,
        silenced=bool(incident.silence),
        fired_at=_or_0(incident.fired_at),
        acked_at=_or_0(incident.acked_at),
        note=_note_at(incident, at),
    )


def _summary(incident: Incident, reason: Reason) -> str:
    """The figure at firing, at its end also the worst and the last one; the present one if it has got worse."""
    if reason == "worse" or incident.at_firing is None:
        return incident.lead.text
    if reason == "resolved":
        course = course_of(incident.at_firing, incident.worst, incident.last)
        return f"{incident.at_firing.text}, {course}" if course else incident.at_firing.text
    return incident.at_firing.text


def _note_at(incident: Incident, at: float) -> str:
    """The text of the operator act at `at`, if any."""
    last = incident.notes[-1] if incident.notes else None
    return last.text if last is not None and last.at == at else ""


def _or_0(at: float) -> float:
    return at if known(at) else 0.0
