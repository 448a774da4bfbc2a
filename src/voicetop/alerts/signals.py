"""Signals of detectors and effects of incidents: plain values, so that live and replay behave alike.

Detectors return the `Signal`s active at a 5-second mark of stamp time; incidents group them and return `Effect`s. Only
a live session passes effects to a notifier.
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
    """One detector's finding at one mark.

    `rule` is the detector or rule ("errors", "latency.llm", "my_rule"), `where` the segment (() is all). `value`,
    `normal` and the threshold `line` are in the metric's `unit` (see `formatting.numbers`), over `n` observations.
    `onset` is the estimated stamp time at which it began, `earliest` and `latest` bound it (95 %). `marker` is a change
    of the agent, `marker_lag_s` the time from it to the onset: 0 if that is the onset. `calls` is the number affected.
    `text` is one line without the blame, `because` the derivation of the threshold ("1.5 × normal P95 1,800 ms").
    `metric` names `value` ("P95 response", "LLM errors") and begins the blame line. `stage_share` is the share of the
    excess in `stage`. `runbook` defaults to the family's. `low_is_bad`: a lower value is worse, as of success.
    `at_least` marks a percentile raised by callers still waiting.
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
    low_is_bad: bool = False
    earliest: float = NAN
    latest: float = NAN
    at_least: bool = False


class Effect(Struct, frozen=True):
    """A notification. `key` is the dedup key: deployment, family, rule, segment, the incident's number.

    `at` is stamp time; `summary` one safe line, with the figure at firing and, once it is over, the worst and the last
    one; `tier` the incident's worst. `fired_at` and `acked_at` are 0 if that didn't happen. `note` is the
    text of the act of `by`.
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
        """Seconds from the estimated onset to the alert; NaN if unknown."""
        return self.fired_at - self.onset if self.fired_at else NAN

    @property
    def to_acknowledge_s(self) -> float:
        """Seconds from the alert to its acknowledgement; NaN if there is none."""
        return self.acked_at - self.fired_at if self.fired_at and self.acked_at else NAN

    @property
    def to_resolve_s(self) -> float:
        """Seconds from the estimated onset to the end; NaN before that."""
        return self.at - self.onset if self.reason == "resolved" else NAN
