"""The numbers that panels are made of. Each comes with its n; what isn't known is NaN."""

from __future__ import annotations

from msgspec import Struct

from voicetop.engine.snapshot.view import NAN
from voicetop.formatting.numbers import known


class Normal(Struct, frozen=True):
    """What the session has learned as normal: a median and the usual deviation from it; `n` minutes taught it."""

    value: float = NAN
    spread: float = NAN
    n: int = 0

    @property
    def known(self) -> bool:
        return known(self.value)


class Figure(Struct, frozen=True):
    """One number on the screen. `n` is what it rests on; `low` and `high` bound a rate (Wilson, 95 %).

    `at_least` marks a percentile that callers who still wait have pushed up: it is no less than this.
    `few` says that n is too small for the figure to be read as one. `off` says that it is off its normal beyond doubt,
    which takes more than a value over `warn`. `rule` names the rule whose own figure `warn` is; empty where it follows
    from the normal.
    """

    value: float = NAN
    n: int = 0
    low: float = NAN
    high: float = NAN
    normal: Normal = Normal()
    warn: float = NAN
    at_least: bool = False
    few: bool = False
    off: bool = False
    rule: str = ""

    @property
    def known(self) -> bool:
        return known(self.value)

    @property
    def ratio(self) -> float:
        """Times normal; NaN where either isn't known."""
        return self.value / self.normal.value if self.normal.value else NAN


class Latencies(Struct, frozen=True):
    """P50, P95, P99 in ms of one metric ("e2e", or a stage: stt, eou, llm_ttft, tool, tts_ttfb, ...)."""

    name: str
    p50: Figure = Figure()
    p95: Figure = Figure()
    p99: Figure = Figure()


class Series(Struct, frozen=True):
    """A figure over time for a chart: `values[i]` belongs to `start + i × step` (epoch seconds); NaN is a hole."""

    start: float
    step: float
    values: tuple[float, ...]
