"""What detectors say and what incidents make of it: plain values, so that a replay is judged as live was.

Detectors give the `Signal`s that are on at a 5-second mark of stamp time; incidents group them, and give `Effect`s as
data. Only a live session hands effects to a notifier.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from voicetop.engine.snapshot import NAN, Where

Tier: TypeAlias = Literal["critical", "warning", "info"]
Family: TypeAlias = Literal[
    "errors", "latency", "waiting", "capacity", "success", "escalation", "abandonment", "cost", "sentiment",
    "frustration", "compliance", "security", "traffic", "feed", "intent",
]  # fmt: skip
Reason: TypeAlias = Literal["fired", "worse", "acknowledged", "returned", "resolved"]


class Signal(Struct, frozen=True):
    """One detector's word at one mark: something is not as it was.

    `rule` names the detector or rule ("errors", "latency.llm", "my_rule"), `where` the segment (() is everybody).
    `value` against `normal` and `line` are in the metric's own `unit` (those of `words.WRITE`); `n` is what the value
    rests on; `onset` the estimated stamp time at which it began; `calls` how many it hit.
    `text` is one line in words without the blame, `because` the derivation of the line ("1.5 × normal P95 1,800 ms").
    `metric` names what `value` is ("P95 response", "LLM errors"): the blame line begins with it. `stage_share` is
    the part of the excess that lies in `stage`. `runbook` may stay empty: the family's is taken then.
    """

    rule: str
    family: Family
    tier: Tier
    text: str
    onset: float
    where: Where = ()
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
    marker: str = ""
    marker_lag_s: float = NAN
    explains: float = NAN
    because: str = ""
    runbook: str = ""
    links: tuple[str, ...] = ()
    metric: str = ""
    stage_share: float = NAN


class Effect(Struct, frozen=True):
    """What the outside should hear. `key` is the dedup key: deployment, family, rule, segment, the incident's number.

    `at` is stamp time; `summary` one safe line; `tier` that of the incident at its worst. `fired_at` and `acked_at` are
    0 where it did not come to that: what it took to see, to take and to end it is known to whoever is told. `note` is
    what `by` said with it.
    """

    reason: Reason
    key: str
    incident_id: str
    tier: Tier
    family: Family
    rule: str
    where: Where
    at: float
    onset: float
    summary: str
    blame: str = ""
    runbook: str = ""
    links: tuple[str, ...] = ()
    by: str = ""
    silenced: bool = False
    fired_at: float = 0.0
    acked_at: float = 0.0
    note: str = ""

    @property
    def to_detect_s(self) -> float:
        """From the estimated onset to the alert; NaN where it isn't known."""
        return self.fired_at - self.onset if self.fired_at else NAN

    @property
    def to_acknowledge_s(self) -> float:
        """From the alert to somebody's taking it; NaN where nobody has."""
        return self.acked_at - self.fired_at if self.fired_at and self.acked_at else NAN

    @property
    def to_resolve_s(self) -> float:
        """From the estimated onset to the end; NaN before that."""
        return self.at - self.onset if self.reason == "resolved" else NAN
