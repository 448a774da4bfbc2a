"""Screen 1: the panels of figures."""

from __future__ import annotations

from msgspec import Struct

from voicetop.engine.snapshot.figures import Figure, Latencies, Series
from voicetop.engine.snapshot.view import NAN, Severity


class LatencyPanel(Struct, frozen=True):
    """Response time and its split. `split` holds (stage, p50 figure) of STT, endpointing, LLM, tool, TTS, other.

    `culprit` is the stage whose P95 grew most against its normal, by `culprit_ms`; "" if none stands out.
    `measured_from` counts the turns by where e2e was measured from, most first; a fleet may mix them.
    """

    e2e: Latencies
    stages: tuple[Latencies, ...] = ()
    split: tuple[tuple[str, Figure], ...] = ()
    chart: Series | None = None
    measured_from: tuple[tuple[str, int], ...] = ()
    culprit: str = ""
    culprit_ms: float = 0.0


class ErrorKind(Struct, frozen=True):
    """One kind of final error: % of conversations in which it occurred."""

    component: str
    category: str
    rate: Figure = Figure()


class ErrorPanel(Struct, frozen=True):
    """Share of active calls with a final error in the window; `hours` is the rate by hour, 24 h. `chart_warn` is the
    threshold of the points of `chart`, which are of shorter or longer windows than `rate`.
    """

    rate: Figure = Figure()
    kinds: tuple[ErrorKind, ...] = ()
    chart: Series | None = None
    chart_warn: float = NAN
    hours: Series | None = None
    retried: int = 0


class OutcomePanel(Struct, frozen=True):
    """Success of the ended calls whose outcome is known; `coverage` is the share of them that is known."""

    success: Figure = Figure()
    coverage: Figure = Figure()
    escalation: Figure = Figure()
    containment: Figure = Figure()
    chart: Series | None = None


class StepShare(Struct, frozen=True):
    """A step of the funnel: calls that reached it, and the share of all abandonment that happened at it."""

    step: str
    reached: int
    abandoned: int
    share: float


class AbandonPanel(Struct, frozen=True):
    """Abandonment of the ended calls, where it happens (worst first), and the funnel in the order of first reach."""

    rate: Figure = Figure()
    steps: tuple[StepShare, ...] = ()
    funnel: tuple[StepShare, ...] = ()
    chart: Series | None = None


class CostPanel(Struct, frozen=True):
    """Dollars per ended call; `shares` by component; `estimated` is the share of calls priced from the table."""

    per_call: Figure = Figure()
    shares: tuple[tuple[str, float], ...] = ()
    estimated: float = 0.0
    chart: Series | None = None


class SentimentPanel(Struct, frozen=True):
    """Sentiment (1–5) as evaluators reported it, calls frustrated right now, and interruptions per 100 turns."""

    sentiment: Figure = Figure()
    frustrated: Figure = Figure()
    interruptions: Figure = Figure()


class CapacityPanel(Struct, frozen=True):
    """Live calls against the tested limit (0: unset): `severity` is "degraded" near it, "down" at it.

    `minutes_to_limit` is NaN if arrivals don't reach it. `published` is what a publisher reports instead of the limit
    that the operator set at the hub; 0 if it reports none.
    """

    live: int = 0
    limit: int = 0
    tested_at: float = NAN
    peak: int = 0
    peak_at: float = NAN
    arrivals_per_min: float = NAN
    handling_s: float = NAN
    minutes_to_limit: float = NAN
    chart: Series | None = None
    severity: Severity = "ok"
    published: int = 0
