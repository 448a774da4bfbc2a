"""The oracle's answers by the names of figures, and what a snapshot says under the same names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from truth import oracle
from truth.claims import Said
from truth.oracle import Answer, Call
from voicetop.engine.snapshot import Figure, SegmentRow, Snapshot, Where

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
    named = {
        f"{name} {metric}": a
        for metric, each in true["times"].items()
        for name, a in zip(PERCENTILES, each, strict=True)
    }
    active = true["active"]
    named["errors"] = _share(true["errors"]["error"], active)
    named |= {f"errors {kind}": _share(n, active) for kind, n in true["errors"].items() if kind != "error"}
    named |= {name: true[name] for name in OUTCOMES}
    named |= {f"n of {name}": Answer(answer.n, 0) for name, answer in named.items()}
    named |= {f"left at {step}": Answer(n, 0) for step, n in true["left"].items()}
    named |= {f"reached {step}": Answer(n, 0) for step, n in true["reached"].items()}
    named |= {
        name: Answer(true[name], 0) for name in ("live", "active", "retried", "interruptions", "started")
    }
    return named | dict(_waiting(true["waiting"], over_s))


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
    yield "longest wait", snap.waiting.longest_s * 1000
    for row in snap.waiting.stages:
        yield f"waiting in {row.stage}", row.waiting
        yield f"stuck in {row.stage}", row.stuck


def of_segment_row(row: SegmentRow) -> Said:
    """A row of Segments."""
    yield "active", row.calls
    yield "stuck", row.stuck
    yield from _figure("P95 e2e", row.p95)
    for name, figure in (("errors", row.errors), ("success", row.success), ("abandonment", row.abandonment)):
        yield from _figure(name, figure)
    yield from _figure("cost", row.cost)
    yield from _figure("sentiment", row.sentiment)


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
