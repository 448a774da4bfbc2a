"""One incident: its signals, phase and acknowledgement. Plain state, driven by `lifecycle.py`."""

from __future__ import annotations

import hashlib
from typing import Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from voicetop.alerts.incidents.policy import RANK
from voicetop.alerts.signals import Family, Signal, Tier
from voicetop.engine.snapshot import NAN, IncidentFigure, IncidentNote, Where
from voicetop.formatting.numbers import known

Phase: TypeAlias = Literal["pending", "firing", "resolved"]
MAX_ALSO, MAX_NOTES, MAX_TICKS = 16, 50, 50
COUNTED = frozenset({"calls", "s"})
"""Units of figures that are counted or measured once: chance plays no part in them."""
MIN_N = 30
"""Observations from which a share or a percentile may be an incident's worst."""


class Incident(Struct, kw_only=True):
    """`family`, `rule` and `where` come from its first signal, `number` is set when it fires. They never change;
    the dedup key consists of them.

    `lead` is the signal that represents it, `also` the texts of other rules that joined. `began` and `seen` are the
    first and last mark with a signal; it resolves `keep_s` after `seen`. `told` is how it was announced ("quiet": while
    silenced), `told_tier` at which tier. `held`: it was resolved manually while its signal is still on.

    `at_firing` is the figure when it fired, `worst` the worst comparable one over enough observations; both are None
    if they aren't known. The last one is the lead's. `earliest` and `latest` bound the onset; `marker` is the change
    that it began with, at the onset. Nothing of the onset changes once it fires.
    """

    family: Family
    rule: str
    where: Where
    lead: Signal
    tier: Tier
    began: float
    seen: float
    onset: float
    for_s: float
    keep_s: float
    number: int = 0
    local: bool = False
    phase: Phase = "pending"
    fired_at: float = NAN
    over_at: float = NAN
    resolved_at: float = NAN
    resolved_by: str = ""
    acked_at: float = NAN
    acked_by: str = ""
    silence: int = 0
    part_of: str = ""
    part_why: str = ""
    told: Literal["", "quiet", "loud"] = ""
    told_tier: Tier = "info"
    times: int = 1
    held: bool = False
    also: dict[str, str] = field(default_factory=dict)
    notes: list[IncidentNote] = field(default_factory=list)
    ticks: dict[int, IncidentNote] = field(default_factory=dict)
    at_firing: IncidentFigure | None = None
    worst: IncidentFigure | None = None
    earliest: float = NAN
    latest: float = NAN
    marker: str = ""

    @property
    def id(self) -> str:
        """The id used in commands and operator records: i12, or L2 if only this console knows it."""
        if not self.number:
            return "–"
        return f"L{self.number}" if self.local else f"i{self.number}"

    @property
    def segment(self) -> Where:
        """The segment affected now: the one localized by the scan, within the original `where`."""
        return self.lead.where or self.where

    @property
    def identity(self) -> str:
        """Family, rule and segment: equal for a recurrence at another time."""
        return identity(self.family, self.rule, self.where)

    @property
    def firing(self) -> bool:
        return self.phase == "firing"

    @property
    def last(self) -> IncidentFigure:
        """The figure at the last mark at which it was on."""
        return _figure(self.lead, self.seen)

    @property
    def reported(self) -> Signal:
        """The lead with the figure at firing: the cause as far as it is known by now."""
        lead, figure = self.lead, self.at_firing
        lag_s = lead.marker_lag_s + self.onset - lead.onset
        if self.marker:
            lead = replace(lead, marker=self.marker, marker_lag_s=0.0)
        elif known(lag_s):
            lead = replace(lead, marker_lag_s=lag_s)
        if figure is None:
            return lead
        return replace(
            lead, text=figure.text, metric=figure.metric, value=figure.value, normal=figure.normal,
            unit=figure.unit, n=figure.n, line=figure.line, because=figure.because,
            at_least=figure.at_least,
        )  # fmt: skip

    def date(self, onset: float, earliest: float, latest: float, marker: str) -> None:
        """Set the onset, with its bounds and the change that it began with."""
        self.onset, self.earliest, self.latest, self.marker = onset, earliest, latest, marker

    def fire(self, number: int, at: float) -> None:
        """It fires at mark `at`."""
        self.number, self.phase, self.fired_at = number, "firing", at
        figure = self.at_firing = _figure(self.lead, at)
        worst = self.worst
        if worst is None or not worst.comparable(figure) or self._worse(figure, worst):
            self.worst = figure if _sensible(figure) else None

    def update(self, signal: Signal, at: float) -> None:
        """Add a signal of mark `at`. The worst signal of a mark leads; its own rule wins ties."""
        first_of_mark = self.seen < at or self.lead is signal
        if signal.rule != self.lead.rule and (signal.rule in self.also or len(self.also) < MAX_ALSO):
            self.also[signal.rule] = signal.text
        if first_of_mark or self._rank(signal) > self._rank(self.lead):
            self._promote(signal)
        if self.phase == "pending" and known(signal.onset):
            exact = signal.marker if signal.marker_lag_s == 0 else ""
            self.date(min(signal.onset, at), signal.earliest, signal.latest, exact)
        if RANK[signal.tier] > RANK[self.tier]:
            self.tier = signal.tier
        self.seen = at
        self._keep_worst(_figure(self.lead, at))

    def _keep_worst(self, figure: IncidentFigure) -> None:
        """Keep this figure if it is the worst so far."""
        before = self.worst or self.at_firing
        if before is None:
            worse = True
        elif not figure.comparable(before):
            worse = not self.firing
        else:
            worse = self._worse(figure, before)
        if worse and _sensible(figure):
            self.worst = figure

    def _worse(self, figure: IncidentFigure, before: IncidentFigure) -> bool:
        if not known(before.value):
            return True
        return figure.value < before.value if self.lead.low_is_bad else figure.value > before.value

    def _rank(self, signal: Signal) -> tuple[int, bool]:
        return RANK[signal.tier], signal.rule == self.rule

    def _promote(self, signal: Signal) -> None:
        """Make this signal the lead; the previous lead joins `also`."""
        if self.lead.rule != signal.rule:
            self.also[self.lead.rule] = self.lead.text
        self.also.pop(signal.rule, None)
        self.lead = signal

    def key(self, deployment: str) -> str:
        """The dedup key, independent of severity and value, so that it stays the same for the incident's life.

        A hash of deployment, family, rule and segment, with the number: the same on every console and in every replay.
        """
        text = f"{deployment}\n{self.identity}\n{self.id}"
        return f"voicetop-{hashlib.blake2b(text.encode(), digest_size=10).hexdigest()}-{self.id}"


def _figure(signal: Signal, at: float) -> IncidentFigure:
    return IncidentFigure(
        at, signal.text, signal.rule, signal.metric, signal.value, signal.normal, signal.unit, signal.n,
        line=signal.line, because=signal.because, at_least=signal.at_least,
    )  # fmt: skip


def _sensible(figure: IncidentFigure) -> bool:
    """Whether there are enough observations for an extreme that isn't chance."""
    return known(figure.value) and (figure.unit in COUNTED or figure.n >= MIN_N)


def identity(family: str, rule: str, where: Where) -> str:
    return "\n".join((family, rule, *(f"{name}={value}" for name, value in sorted(where))))


def within(inner: Where, outer: Where) -> bool:
    """Whether `inner` is part of `outer`: billing × es is part of billing, and every segment of ()."""
    return set(outer) <= set(inner)
