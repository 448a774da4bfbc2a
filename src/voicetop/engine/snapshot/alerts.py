"""Screen 4: incidents and silences."""

from __future__ import annotations

from msgspec import Struct

from voicetop.engine.snapshot.view import NAN, Where
from voicetop.formatting.numbers import known


class IncidentNote(Struct, frozen=True):
    """What somebody did or said about an incident, and when (stamp time)."""

    at: float
    by: str
    text: str = ""


class IncidentRow(Struct, frozen=True):
    """One incident, ready to paint. Times are stamp times (epoch s), NaN where it hasn't come to that.

    `state` is pending, firing, acknowledged, silenced or resolved; `tier` critical, warning or info, at its worst.
    `text` says why it fired, in numbers; `blame` who, which stage, since which marker; `because` where its line comes
    from. `began` is the estimated onset, `ended` the last mark at which it was on. `muted` says what it is part of,
    where a larger incident speaks for it. `times` counts it among those of its kind that came back; `due` is when a
    pending one fires. `also` are the other rules that joined it.
    """

    id: str
    state: str
    tier: str
    family: str
    rule: str
    text: str
    blame: str = ""
    because: str = ""
    where: Where = ()
    began: float = NAN
    fired: float = NAN
    acked: float = NAN
    ended: float = NAN
    resolved: float = NAN
    acked_by: str = ""
    resolved_by: str = ""
    silence: str = ""
    silenced_until: float = NAN
    muted: str = ""
    due: float = NAN
    times: int = 1
    value: float = NAN
    normal: float = NAN
    line: float = NAN
    unit: str = ""
    n: int = 0
    calls: int = 0
    stage: str = ""
    component: str = ""
    provider: str = ""
    version: str = ""
    explains: float = NAN
    also: tuple[str, ...] = ()
    notes: tuple[IncidentNote, ...] = ()
    ticks: tuple[tuple[int, IncidentNote], ...] = ()
    runbook: str = ""
    links: tuple[str, ...] = ()

    @property
    def to_detect_s(self) -> float:
        """From the estimated onset until it fired."""
        return max(0.0, self.fired - self.began) if known(self.fired) else NAN

    @property
    def to_acknowledge_s(self) -> float:
        """From when it fired until somebody took it."""
        return self.acked - self.fired

    @property
    def to_resolve_s(self) -> float:
        """From when it fired until it was over or taken as over."""
        return self.resolved - self.fired


class SilenceRow(Struct, frozen=True):
    """A silence: what it matches, until when, by whom and why; `hits` are the open incidents it keeps quiet."""

    id: str
    matcher: str
    until: float
    by: str
    text: str = ""
    since: float = NAN
    hits: int = 0


class AlertsPanel(Struct, frozen=True):
    """What fired, the most urgent first, then what is over, the newest first; `critical` and `warning` count those
    that fire and speak for themselves (neither part of a larger one nor silenced). `crowded` found no room.
    """

    incidents: tuple[IncidentRow, ...] = ()
    silences: tuple[SilenceRow, ...] = ()
    critical: int = 0
    warning: int = 0
    learning_s: float = 0.0
    crowded: int = 0
    last_resolved: float = NAN

    def find(self, incident_id: str) -> IncidentRow | None:
        """The incident of that id, if it is still known."""
        return next((row for row in self.incidents if row.id == incident_id), None)
