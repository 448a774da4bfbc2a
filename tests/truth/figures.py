"""The oracle's answers by the names of figures, and what a snapshot says under the same names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from truth import oracle
from truth.claims import Said
from truth.oracle import Answer, Call
from voicetop.engine.snapshot import Figure, Series, Snapshot, Where

NAN = float("nan")
PERCENTILES = ("P50", "P95", "P99")
OUTCOMES = ("success", "escalation", "abandonment", "cost", "sentiment")


def chosen(calls: list[Call], where: Where) -> list[Call]:
    return [call for call in calls if all(call.segments.get(name, "") == value for name, value in where)]


def counted(calls: list[Call], at: float, span: str) -> dict[str, Any]:
    """The oracle's figures of a window that ends now."""
    outcomes = oracle.window(at, "24h" if span == "24h" else "30m")
    return oracle.figures(calls, at, oracle.window(at, span), outcomes)


def answers(calls: list[Call], at: float, span: str, over_s: float) -> dict[str, Answer]:
    """What is true of these calls now; those who wait for over `over_s` are stuck. What isn't in it is 0."""
    true = counted(calls, at, span)
    named = _named(true) | {f"left at {step}": Answer(n, 0) for step, n in true["left"].items()}
    named |= {f"reached {step}": Answer(n, 0) for step, n in true["reached"].items()}
    named |= {
        name: Answer(true[name], 0) for name in ("live", "active", "unknown", "retried", "interruptions")
    }
    return named | dict(_waiting(true["waiting"], over_s))


def answers_over_time(calls: list[Call], at: float, shown: Series) -> dict[str, Answer]:
    """What is true of each point of a chart."""
    named: dict[str, Answer] = {}
    for number in range(len(shown.values)):
        start, end = (shown.start + (number + more) * shown.step for more in (0, 1))

        def inside(ts: float, start: float = start, end: float = end) -> bool:
            return start <= ts < end

        touched = [c for c in calls if c.started < end and max(c.ended, c.told[-1][1]) >= start]
        true = oracle.figures(touched, min(end, at), inside, inside)
        point = _named(true) | {"started": Answer(true["started"], 0)}
        named |= {f"{name} at {start:.0f}": answer for name, answer in point.items()}
    return named


def _named(true: dict[str, Any]) -> dict[str, Answer]:
    named = {
        f"{name} {metric}": answer
        for metric, each in true["times"].items()
        for name, answer in zip(PERCENTILES, each, strict=True)
    }
    named["errors"] = _share(true["errors"]["error"], true["active"])
    kinds = {f"errors {kind}": n for kind, n in true["errors"].items() if kind != "error"}
    named |= {name: _share(n, true["active"]) for name, n in kinds.items()}
    named |= {name: true[name] for name in OUTCOMES}
    return named | {f"n of {name}": Answer(answer.n, 0) for name, answer in named.items()}


def _share(hits: int, n: int) -> Answer:
    return Answer(min(hits, n) / n if n else NAN, n)


def _waiting(waiting: list[tuple[str, float]], over_s: float) -> Iterator[tuple[str, Answer]]:
    stuck = [(stage, ms) for stage, ms in waiting if ms > over_s * 1000]
    for name, some in (("waiting", waiting), ("stuck", stuck)):
        yield name, Answer(len(some), 0)
        for stage in {stage for stage, _ in some}:
            yield f"{name} in {stage}", Answer(sum(here == stage for here, _ in some), 0)
    yield "longest wait", Answer(max((ms for _, ms in waiting), default=0.0), 0)


# -- a snapshot -----------------------------------------------------------------------------------------------------


def of_snapshot(snap: Snapshot) -> Said:
    """Every figure of the panels; `live` is the fleet's, and stands in no segment's."""
    yield from _of_waiting(snap)
    for panel in (snap.latency.e2e, *snap.latency.stages):
        for name, shown in zip(PERCENTILES, (panel.p50, panel.p95, panel.p99), strict=True):
            yield from _figure(f"{name} {panel.name}", shown)
    yield from _figure("errors", snap.errors.rate)
    for kind in snap.errors.kinds:
        yield from _figure(f"errors {kind.component}:{kind.category}", kind.rate)
    outcomes = (snap.outcome.success, snap.outcome.escalation, snap.abandonment.rate, snap.cost.per_call)
    for name, shown in zip(OUTCOMES, (*outcomes, snap.mood.sentiment), strict=True):
        yield from _figure(name, shown)
    yield "retried", snap.errors.retried
    yield "interruptions", snap.mood.interruptions.value if snap.mood.interruptions.n else 0.0
    yield from ((f"left at {step.step}", step.abandoned) for step in snap.abandonment.steps)
    yield from ((f"reached {step.step}", step.reached) for step in snap.abandonment.funnel)


def _figure(name: str, figure: Figure) -> Said:
    yield name, f"≥ {figure.value:.9f}" if figure.at_least else figure.value
    yield f"n of {name}", figure.n


def _of_waiting(snap: Snapshot) -> Said:
    yield "waiting", snap.waiting.waiting
    yield "stuck", snap.waiting.stuck
    yield "unknown", snap.waiting.unknown
    yield "longest wait", snap.waiting.longest_s * 1000
    for row in snap.waiting.stages:
        yield f"waiting in {row.stage}", row.waiting
        yield f"stuck in {row.stage}", row.stuck


def of_series(name: str, shown: Series, few: int = 0) -> Said:
    """Every point of a chart; with `few`, those of which there is less are holes."""
    for number, value in enumerate(shown.values):
        at = f"at {shown.start + number * shown.step:.0f}"
        n = shown.n[number] if shown.n else 0
        yield f"n of {name} {at}", n
        if not (few and n < few and value != value):
            least = shown.at_least and shown.at_least[number]
            yield f"{name} {at}", f"≥ {value:.9f}" if least else value


def of_charts(snap: Snapshot) -> Said:
    """The charts of the Overview, and those of Trends where they were asked for."""
    charts = {"P95 e2e": snap.latency.chart, "errors": snap.errors.chart, "success": snap.outcome.chart}
    charts |= {"abandonment": snap.abandonment.chart, "cost": snap.cost.chart}
    for name, chart in charts.items():
        if chart is not None and not snap.trends:
            yield from of_series(name, chart)
    few = {"P50 e2e": 5, "P95 e2e": 20, "P99 e2e": 100}
    for title, _, chart in snap.trends.lines if snap.trends else ():
        name = f"{title} e2e" if title.startswith("P") else {"cost per call": "cost"}.get(title, title)
        if name == "calls":
            starts = (chart.start + number * chart.step for number in range(len(chart.values)))
            yield from ((f"started at {start:.0f}", n) for start, n in zip(starts, chart.values, strict=True))
        else:
            yield from of_series(name, chart, few.get(name, 10))


# -- rows -----------------------------------------------------------------------------------------------------------


def answers_of_call(call: Call, at: float) -> dict[str, Answer]:
    """What is true of one call, with its id in each name."""
    waits = [(at - since) * 1000 for since, until, _ in call.waits if until > at]
    turns = call.of("turn")
    e2e = [event["e2e_ms"] for _, event in turns if "e2e_ms" in event]
    errors = [event for _, event in call.of("error") if event.get("final", True)]
    true = {
        "age": float(int(at - call.started)),
        "turn": max((event.get("turn", -1) for _, event in turns), default=NAN),
        "wait": waits[-1] if waits else NAN,
        "response": e2e[-1] if e2e else NAN,
        "errors": len(errors),
        "cost": call.cost(),
    }
    named = {f"{name} of {call.id}": Answer(value, 0) for name, value in true.items()}
    return named | {f"{call.id} at {call.step()}": Answer(1, 0)}
