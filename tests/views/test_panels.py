"""The panels' figures carry the thresholds of rules as they are made."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from voicetop.engine.config import EngineConfig, Rule, ThresholdPair
from voicetop.engine.snapshot import Snapshot, View
from voicetop.formatting.numbers import known
from voicetop.recording import read
from voicetop.session import Session

RECORDING = Path(__file__).parents[2] / "recordings" / "llm-outage.vtr"
FRAMES = 200
BILLING = (("intent", "billing"),)


@cache
def state() -> bytes:
    """Some minutes of a recording."""
    session = Session()
    with read(RECORDING) as frames:
        for frame, _ in zip(frames, range(FRAMES), strict=False):
            session.feed(frame)
    return session.checkpoint()


def snapshot(*rules: Rule, where: tuple[tuple[str, str], ...] = ()) -> Snapshot:
    session = Session()
    session.load(state())
    session.engine.config = EngineConfig(rules=rules)  # a state holds the rules that it was made with
    return session.snapshot(View(where=where))


def rule(metric: str, value: float, where: tuple[tuple[str, str], ...] = ()) -> Rule:
    return Rule(metric, metric, ThresholdPair(value), ThresholdPair(value / 2), where=where)


def test_a_rule_sets_the_threshold_of_its_figure() -> None:
    plain = snapshot()
    ruled = snapshot(rule("p95_e2e", 4000.0), rule("errors", 0.25), rule("cost", 0.5))
    assert (ruled.latency.e2e.p95.warn, ruled.latency.e2e.p95.rule) == (4000.0, "p95_e2e")
    assert (ruled.errors.rate.warn, ruled.cost.per_call.warn) == (0.25, 0.5)
    assert ruled.latency.e2e.p50 == plain.latency.e2e.p50
    assert ruled.errors.rate.value == plain.errors.rate.value
    assert plain.errors.rate.rule == ""


def test_a_segments_rule_applies_only_to_its_panels() -> None:
    own = rule("errors", 0.125, where=BILLING)
    assert snapshot(own, where=BILLING).errors.rate.warn == 0.125
    assert snapshot(own).errors.rate.rule == ""


def test_a_session_that_has_heard_nothing_yet_has_a_snapshot() -> None:
    capacity = Session().snapshot(View()).capacity
    assert capacity.live == 0
    assert not known(capacity.arrivals_per_min)
