"""One incident: what its signals say, where it stands, who took it. Plain state, moved on by `incidents.py`."""

from __future__ import annotations

import hashlib
from typing import Literal, TypeAlias

from msgspec import Struct, field

from voicetop.alerts.incidents.policy import RANK
from voicetop.alerts.signals import Family, Signal, Tier
from voicetop.engine.snapshot import NAN, IncidentNote, Where
from voicetop.formatting.numbers import known

Phase: TypeAlias = Literal["pending", "firing", "resolved"]
MOST_ALSO, MOST_NOTES, MOST_TICKS = 16, 50, 50


class Incident(Struct, kw_only=True):
    """`family`, `rule` and `where` are what it was founded on, `number` it gets when it fires; they never change, and
    its key is made of them.

    `lead` is the signal that speaks for it now, `also` the texts of other rules that joined. `began` and `seen` are the
    first and last mark with a sign of it; `keep_s` after `seen` it resolves. `told` is how it was announced ("quiet":
    while silenced), `told_tier` at which tier. `held`: somebody resolved it while its signal is still on, which is
    therefore not news.
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

    @property
    def id(self) -> str:
        """What people type and operator records name: i12, or L2 for what only this console can know."""
        if not self.number:
            return "–"
        return f"L{self.number}" if self.local else f"i{self.number}"

    @property
    def segment(self) -> Where:
        """Who it is about now: what the scan blames, within what it was founded on."""
        return self.lead.where or self.where

    @property
    def identity(self) -> str:
        """Family, rule and segment: the same thing at another time has the same."""
        return identity(self.family, self.rule, self.where)

    @property
    def firing(self) -> bool:
        return self.phase == "firing"

    def hear(self, signal: Signal, at: float) -> None:
        """A sign of it at mark `at`. The worst signal of a mark speaks; its own rule goes before those that joined."""
        first_of_mark = self.seen < at or self.lead is signal
        if signal.rule != self.lead.rule and (signal.rule in self.also or len(self.also) < MOST_ALSO):
            self.also[signal.rule] = signal.text
        if first_of_mark or self._rank(signal) > self._rank(self.lead):
            self._promote(signal)
        if self.phase == "pending":
            self.onset = min(signal.onset, at) if known(signal.onset) else self.onset
        if RANK[signal.tier] > RANK[self.tier]:
            self.tier = signal.tier
        self.seen = at

    def _rank(self, signal: Signal) -> tuple[int, bool]:
        return RANK[signal.tier], signal.rule == self.rule

    def _promote(self, signal: Signal) -> None:
        """Let this signal speak; the one that spoke before is listed with the others."""
        if self.lead.rule != signal.rule:
            self.also[self.lead.rule] = self.lead.text
        self.also.pop(signal.rule, None)
        self.lead = signal

    def key(self, deployment: str) -> str:
        """The dedup key: never made of severity or value, so that it is the same whatever becomes of it.

        A hash of deployment, family, rule and segment, with the number: the same on every console and in every replay.
        """
        told = f"{deployment}\n{self.identity}\n{self.id}"
        return f"voicetop-{hashlib.blake2b(told.encode(), digest_size=10).hexdigest()}-{self.id}"


def identity(family: str, rule: str, where: Where) -> str:
    return "\n".join((family, rule, *(f"{name}={value}" for name, value in sorted(where))))


def within(inner: Where, outer: Where) -> bool:
    """Whether `inner` is part of `outer`: billing × es is part of billing, and everything is part of everybody."""
    return set(outer) <= set(inner)
