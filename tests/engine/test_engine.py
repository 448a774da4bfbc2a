"""Every figure of the panels against an oracle that keeps all events in lists, over random streams."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from engine.feeding import START, Stamped, frames
from engine.oracle import Oracle, at_least_rank, middle, nearest_rank
from engine.traffic import SEGMENTS, STAGES, Traffic
from voicetop.engine.snapshot import Figure, Latencies, Snapshot, Span, View, Where
from voicetop.engine.windows.buckets import QUANTILES
from voicetop.session import Session
from voicetop.wire.events import Heartbeat

SPANS: tuple[Span, ...] = ("5m", "30m", "24h")
CLOSE = 0.01
"""Percentiles come from buckets: within 1 % of the exact value."""


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(n, marks=pytest.mark.soak) for n in range(4, 10))]
)
def test_every_figure_is_what_the_oracle_says(seed: int) -> None:
    dice = random.Random(seed)
    # odd seeds have many calls and few pauses, so that figures rest on much; even ones jump through time
    crowd = seed % 2
    told = Traffic(seed, calls=60 if crowd else 14, pauses=0.004 if crowd else 0.03).stream(3_000)
    session, oracle = Session(), Oracle()
    session.on_beat.append(lambda beat: oracle.beat(beat.at))
    for part in _cut_at_heartbeats(told, dice):
        for at, event in part:
            oracle.hear(at, event)
        for data in frames(part, [dice.randint(1, 20) for _ in range(5)], seq=session.seq + 1):
            session.feed(data)
        if dice.random() < 0.1:
            _compare(session, oracle, dice)
    assert session.snapshot(View()).feed.duplicates == oracle.duplicates > 0
    assert session.snapshot(View()).feed.late == oracle.late
    assert session.engine.feed.strangers == oracle.strangers > 0


def _cut_at_heartbeats(told: list[Stamped], dice: random.Random) -> list[list[Stamped]]:
    """Parts that end with a heartbeat: there, oracle and engine are compared."""
    parts: list[list[Stamped]] = [[]]
    for item in told:
        parts[-1].append(item)
        if isinstance(item[1], Heartbeat):
            parts.append([])
    return parts[:-1]


def _compare(session: Session, oracle: Oracle, dice: random.Random) -> None:
    for _ in range(3):
        view = View(span=dice.choice(SPANS), where=_some_segments(dice), limit=1_000)
        seen = session.snapshot(view)
        assert seen.at == oracle.at
        _latencies(seen, oracle)
        _errors(seen, oracle)
        _business(seen, oracle)
        _live(seen, oracle)
        _turns(session, seen, dice)


def _turns(session: Session, seen: Snapshot, dice: random.Random) -> None:
    """On the page of a call all its turns are told apart, and one is waited for if its caller waits."""
    if not seen.calls.rows:
        return
    row = dice.choice(seen.calls.rows)
    detail = session.snapshot(View(call_id=row.call_id)).detail
    assert detail is not None
    assert len({turn.index for turn in detail.turns}) == len(detail.turns)
    waits = [turn.status for turn in detail.turns if turn.status in ("waiting", "unknown")]
    assert waits == [row.state] * (row.state in ("waiting", "unknown"))


def _some_segments(dice: random.Random) -> Where:
    where = [(name, dice.choice(of)) for name, of in SEGMENTS.items() if dice.random() < 0.35]
    if dice.random() < 0.25:
        where.append(("hour", str((START // 3600 + dice.randint(0, 23)) % 24 // 1)[:-2]))
    return tuple(where)


def _latencies(seen: Snapshot, oracle: Oracle) -> None:
    span, where = seen.view.span, seen.view.where
    by_name = {stage.name: stage for stage in seen.latency.stages}
    for metric in STAGES:
        _percentiles(by_name.get(metric, Latencies(metric)), oracle.times(metric, span, where))
    done, waits = oracle.times("e2e", span, where), oracle.waits(span, where)
    if not waits:
        _percentiles(seen.latency.e2e, done)
        return
    done, waits = [middle(ms) for ms in done], [middle(ms) for ms in waits]
    for q, figure in zip(QUANTILES, _figures(seen.latency.e2e), strict=True):
        assert figure.value == pytest.approx(at_least_rank(done, waits, q), nan_ok=True)
        assert figure.n == len(done) + len(waits)


def _percentiles(latencies: Latencies, values: list[float]) -> None:
    for q, figure in zip(QUANTILES, _figures(latencies), strict=True):
        exact = min(max(nearest_rank(values, q), 1.0), 2.0**20) if values else float("nan")
        assert figure.n == len(values)
        assert figure.value == pytest.approx(exact, rel=CLOSE, nan_ok=True)


def _figures(latencies: Latencies) -> tuple[Figure, Figure, Figure]:
    return latencies.p50, latencies.p95, latencies.p99


def _share(figure: Figure, hits: int, n: int) -> None:
    assert figure.n == n
    assert figure.value == pytest.approx(min(hits, n) / n if n else float("nan"), nan_ok=True)


def _errors(seen: Snapshot, oracle: Oracle) -> None:
    span, where = seen.view.span, seen.view.where
    active = oracle.active(span, where)
    _share(seen.errors.rate, oracle.with_error("", span, where), active)
    kinds = {f"{kind.component}:{kind.category}": kind.rate for kind in seen.errors.kinds}
    assert set(kinds) == oracle.error_kinds(span, where)
    for kind, figure in kinds.items():
        _share(figure, oracle.with_error(kind, span, where), active)


def _business(seen: Snapshot, oracle: Oracle) -> None:
    """What an ended call counts for goes by 30 minutes at least: 5 minutes of ended calls say little."""
    span, where = "24h" if seen.view.span == "24h" else "30m", seen.view.where
    ended = oracle.ended(span, where)
    talked = [call for call in ended if call.reason not in ("voicemail", "not_connected")]
    known = [call.verdict() for call in talked if call.verdict() is not None]
    _share(seen.outcome.success, known.count(True), len(known))
    _share(seen.outcome.coverage, len(known), len(talked))
    _share(seen.outcome.escalation, sum(call.escalated() for call in talked), len(talked))
    _share(seen.outcome.containment, sum(not call.escalated() for call in talked), len(talked))
    decided = [call for call in talked if call.abandoned is not None]
    left = Counter(call.left_at or "unknown step" for call in decided if call.abandoned)
    _share(seen.abandonment.rate, left.total(), len(decided))
    assert {s.step: s.abandoned for s in seen.abandonment.steps} == left
    assert {s.step: s.reached for s in seen.abandonment.funnel} == oracle.reached(span, where)
    priced = [sum(call.spent.values()) for call in ended if call.spent]
    assert seen.cost.per_call.n == len(priced)
    mean = sum(priced) / len(priced) if priced else float("nan")
    assert seen.cost.per_call.value == pytest.approx(mean, abs=1e-5, nan_ok=True)
    told = [call.sentiment() for call in talked if call.sentiment() == call.sentiment()]
    assert seen.mood.sentiment.n == len(told)


def _live(seen: Snapshot, oracle: Oracle) -> None:
    live = [call for call in oracle.chosen(seen.view.where) if call.live]
    assert {row.call_id for row in seen.calls.rows} == {call.call_id for call in live}
    states = {row.call_id: row.state for row in seen.calls.rows if row.state not in ("waiting", "unknown")}
    assert states == {call.call_id: call.state for call in live if not call.wait}
    assert seen.calls.of == len(live)
    assert seen.capacity.live == sum(call.live for call in oracle.calls.values())
    waits = sum(bool(call.wait) for call in oracle.present(seen.view.where))
    known = len(oracle.waiting(seen.view.where))
    assert (seen.waiting.waiting, seen.waiting.unknown) == (known, waits - known)
