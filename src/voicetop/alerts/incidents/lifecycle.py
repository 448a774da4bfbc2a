"""Signals, mark by mark, become incidents: pending, firing, resolved; taken by people, silenced, part of each other.

Pure and deterministic: it moves by the marks and acts it is given, so that every console, the watcher and a replay hold
the same incidents under the same ids. What the outside should hear comes back as `Effect`s.

    signals ──► known? ──► nested in an open one? ──► a new one, pending
                   └──► hear ◄──┘                       └──► fires after `for_s`, resolves `keep_s` after its last sign
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from voicetop.alerts.incident_text import blame_line
from voicetop.alerts.incidents.incident import Incident, identity, within
from voicetop.alerts.incidents.inhibition import mute
from voicetop.alerts.incidents.policy import (
    EVENTS,
    FLAP_S,
    MOST_KEEP_S,
    ONE_BY_ONE,
    RANK,
    WIDEN_S,
    Policies,
    policy_of,
)
from voicetop.alerts.incidents.silences import Silence
from voicetop.alerts.signals import Effect, Reason, Signal
from voicetop.engine.snapshot import NAN
from voicetop.formatting.numbers import known

MOST_OPEN, MOST_CLOSED, MOST_FLAPS = 1_000, 200, 1_000


class Flap(Struct, frozen=True):
    """The same thing was there before: so many times, until `at`."""

    times: int
    at: float


class Incidents(Struct, kw_only=True):
    """All that is known of incidents; part of the checkpoint and of the digest.

    `numbers` and `local_numbers` count those ever opened: a console whose line is down counts what only it sees by
    itself, so that the others' numbers stay the same. `marked` is the last mark, `acted` the operator acts that were
    applied, `refused` those that named nothing, `crowded` the signals that found no room.
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
        self, signals: Sequence[Signal], at: float, *, deployment: str = "", local: bool = False
    ) -> list[Effect]:
        """A whole mark: `signals` are all that are on at `at`. `local`: the heartbeats are this console's own."""
        self.blind = any(signal.family == "feed" and signal.tier == "critical" for signal in signals)
        if self.blind:
            self._stand_still(at)
        self.crowded = 0
        self._hear(signals, at, local=local)
        self.marked = at
        self._expire(at)
        return self._tell(at, deployment)

    def urge(
        self, signals: Sequence[Signal], at: float, *, deployment: str = "", local: bool = False
    ) -> list[Effect]:
        """Between two marks: signals that can't wait. Of all others nothing is said."""
        self._hear(signals, at, local=local)
        return self._tell(at, deployment)

    def find(self, incident_id: str) -> Incident | None:
        """An open or recently closed incident."""
        return next((one for one in (*self.opened, *reversed(self.closed)) if one.id == incident_id), None)

    # -- signals ------------------------------------------------------------------------------------------------

    def _stand_still(self, at: float) -> None:
        """We are blind: nothing that was on is over for lack of signs, and nothing that waits to fire comes nearer."""
        passed = at - self.marked if known(self.marked) else 0.0
        for incident in self.opened:
            if incident.family not in EVENTS:
                incident.seen += passed
                incident.began += passed if incident.phase == "pending" else 0.0

    def _hear(self, signals: Iterable[Signal], at: float, *, local: bool) -> None:
        by_identity = {incident.identity: incident for incident in self.opened}
        ordered = sorted(signals, key=lambda one: (-RANK[one.tier], len(one.where), one.rule, one.where))
        for signal in ordered:
            if self.blind and signal.family not in EVENTS:
                continue
            home = by_identity.get(identity(signal.family, signal.rule, signal.where)) or self._home(signal)
            if home is not None and _breaks(home, signal):
                home.held = False
                home = None
            if home is None:
                home = self._found(signal, at, local=local)
                if home is None:
                    self.crowded += 1
                    continue
                by_identity[home.identity] = home
            self._support(signal, home, at)
            if home.phase == "pending":
                home.for_s = min(home.for_s, at - home.began + self._patience(signal))
            home.hear(signal, at)

    def _home(self, signal: Signal) -> Incident | None:
        """The open incident of its family within whose segment it lies, the closest first."""
        homes = [
            one
            for one in self.opened
            if one.family == signal.family and (one.phase != "resolved" or one.held)
            and within(signal.where, one.where)
            and (one.rule == signal.rule or one.family not in ONE_BY_ONE)
        ]  # fmt: skip
        return min(homes, key=lambda one: (one.held, -len(one.where)), default=None)

    def _support(self, signal: Signal, home: Incident, at: float) -> None:
        """What one rule finds everywhere keeps alive what it had found in a segment, until everybody's has fired."""
        if home.phase != "pending":
            return
        for one in self.opened:
            mine = one.rule == signal.rule and one.family == signal.family
            if one is not home and one.firing and mine and within(one.where, signal.where):
                one.seen = at

    def _found(self, signal: Signal, at: float, *, local: bool) -> Incident | None:
        if len(self.opened) >= MOST_OPEN:
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
            onset=min(signal.onset, at) if known(signal.onset) else at,
            for_s=self._patience(signal),
            keep_s=min(MOST_KEEP_S, policy.keep_s * 2.0 ** min(times - 1, 16)),
            times=times,
        )
        self.opened.append(incident)
        return incident

    def _patience(self, signal: Signal) -> float:
        """How long a signal has to last before it fires; who joins a pending one doesn't wait for its founder."""
        for_s = policy_of(self.policies, signal.rule, signal.family).for_s
        return max(for_s, WIDEN_S if self._narrower(signal) else 0.0)

    def _narrower(self, signal: Signal) -> bool:
        """Whether a part of it fires already, at no lesser tier: then "everybody" has to last to be news."""
        return any(
            one.firing and one.family == signal.family and len(one.where) > len(signal.where)
            and within(one.where, signal.where) and RANK[one.tier] >= RANK[signal.tier]
            for one in self.opened
        )  # fmt: skip

    # -- time ---------------------------------------------------------------------------------------------------

    def _expire(self, at: float) -> None:
        """What had no sign at this mark: the pending are forgotten, the firing resolve when their time is over."""
        self.silences = [silence for silence in self.silences if silence.until > at]
        kept = []
        for incident in self.opened:
            quiet = at - incident.seen
            if incident.phase == "pending" and quiet > 0:
                continue
            if incident.firing and quiet >= incident.keep_s:
                self.resolve(incident, at, "")
            if incident.phase == "resolved" and (not incident.held or quiet >= incident.keep_s):
                incident.held = False
            kept.append(incident)
        self.opened = kept
        self.flaps = {name: flap for name, flap in self.flaps.items() if at - flap.at < FLAP_S}

    def resolve(self, incident: Incident, at: float, by: str) -> None:
        """It is over; by somebody's word, or since there is no sign of it any more."""
        incident.phase = "resolved"
        incident.resolved_at, incident.resolved_by = at, by
        incident.over_at = incident.seen
        incident.held = bool(by)
        if len(self.flaps) < MOST_FLAPS:
            self.flaps[incident.identity] = Flap(incident.times, at)

    # -- effects ------------------------------------------------------------------------------------------------

    def _tell(self, at: float, deployment: str) -> list[Effect]:
        """Fire what is due, see who is part of whom and who is silenced, say what is new; then file what is over."""
        for incident in self.opened:
            if incident.phase == "pending" and not self._waits(incident, at):
                self._fire(incident, at)
        mute(self.opened, self.closed, at)
        effects: list[Effect] = []
        for incident in self.opened:
            incident.silence = self._silence_of(incident)
            reason = _news(incident)
            if reason:
                effects.append(effect(incident, reason, at, deployment))
                if incident.told != "loud":
                    incident.told = "quiet" if incident.silence else "loud"
                incident.told_tier = incident.tier
                if reason == "resolved":
                    incident.told = ""
        self._file()
        return effects

    def _fire(self, incident: Incident, at: float) -> None:
        """From now on it has a number: what never fired has none."""
        if incident.local:
            self.local_numbers += 1
        else:
            self.numbers += 1
        incident.number = self.local_numbers if incident.local else self.numbers
        incident.phase, incident.fired_at = "firing", at

    def _waits(self, incident: Incident, at: float) -> bool:
        doubtful = self.blind and incident.family not in EVENTS
        return doubtful or at - incident.began < incident.for_s

    def _silence_of(self, incident: Incident) -> int:
        return next((one.number for one in self.silences if one.matches(incident)), 0)

    def _file(self) -> None:
        """Those that are over go to the past; one that somebody resolved stays as long as its signal does."""
        over = [one for one in self.opened if one.phase == "resolved" and not one.held]
        if over:
            self.opened = [one for one in self.opened if one.phase != "resolved" or one.held]
            self.closed = [*self.closed, *over][-MOST_CLOSED:]


def _breaks(home: Incident, signal: Signal) -> bool:
    """Whether a signal is news though somebody resolved its incident by hand: it is worse, or happened once more."""
    again = signal.family in ONE_BY_ONE and signal.n > home.lead.n
    return home.phase == "resolved" and (again or RANK[signal.tier] > RANK[home.tier])


def _news(incident: Incident) -> Reason | None:
    """What the outside doesn't know yet. A resolved is always told to whoever was told that it fired."""
    if incident.phase == "resolved":
        return "resolved" if incident.told else None
    if not incident.firing or incident.part_of:
        return None
    if not incident.told or (incident.told == "quiet" and not incident.silence):
        return "fired"
    return "worse" if RANK[incident.tier] > RANK[incident.told_tier] else None


def effect(incident: Incident, reason: Reason, at: float, deployment: str, by: str = "") -> Effect:
    """What is to be said of an incident."""
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
        summary=lead.text,
        blame=blame_line(lead),
        runbook=lead.runbook or incident.family,
        links=lead.links,
        by=by or incident.resolved_by if reason == "resolved" else by,
        silenced=bool(incident.silence),
        fired_at=_or_0(incident.fired_at),
        acked_at=_or_0(incident.acked_at),
        note=_said_at(incident, at),
    )


def _said_at(incident: Incident, at: float) -> str:
    """What somebody said with what he did at that moment."""
    last = incident.notes[-1] if incident.notes else None
    return last.text if last is not None and last.at == at else ""


def _or_0(at: float) -> float:
    return at if known(at) else 0.0
