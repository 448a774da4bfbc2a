"""The overview's panels, made from a scope's sums and histograms, and judged by its normals and rules."""

from __future__ import annotations

from msgspec.structs import replace

from voicetop.engine import normals, thresholds
from voicetop.engine.attribution.stages import SPLIT, StageExcess, culprit
from voicetop.engine.capacity import minutes_to_limit
from voicetop.engine.engine import Engine
from voicetop.engine.normals import handling_s
from voicetop.engine.snapshot import (
    NAN,
    AbandonPanel,
    CapacityPanel,
    CostPanel,
    ErrorKind,
    ErrorPanel,
    Figure,
    Latencies,
    LatencyPanel,
    OutcomePanel,
    SentimentPanel,
    Series,
    StepShare,
)
from voicetop.views.charts import Charts
from voicetop.views.scope import Scope

NAMED_STEPS = 6


def capacity(engine: Engine, chart: Series) -> CapacityPanel:
    """Live calls against the tested limit; always of the whole fleet, whatever the view's segment."""
    load = engine.load
    arrivals = arrivals_per_min(engine)
    handling = handling_s(engine.ledger.counts.sums("30m", None))
    live = len(engine.roster.live)
    peak, peak_at = load.peak(engine.at)
    return CapacityPanel(
        live=live,
        limit=load.limit,
        tested_at=load.tested_at,
        peak=max(peak, live),
        peak_at=peak_at,
        arrivals_per_min=arrivals,
        handling_s=handling,
        minutes_to_limit=minutes_to_limit(live, load.limit, arrivals, handling),
        severity=thresholds.capacity(live, load.limit),
        chart=chart,
        published=load.published if load.published != load.limit else 0,
    )


def arrivals_per_min(engine: Engine) -> float:
    """Calls that began per minute of the last five; NaN while the feed is younger.

    Who joins a running fleet meets all its calls at once, and for a while can't tell when they began.
    """
    counts = engine.ledger.counts
    first_at = min((width * number for width, number in counts.slots), default=engine.at)
    span_s = engine.at - counts.edges.short
    if first_at > counts.edges.short or not span_s:
        return NAN
    return counts.sums("5m", None).get("started", 0) / span_s * 60


def response_times(scope: Scope) -> Latencies:
    """Response times (ms); callers still waiting count as censored values."""
    now, past = scope.histograms, scope.usual.histograms
    threshold = thresholds.SEGMENT_LATENCY if scope.view.where else thresholds.LATENCY
    return normals.latencies(
        "e2e", now.get("e2e", normals.NOTHING), scope.e2e_waits, past.get("e2e"), threshold
    )


def stage_times(scope: Scope, name: str) -> Latencies | None:
    """Times of one stage (ms); None where it wasn't measured."""
    counts = scope.histograms.get(name)
    if counts is None:
        return None
    threshold = thresholds.STAGE if name in SPLIT else None
    return normals.latencies(name, counts, None, scope.usual.histograms.get(name), threshold)


def latency(scope: Scope, charts: Charts) -> LatencyPanel:
    """Response times and stages."""
    now, past = scope.histograms, scope.usual.histograms
    e2e = response_times(scope)
    stages = tuple(
        times
        for name in now
        if name not in ("e2e", "waited") and (times := stage_times(scope, name)) is not None
    )
    by_name = {stage.name: stage for stage in stages}
    split = tuple((name, by_name[name].p50) for name in SPLIT if name in by_name)
    kinds = sorted(
        ((kind[5:], n) for kind, n in scope.sums.items() if kind.startswith("from:")),
        key=lambda part: -part[1],
    )
    cause = culprit(now, past) if scope.usual.learned else StageExcess()
    return LatencyPanel(
        _with_rules(scope, e2e),
        stages,
        split,
        charts.latency(),
        tuple(kinds),
        cause.stage,
        cause.more_ms,
    )


def _with_rules(scope: Scope, e2e: Latencies) -> Latencies:
    if not scope.engine.config.rules:
        return e2e
    return replace(
        e2e,
        p50=scope.with_rule("p50_e2e", e2e.p50),
        p95=scope.with_rule("p95_e2e", e2e.p95),
        p99=scope.with_rule("p99_e2e", e2e.p99),
    )


def error_rate(scope: Scope) -> Figure:
    """Calls with an error over active calls."""
    sums = scope.sums
    normal = scope.usual.error_rate("error", scope.view.span, scope.handling)
    return thresholds.ERRORS.judge(normals.rate(sums.get("error", 0), scope.active, normal))


def errors(scope: Scope, charts: Charts) -> ErrorPanel:
    """Calls with an error over active calls, by component and category."""
    sums, active = scope.sums, scope.active
    kinds = []
    for kind, hits in sums.items():
        if kind.startswith("error:"):
            component, _, category = kind[6:].partition(":")
            normal = scope.usual.error_rate(kind, scope.view.span, scope.handling)
            kinds.append(ErrorKind(component, category or "other", normals.rate(hits, active, normal)))
    kinds.sort(key=lambda kind: (-kind.rate.value, kind.component, kind.category))
    rate = error_rate(scope)
    return ErrorPanel(
        rate=scope.with_rule("errors", rate),
        kinds=tuple(kinds),
        chart=charts.errors(),
        chart_warn=_chart_warning(scope, rate),
        hours=charts.error_hours(),
        retried=sums.get("retried", 0),
    )


def _chart_warning(scope: Scope, rate: Figure) -> float:
    """The threshold of a chart's buckets: the shorter a window, the fewer of the calls active in it have their error
    in it. A rule's threshold is what it says.
    """
    if scope.with_rule("errors", rate).rule:
        return scope.with_rule("errors", rate).warn
    return thresholds.ERRORS.at(scope.usual.error_rate("error", scope.chart_slots[0], scope.handling))


def outcome(scope: Scope, charts: Charts) -> OutcomePanel:
    """Success over calls with a known outcome, and escalation over calls with a conversation."""
    sums, usual = scope.business, scope.usual
    talked = sums.get("talked", 0)
    return OutcomePanel(
        success=scope.with_rule("success", normals.outcome("success", sums, usual)),
        coverage=normals.rate(sums.get("known", 0), talked),
        escalation=scope.with_rule("escalation", normals.outcome("escalation", sums, usual)),
        containment=normals.rate(talked - sums.get("escalated", 0), talked),
        chart=charts.outcome("success"),
    )


def abandonment(scope: Scope, charts: Charts) -> AbandonPanel:
    """Abandoned over decided calls, and the steps at which callers left."""
    sums = scope.business
    left = {kind[5:]: n for kind, n in sums.items() if kind.startswith("left:")}
    reached = {kind[5:]: n for kind, n in sums.items() if kind.startswith("step:")}
    total = sum(left.values())
    funnel = tuple(
        StepShare(step, n, left.get(step, 0), left.get(step, 0) / total if total else 0.0)
        for step, n in reached.items()
    )
    shares = [StepShare(step, reached.get(step, 0), n, n / total) for step, n in left.items() if total]
    shares.sort(key=lambda share: (-share.abandoned, share.step))
    rate = normals.outcome("abandonment", sums, scope.usual)
    return AbandonPanel(
        rate=scope.with_rule("abandonment", rate),
        steps=tuple(shares[:NAMED_STEPS]),
        funnel=funnel,
        chart=charts.outcome("abandonment"),
    )


def cost(scope: Scope, charts: Charts) -> CostPanel:
    """Cost per call ($), of calls whose price is known or estimated."""
    sums = scope.business
    n, total = sums.get("priced", 0), sums.get("cost_micro", 0)
    shares = [
        (kind[5:], amount / total) for kind, amount in sums.items() if kind.startswith("cost:") and total
    ]
    shares.sort(key=lambda share: -share[1])
    per_call = normals.outcome("cost", sums, scope.usual)
    return CostPanel(
        per_call=scope.with_rule("cost", per_call),
        shares=tuple(shares),
        estimated=sums.get("guessed", 0) / n if n else 0.0,
        chart=charts.outcome("cost"),
    )


def sentiment(scope: Scope, frustrated: int) -> SentimentPanel:
    """Sentiment (1 to 5), the share of live calls that are `frustrated`, and interruptions per 100 turns."""
    sums, usual = scope.business, scope.usual
    turns = int(scope.histograms["e2e"].sum()) if "e2e" in scope.histograms else 0
    barge_ins = scope.sums.get("barge_ins", 0)
    return SentimentPanel(
        sentiment=scope.with_rule("sentiment", normals.outcome("sentiment", sums, usual)),
        frustrated=normals.rate(frustrated, scope.live, usual.rate("moody", "talked")),
        interruptions=Figure(100 * barge_ins / turns if turns else NAN, turns, few=turns < 30),
    )
