"""Screen 4: incidents and silences."""

from __future__ import annotations

from msgspec import Struct

from voicetop.engine.snapshot.view import NAN, Where
from voicetop.formatting.numbers import known


class IncidentNote(Struct, frozen=True):
    """An operator's act or note on an incident, at stamp time `at`."""

    at: float
    by: str
    text: str = ""


class IncidentFigure(Struct, frozen=True):
    """An incident's figure at mark `at`: `text` in words, `value` and `normal` in `unit`, over `n` observations.

    Two figures compare if they are of one `rule` in one `unit`. `line` is the threshold, if there is one, and `because`
    where it comes from. `at_least` marks a percentile raised by callers still waiting.
    """

    at: float
    text: str
    rule: str = ""
    metric: str = ""
    value: float = NAN
    normal: float = NAN
    unit: str = ""
    n: int = 0
    line: float = NAN
    because: str = ""
    at_least: bool = False

    def comparable(self, other: IncidentFigure) -> bool:
        """Whether it measures the same as another figure."""
        return self.rule == other.rule and self.unit == other.unit


class IncidentRow(Struct, frozen=True):
    """One incident, ready to paint. Times are stamp times (epoch s), NaN if it hasn't happened.

    `state` is pending, firing, acknowledged, silenced or resolved; `tier` critical, warning or info, at its worst.
    `text` says what is wrong, in numbers; `blame` names segment, stage and marker; `because` explains the threshold:
    all three as of its firing, like `at_firing`. `worst` is its worst figure over enough observations, None without
    one; `last` is the one of the last mark at which it was on, which is `ended`.
    `began` is the estimated onset, `earliest` and `latest` bound it (95 %), and `marker` names the change that was made
    then, if any. `muted` names the larger incident that it is part of, if any. `times` counts its
    recurrences; `due` is when a pending one fires. `also` are the other rules that joined it.
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
    at_firing: IncidentFigure | None = None
    worst: IncidentFigure | None = None
    last: IncidentFigure | None = None
    earliest: float = NAN
    latest: float = NAN
    marker: str = ""

    @property
    def to_detect_s(self) -> float:
        """From the estimated onset to firing."""
        return max(0.0, self.fired - self.began) if known(self.fired) else NAN

    @property
    def to_acknowledge_s(self) -> float:
        """From firing to acknowledgement."""
        return self.acked - self.fired

    @property
    def to_resolve_s(self) -> float:
        """From firing to resolution."""
        return self.resolved - self.fired


class SilenceRow(Struct, frozen=True):
    """A silence: what it matches, until when, by whom and why; `hits` counts the open incidents it silences."""

    id: str
    matcher: str
    until: float
    by: str
    text: str = ""
    since: float = NAN
    hits: int = 0


class AlertsPanel(Struct, frozen=True):
    """Firing incidents, most urgent first, then resolved ones, newest first. `critical` and `warning` count firing ones
    that are neither part of a larger one nor silenced; `crowded` counts signals dropped at the limit.
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
