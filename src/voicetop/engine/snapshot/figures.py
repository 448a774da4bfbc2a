"""The figures in panels. Each comes with its n; unknown ones are NaN."""

from __future__ import annotations

from msgspec import Struct

from voicetop.engine.snapshot.view import NAN
from voicetop.formatting.numbers import known


class Normal(Struct, frozen=True):
    """A learned normal: the median and typical deviation over `n` minutes."""

    value: float = NAN
    spread: float = NAN
    n: int = 0

    @property
    def known(self) -> bool:
        return known(self.value)


class Figure(Struct, frozen=True):
    """One number on the screen. `low` and `high` bound a rate (Wilson, 95 %).

    `at_least` marks a percentile raised by callers still waiting: a lower bound. `few`: n is too small to interpret.
    `off`: significantly off its normal, which takes more than a value over `warn`. `rule` names the rule that defines
    `warn`; empty if it is derived from the normal.
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
        """Times normal; NaN if either is unknown."""
        return self.value / self.normal.value if self.normal.value else NAN


class Latencies(Struct, frozen=True):
    """P50, P95, P99 in ms of one metric ("e2e", or a stage: stt, eou, llm_ttft, tool, tts_ttfb, ...)."""

    name: str
    p50: Figure = Figure()
    p95: Figure = Figure()
    p99: Figure = Figure()


class Series(Struct, frozen=True):
    """A figure over time for a chart: `values[i]` belongs to `start + i × step` (epoch seconds); NaN is a hole.

    `at_least` marks values that are lower bounds, since callers were waiting; `n` counts what each rests on. Both are
    empty if not known. The last value reaches `until` (epoch seconds); NaN if its time is over.
    """

    start: float
    step: float
    values: tuple[float, ...]
    at_least: tuple[bool, ...] = ()
    n: tuple[int, ...] = ()
    until: float = NAN
