"""The metrics available to rules, by name: computed by the same functions as the panels.

p50_e2e p95_e2e p99_e2e        and of each stage: p95_stt p95_eou p95_llm p95_tool p95_tts         (ms)
errors  errors.llm  errors.llm.timeout  success  escalation  abandonment  frustrated  capacity      (shares)
cost (dollars a call)  sentiment (1–5)  live_calls  stuck  waiting  arrivals (calls a minute)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from voicetop.alerts.signals import Family
from voicetop.engine import frustration
from voicetop.engine import normals as figures
from voicetop.engine.engine import Engine
from voicetop.engine.normals import Normals, handling_s
from voicetop.engine.snapshot import NAN, Figure, Normal, Span, Where
from voicetop.engine.windows.slots import SPANS
from voicetop.formatting import labels
from voicetop.formatting.labels import FIGURES

STAGES = {"e2e": "e2e", "stt": "stt", "eou": "eou", "llm": "llm_ttft", "tool": "tool", "tts": "tts_ttfb"}
QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
COMPONENTS = ("stt", "llm", "tts", "tool", "vad", "transport", "platform", "config", "account")


class Metric(NamedTuple):
    """`words` is its name in text; `low_is_bad` the default direction.

    `normal`: its normal is learned, so that a threshold may be a multiple of it. `most` is the largest sensible
    threshold in its unit.
    """

    family: Family
    unit: str
    words: str
    low_is_bad: bool = False
    normal: bool = True
    most: float = 1.0


BUSINESS = frozenset({"success", "escalation", "abandonment", "cost", "sentiment"})
"""Metrics with a default window of 30 minutes."""
_SIMPLE: dict[str, Metric] = {
    "errors": Metric("errors", "rate", FIGURES["errors"]),
    "success": Metric("success", "rate", FIGURES["success"], low_is_bad=True),
    "escalation": Metric("escalation", "rate", FIGURES["escalation"]),
    "abandonment": Metric("abandonment", "rate", FIGURES["abandonment"]),
    "cost": Metric("cost", "usd", FIGURES["cost"], most=1e6),
    "sentiment": Metric("sentiment", "score", FIGURES["sentiment"], low_is_bad=True, most=5.0),
    "frustrated": Metric("frustration", "rate", FIGURES["frustrated"]),
    "capacity": Metric("capacity", "rate", FIGURES["capacity"], normal=False, most=10.0),
    "live_calls": Metric("capacity", "calls", FIGURES["live_calls"], normal=False, most=1e7),
    "arrivals": Metric("traffic", "calls", FIGURES["arrivals"], low_is_bad=True, normal=False, most=1e7),
    "stuck": Metric("waiting", "calls", FIGURES["stuck"], normal=False, most=1e7),
    "waiting": Metric("waiting", "calls", FIGURES["waiting"], normal=False, most=1e7),
}


def names() -> list[str]:
    """All metric names except error categories, which come from the feed."""
    latencies = [f"{quantile}_{stage}" for quantile in QUANTILES for stage in STAGES]
    return [*latencies, *_SIMPLE, *(f"errors.{component}" for component in COMPONENTS)]


def names_in_short() -> str:
    """All metric names in one line of text."""
    simple = [name for name in _SIMPLE if name != "errors"]
    latencies = f"{' '.join(QUANTILES)} with {' '.join(f'_{stage}' for stage in STAGES)}"
    return f"{latencies}; errors, errors.llm and the like; {', '.join(simple)}"


def find(name: str) -> Metric | None:
    """The metric of that name."""
    quantile, _, stage = name.partition("_")
    if quantile in QUANTILES and stage in STAGES:
        return Metric("latency", "ms", labels.latency(stage, quantile.upper()), most=600_000.0)
    if name.startswith("errors.") and name.split(".")[1] in COMPONENTS and name.count(".") <= 2:
        return Metric("errors", "rate", labels.errors(*name.split(".")[1:]))
    return _SIMPLE.get(name)


def error_kind(name: str) -> str:
    """The count kind of an errors metric: "error:llm:timeout" of errors.llm.timeout."""
    return name.replace("errors", "error", 1).replace(".", ":")


class Readings:
    """The figures at one mark; shared computations are cached."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._scopes: dict[tuple[Where, Span], _Scope] = {}
        self._normals_of: dict[Where, Normals] = {}

    def read(self, name: str, where: Where, window: Span) -> Figure:
        """The figure with its n, and its normal if known."""
        scope = self._scopes.get((where, window))
        if scope is None:
            scope = self._scopes[where, window] = _Scope.of(self._engine, where, window, self._normals(where))
        quantile, _, stage = name.partition("_")
        if quantile in QUANTILES:
            return scope.latency(STAGES[stage], QUANTILES[quantile])
        if name.startswith("errors"):
            return scope.errors(name)
        if name in figures.OUTCOMES:
            return figures.outcome(name, scope.sums, scope.normals)
        return _READ[name](scope)

    def _normals(self, where: Where) -> Normals:
        if where not in self._normals_of:
            engine = self._engine
            cells = engine.ledger.cells.matching(where)
            self._normals_of[where] = Normals.of(engine.ledger, cells, frozenset(engine.judge.troubled))
        return self._normals_of[where]


class _Scope(Struct, frozen=True):
    """The sums of one segment in one window."""

    engine: Engine
    window: Span
    normals: Normals
    cells: figures.Cells
    sums: dict[str, int]
    live: int

    @classmethod
    def of(cls, engine: Engine, where: Where, window: Span, normals: Normals) -> _Scope:
        cells = engine.ledger.cells.matching(where)
        live = engine.ledger.cells.live
        here = sum(live) if cells is None else sum(live[cell] for cell in cells.tolist())
        return cls(engine, window, normals, cells, engine.ledger.counts.sums(window, cells), here)

    def latency(self, stage: str, q: float) -> Figure:
        ledger = self.engine.ledger
        now = ledger.windows.histograms(self.window, self.cells, len(ledger.cells))
        counts = now.get(stage)
        normal = figures.normal_of(self.normals.histograms.get(stage), q)
        if counts is None:
            return Figure(normal=normal)
        waits = None
        if stage == "e2e":
            now_waits = self.engine.waits
            waiting_now = now_waits.waiting_calls(self.engine.roster.live.values(), self.cells)
            waits = now_waits.histogram(waiting_now) + now.get("waited", 0)
        return figures.percentile(counts, waits, q, normal)

    def errors(self, name: str) -> Figure:
        """Share of active calls with an error in the window: of one kind, or of a whole component."""
        prefix = error_kind(name)
        kinds = [prefix] if prefix == "error" or prefix.count(":") == 2 else self._kinds(f"{prefix}:")
        active = self.live + self.sums.get("ended", 0)
        handling = handling_s(self.engine.ledger.counts.sums("30m", self.cells))
        rates = [self.normals.error_rate(kind, self.window, handling) for kind in kinds]
        known = [rate.value for rate in rates if rate.known]
        normal = Normal(sum(known), n=rates[0].n) if known else Normal()
        return figures.rate(sum(self.sums.get(kind, 0) for kind in kinds), active, normal)

    def _kinds(self, prefix: str) -> list[str]:
        return sorted({kind for kind in (*self.sums, *self.normals.sums) if kind.startswith(prefix)})

    def frustrated(self) -> Figure:
        chosen = None if self.cells is None else frozenset(self.cells.tolist())
        calls = [call for call in self.engine.roster.live.values() if chosen is None or call.cell in chosen]
        waits = self.engine.waits
        frustrated = sum(
            frustration.current_score(call, waits.seconds(call)) >= frustration.FRUSTRATED for call in calls
        )
        return figures.rate(frustrated, len(calls), self.normals.rate("moody", "talked"))

    def count(self, value: float) -> Figure:
        return Figure(value, self.live)

    def capacity(self) -> Figure:
        limit = self.engine.load.limit
        return Figure(self.live / limit if limit else NAN, self.live)

    def arrivals(self) -> Figure:
        started = self.sums.get("started", 0)
        return Figure(started / (SPANS[self.window] / 60), self.live + self.sums.get("ended", 0))

    def waits(self, *, stuck: bool) -> Figure:
        waits = self.engine.waits
        waiting_now = waits.waiting_calls(self.engine.roster.live.values(), self.cells)
        panel = waits.panel(waiting_now, self.engine.stuck_after_s)
        return Figure(float(panel.stuck if stuck else panel.waiting), self.live)


_READ: dict[str, Callable[[_Scope], Figure]] = {
    "frustrated": _Scope.frustrated,
    "capacity": _Scope.capacity,
    "live_calls": lambda scope: scope.count(float(scope.live)),
    "arrivals": _Scope.arrivals,
    "stuck": lambda scope: scope.waits(stuck=True),
    "waiting": lambda scope: scope.waits(stuck=False),
}
