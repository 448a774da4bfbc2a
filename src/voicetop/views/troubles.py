"""The judge's troubles with the figures of this moment, the same that the panels show.

Whether something is wrong is decided at 5-second marks; how bad it is now is read off the windows like everything else
on the screen. Where the five-minute figure isn't over its threshold yet, a trouble keeps what it was found by.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec.structs import replace

from voicetop.engine import normals, thresholds
from voicetop.engine.engine import Engine
from voicetop.engine.normals import Normals
from voicetop.engine.snapshot import NAN, Figure, Trouble, View, Where
from voicetop.formatting.labels import FIGURES
from voicetop.formatting.numbers import known
from voicetop.views import panels
from voicetop.views.scope import Scope

UsualFor: TypeAlias = Callable[[Where], Normals]


def current(engine: Engine, usual_for: UsualFor) -> tuple[list[Trouble], list[Trouble]]:
    """(troubles that are on, troubles that recovered but are still in the figures)."""
    standing = engine.judge.standing.values()
    if not standing:
        return [], []
    fleet = Scope(engine, View(), usual_for(()))
    on: list[Trouble] = []
    recovering: list[Trouble] = []
    for active in standing:
        scope = fleet
        if active.trouble.local:
            where = active.trouble.where
            scope = Scope(engine, View(where=where), usual_for(where))
        trouble = _measured(scope, replace(active.trouble, since=active.since))
        if active.on:
            on.append(trouble)
        else:
            recovering.append(replace(trouble, hits=_errors_since(scope, active.recovered)))
    return on, recovering


def leftovers(engine: Engine, usual_for: UsualFor) -> list[str]:
    """The fleet's figures that are off without a trouble: what is over is still in their windows."""
    fleet = Scope(engine, View(), usual_for(()))
    times = panels.response_times(fleet)
    off = {
        "5-min error rate": panels.error_rate(fleet).off,
        "5-min response times": times.p50.off or times.p95.off,
    }
    for kind in normals.OUTCOMES:
        off[f"30-min {FIGURES[kind]}"] = normals.outcome(kind, fleet.business, fleet.usual).off
    return [name for name, is_off in off.items() if is_off]


def _errors_since(scope: Scope, since: float) -> int:
    recent = scope.engine.ledger.recent
    edges, sums = recent.edges(scope.at), recent.sums(scope.at, scope.cells)
    return sum(slot.get("error", 0) for edge, slot in zip(edges[:-1], sums, strict=True) if edge >= since)


def _measured(scope: Scope, trouble: Trouble) -> Trouble:
    """A trouble with the figure of its panel, where that shows it."""
    kind = trouble.kind
    if kind == "waiting":
        return _stuck_now(scope, trouble)
    if kind == "capacity":
        live = len(scope.engine.roster.live)
        return replace(trouble, value=float(live), n=live)
    if kind == "traffic":
        return _arrivals_now(scope, trouble)
    figure = _figure(scope, trouble)
    if figure is None or not (figure.off or known(trouble.recovered)):
        return trouble
    return replace(
        trouble,
        value=figure.value,
        normal=figure.normal.value,
        n=figure.n,
        at_least=figure.at_least,
        over_s=NAN,
    )


def _figure(scope: Scope, trouble: Trouble) -> Figure | None:
    if trouble.kind == "errors":
        return panels.error_rate(scope)
    if trouble.kind == "latency":
        times = panels.response_times(scope)
        if trouble.figure not in ("", "e2e"):
            stage = panels.stage_times(scope, trouble.figure)
            if stage is None:
                return None
            times = stage
        return times.p50 if trouble.quantile == 0.5 else times.p95
    return normals.outcome(trouble.kind, scope.business, scope.usual)


def _stuck_now(scope: Scope, trouble: Trouble) -> Trouble:
    panel = scope.waits.panel(scope.waiting, scope.stuck_after)
    worst = panel.stages[0] if panel.stuck else None
    return replace(
        trouble,
        value=float(panel.stuck),
        n=panel.waiting,
        line=panel.over_s,
        stage=worst.stage if worst is not None else trouble.stage,
        provider=worst.provider if worst is not None else trouble.provider,
    )


def _arrivals_now(scope: Scope, trouble: Trouble) -> Trouble:
    per_min = panels.arrivals_per_min(scope.engine)
    if not known(trouble.recovered) and per_min > trouble.normal * thresholds.FEW_CALLS:
        return trouble
    return replace(trouble, value=per_min, over_s=NAN)
