"""The figures of a snapshot as claims."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from truth import oracle
from truth.claims import Claim, Shown, claim, share
from truth.oracle import Answer, Call
from voicetop.engine.snapshot import Figure, Snapshot, Where

OUTCOMES = ("success", "escalation", "abandonment", "cost", "sentiment")


def chosen(calls: list[Call], where: Where) -> list[Call]:
    return [call for call in calls if all(call.segments.get(name, "") == value for name, value in where)]


def true_figures(calls: list[Call], at: float, span: str = "5m") -> dict[str, Any]:
    """The oracle's figures of a window that ends now."""
    outcomes = oracle.window(at, "24h" if span == "24h" else "30m")
    return oracle.figures(calls, at, oracle.window(at, span), outcomes)


def figure(place: str, name: str, shown: Figure, truth: Answer) -> Iterator[Claim]:
    """A figure and its n."""
    yield Claim(place, name, Shown(shown.value, shown.at_least, 1e-9), truth)
    yield claim(place, f"n of {name}", shown.n, truth.n)


def of_snapshot(snap: Snapshot, calls: list[Call]) -> Iterator[Claim]:
    """Every figure of the panels."""
    mine = chosen(calls, snap.view.where)
    true, everybody = true_figures(mine, snap.at, snap.view.span), true_figures(calls, snap.at)
    place = f"snapshot {snap.view.span}"
    yield claim(place, "live", snap.capacity.live, everybody["live"])
    yield from _waiting(place, snap, true["waiting"])
    for panel in (snap.latency.e2e, *snap.latency.stages):
        figures = {"P50": panel.p50, "P95": panel.p95, "P99": panel.p99}
        for (name, shown), answer in zip(figures.items(), true["times"][panel.name], strict=True):
            yield from figure(place, f"{name} {panel.name}", shown, answer)
    yield claim(
        place, "stages", len(snap.latency.stages), sum(bool(a[0].n) for a in true["times"].values()) - 1
    )
    yield from _errors(place, snap, true)
    outcomes = (snap.outcome.success, snap.outcome.escalation, snap.abandonment.rate, snap.cost.per_call)
    for name, shown in zip(OUTCOMES, (*outcomes, snap.mood.sentiment), strict=True):
        yield from figure(place, name, shown, true[name])
    yield claim(place, "interruptions", snap.mood.interruptions.value, true["interruptions"])
    for step in snap.abandonment.steps:
        yield claim(place, f"left at {step.step}", step.abandoned, true["left"][step.step])


def _waiting(place: str, snap: Snapshot, waiting: list[tuple[str, float]]) -> Iterator[Claim]:
    over_ms = snap.waiting.over_s * 1000
    yield claim(place, "waiting", snap.waiting.waiting, len(waiting))
    yield claim(place, "stuck", snap.waiting.stuck, sum(ms > over_ms for _, ms in waiting))
    yield claim(
        place, "longest wait", snap.waiting.longest_s, max((ms for _, ms in waiting), default=0.0) / 1000
    )
    for row in snap.waiting.stages:
        here = [ms for stage, ms in waiting if stage == row.stage]
        yield claim(place, f"waiting in {row.stage}", row.waiting, len(here))
        yield claim(place, f"stuck in {row.stage}", row.stuck, sum(ms > over_ms for ms in here))


def _errors(place: str, snap: Snapshot, true: dict[str, Any]) -> Iterator[Claim]:
    active = true["active"]
    yield from figure(place, "errors", snap.errors.rate, share(true["errors"]["error"], active))
    for kind in snap.errors.kinds:
        name = f"{kind.component}:{kind.category}"
        yield from figure(place, f"errors {name}", kind.rate, share(true["errors"][name], active))
    kinds = sum(1 for name in true["errors"] if name != "error")
    yield claim(place, "kinds of errors", len(snap.errors.kinds), kinds)
    yield claim(place, "recovered on retry", snap.errors.retried, true["retried"])
