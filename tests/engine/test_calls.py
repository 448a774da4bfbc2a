"""One call from its first event to its last: unknown, live, lost, ended, amended, forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from engine.feeding import Line, sums
from voicetop.engine.config import EngineConfig
from voicetop.wire.events import (
    CallEnd,
    CallOutcome,
    CallStart,
    CallStep,
    CallUpdate,
    Error,
    Interruption,
    Stage,
    Tool,
    Turn,
    TurnStart,
    Usage,
)

GRACE = 120.0


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Turn, {"e2e_ms": 700.0}),
        (TurnStart, {"turn": 0}),
        (CallUpdate, {"segments": {"intent": "billing"}}),
        (CallStep, {"step": "verify"}),
        (Tool, {"name": "lookup", "state": "start"}),
        (Error, {"component": "llm", "category": "timeout"}),
        (Interruption, {"by": "user"}),
    ],
)
def test_an_event_of_an_unknown_call_tells_that_the_call_is_there(
    kind: type[Any], fields: dict[str, Any]
) -> None:
    line = Line()
    line.tell(kind, "c1", **fields)
    line.pass_(1)
    assert line.rows() == ["c1"]
    assert line.session.engine.feed.strangers == 0


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (CallEnd, {"reason": "completed"}),
        (CallOutcome, {"evaluator": "judge", "success": True}),
        (Usage, {"component": "llm", "cost_usd": 1.0}),
        (Stage, {"name": "llm", "state": "start"}),
    ],
)
def test_what_only_makes_sense_of_a_known_call_is_counted_and_dropped(
    kind: type[Any], fields: dict[str, Any]
) -> None:
    line = Line()
    line.tell(kind, "c1", **fields)
    line.pass_(1)
    seen = line.see()
    assert (seen.capacity.live, seen.calls.of, seen.cost.per_call.n, seen.outcome.coverage.n) == (0, 0, 0, 0)
    assert line.session.engine.feed.strangers == 1


def test_a_call_that_never_ends_is_lost_in_sight_and_not_leaked() -> None:
    line = Line()
    line.begin("c1")
    line.pass_(170, every=5)
    assert line.rows() == ["c1"]
    line.pass_(20, every=5)
    assert line.see().capacity.live == 0
    row = line.row("c1", ended=True)
    assert (row.state, row.reason, row.eyes) == ("lost", "lost", "lost")
    assert sums(line)["ended"] == 1
    assert not line.session.engine.roster.live


def test_a_call_that_is_heard_of_is_not_lost() -> None:
    line = Line()
    line.begin("c1")
    for _ in range(10):
        line.pass_(100, every=5)
        line.tell(Usage, "c1", component="llm", cost_usd=0.01)
    assert line.rows() == ["c1"]


def test_a_lost_call_that_ends_after_all_has_its_true_reason() -> None:
    line = Line()
    line.begin("c1")
    line.pass_(200, every=5)
    line.tell(CallEnd, "c1", reason="voicemail", party="agent")
    line.pass_(5)
    row = line.row("c1", ended=True)
    assert (row.state, row.reason) == ("ended", "voicemail")
    assert sums(line)["ended"] == 1
    assert line.see().outcome.coverage.n == 0  # a voicemail is no conversation


@pytest.mark.parametrize(
    ("first", "second", "later_s", "reason"),
    [
        ("completed", "error", 1, "completed"),
        ("completed", "completed", 1, "completed"),
        ("unknown", "completed", 1, "completed"),
        ("completed", "user_hangup", 90, "user_hangup"),
        ("completed", "user_hangup", 150, "completed"),
        ("user_hangup", "cancelled", 1, "user_hangup"),
        ("agent_hangup", "transferred", 5, "transferred"),
    ],
)
def test_of_two_ends_the_better_reason_counts_once(
    first: str, second: str, later_s: int, reason: str
) -> None:
    line = Line()
    line.begin("c1")
    line.tell(CallEnd, "c1", reason=first)
    line.pass_(later_s)
    line.tell(CallEnd, "c1", reason=second)
    line.pass_(200, every=5)
    assert line.row("c1", ended=True).reason == reason
    assert sums(line)["ended"] == 1
    assert line.see().abandonment.rate.value == (reason == "user_hangup")
    assert line.see().outcome.escalation.value == (reason == "transferred")


def test_an_id_used_again_after_its_end_is_another_call() -> None:
    line = Line()
    for intent in ("billing", "sales"):
        line.begin("c1", intent=intent)
        line.turn("c1", 700, turn=0)
        line.wait("c1", 1)
        line.pass_(2)
        assert line.row("c1").waiting_s == 2
        assert dict(line.row("c1").segments) == {"intent": intent}
        line.tell(CallEnd, "c1", reason="user_hangup")
        line.pass_(15)
    line.pass_(200, every=5)
    assert (sums(line)["started"], sums(line)["ended"], sums(line)["abandoned"]) == (2, 2, 2)
    assert line.session.engine.feed.ignored[""] == {"call id used again": 1}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (TurnStart, {"turn": 3}),
        (Turn, {"turn": 3, "e2e_ms": 700.0}),
        (CallUpdate, {"state": "ringing"}),
    ],
)
def test_whoever_goes_on_talking_long_after_the_end_is_seen(kind: type[Any], fields: dict[str, Any]) -> None:
    line = Line()
    line.begin("c1")
    line.tell(CallEnd, "c1", reason="completed")
    line.pass_(30)
    line.tell(kind, "c1", **fields)
    line.pass_(1)
    assert line.rows() == ["c1"]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (CallStart, {"segments": {"intent": "billing"}}),
        (CallUpdate, {"state": "ringing"}),
        (CallUpdate, {"segments": {"intent": "billing"}}),
        (TurnStart, {"turn": 0}),
        (Tool, {"name": "lookup", "state": "start"}),
    ],
)
@pytest.mark.parametrize("known_before", [True, False])
def test_what_comes_after_the_end_makes_no_ghost(
    kind: type[Any], fields: dict[str, Any], known_before: bool
) -> None:
    line = Line()
    if known_before:
        line.tell(CallUpdate, "c1", state="ringing", ts=line.at - 60)
    line.tell(CallEnd, "c1", reason="user_hangup", duration_s=50.0)
    line.pass_(2)
    line.tell(kind, "c1", **fields)
    line.pass_(1)
    assert line.rows() == []
    assert sums(line)["ended"] == sums(line)["started"] == 1
    if "segments" in fields:
        assert dict(line.row("c1", ended=True).segments) == {"intent": "billing"}


def test_an_id_used_again_in_the_moment_of_its_end_is_another_call() -> None:
    line = Line()
    line.begin("c1")
    line.turn("c1", 700, turn=0)
    line.pass_(5)
    line.tell(CallEnd, "c1", reason="completed")
    line.begin("c1")
    line.wait("c1", 0)
    line.pass_(2)
    assert line.row("c1").waiting_s == 2
    assert (sums(line)["started"], sums(line)["ended"]) == (2, 1)


def test_a_call_that_is_announced_again_after_its_end_stays_ended() -> None:
    line = Line()
    line.begin("c1")
    line.tell(CallEnd, "c1", reason="not_connected")
    line.tell(CallStart, "c1")
    line.pass_(1)
    assert line.rows() == []


@pytest.mark.parametrize("state", ["ended", "lost"])
def test_no_update_makes_a_call_neither_live_nor_ended(state: str) -> None:
    line = Line()
    line.begin("c1")
    line.tell(CallUpdate, "c1", state=state)
    line.wait("c1", 0)
    line.pass_(9)
    assert (line.row("c1").state, line.row("c1").eyes) == ("waiting", "stuck")
    assert line.session.engine.feed.ignored[""] == {"not a state": 1}
    line.tell(CallEnd, "c1", reason="completed")
    line.pass_(1)
    assert line.rows() == []


@pytest.mark.parametrize("in_order", [True, False])
def test_a_call_that_is_connected_does_not_ring_any_more(in_order: bool) -> None:
    line = Line()
    line.pass_(10)
    told: list[tuple[type[Any], dict[str, Any]]]
    told = [(CallUpdate, {"state": "ringing", "ts": line.at - 5}), (CallStart, {"ts": line.at})]
    for kind, fields in told if in_order else reversed(told):
        line.tell(kind, "c1", **fields)
    assert line.row("c1").state == "active"


def test_a_start_without_a_true_time_is_not_told_and_counted() -> None:
    line = Line()
    line.tell(CallStart, "c1", ts=12.0)
    line.pass_(60)
    line.begin("c2")
    line.wait("c1", 0)
    line.pass_(9)
    row = line.row("c1")
    assert row.age_s != row.age_s
    assert (row.waiting_s, row.eyes) == (9, "stuck")
    assert line.rows(sort="age") == ["c2", "c1"]
    assert line.session.engine.feed.ignored[""] == {"late": 1}
    for call_id in ("c1", "c2"):
        line.tell(CallEnd, call_id, reason="completed")
    line.pass_(1)
    assert sums(line)["ended"] == 2
    assert line.see().capacity.handling_s < 60
    assert line.row("c2", ended=True).age_s == 9


def test_ends_of_calls_that_nobody_knows_cost_bounded_memory() -> None:
    line = Line()
    line.hear(*[CallEnd(ts=line.at, call_id=f"c{n}", reason="completed") for n in range(1_500)])
    line.pass_(1)
    assert len(line.session.engine.roster.early_ends) == 1_000


def test_ended_calls_are_a_bounded_ring_and_failures_are_kept_longest() -> None:
    line = Line(EngineConfig(ended_kept=20, failed_kept=5))
    for n in range(100):
        line.begin(f"c{n}")
        if n % 10 == 0:
            line.tell(Error, f"c{n}", component="llm", category="timeout")
        line.tell(CallEnd, f"c{n}", reason="completed")
    line.pass_(1)
    kept = set(line.rows(ended=True, limit=500))
    good = {f"c{n}" for n in range(78, 100) if n % 10}
    assert kept == good | {"c50", "c60", "c70", "c80", "c90"}


def test_a_call_that_turns_out_a_failure_is_kept_as_one() -> None:
    line = Line(EngineConfig(ended_kept=3, failed_kept=3))
    line.begin("bad")
    line.tell(CallEnd, "bad", reason="completed")
    line.tell(CallOutcome, "bad", evaluator="judge", success=False)
    for n in range(10):
        line.begin(f"c{n}")
        line.tell(CallEnd, f"c{n}", reason="completed")
    assert "bad" in line.rows(ended=True)


def ended(reason: str = "completed", **fields: Any) -> Line:
    line = Line()
    line.begin("c1", intent="billing")
    line.pass_(10)
    line.tell(CallEnd, "c1", reason=reason, **fields)
    return line


def test_late_usage_amends_its_ended_call() -> None:
    line = ended()
    line.pass_(60)
    line.tell(Usage, "c1", component="llm", cost_usd=0.10)
    line.tell(Usage, "c1", component="tts", cost_usd=0.30)
    line.tell(Usage, "c1", component="llm", cost_usd=0.10)
    seen = line.see()
    assert seen.cost.per_call.n == 1
    assert seen.cost.per_call.value == pytest.approx(0.5)
    assert dict(seen.cost.shares) == {"tts": pytest.approx(0.6), "llm": pytest.approx(0.4)}


def test_a_late_outcome_amends_its_ended_call() -> None:
    line = ended()
    line.pass_(600, every=10)
    assert (line.see().outcome.success.n, line.see().outcome.coverage.value) == (0, 0.0)
    line.tell(CallOutcome, "c1", evaluator="judge", success=True, sentiment=4.0)
    seen = line.see()
    assert (seen.outcome.success.value, seen.outcome.coverage.value) == (1.0, 1.0)
    assert seen.mood.sentiment.value == 4.0


def test_human_beats_judge_beats_rule_beats_platform_beats_agent() -> None:
    line = ended()
    says = True
    for who in ("agent", "platform", "rule", "judge", "human"):
        says = not says
        line.tell(CallOutcome, "c1", evaluator=who, success=says)
        assert line.see().outcome.success.value == float(says)
    for who in ("judge", "rule", "platform", "agent"):
        line.tell(CallOutcome, "c1", evaluator=who, success=not says)
        assert line.see().outcome.success.value == float(says)


def test_the_latest_word_of_an_evaluator_counts_whatever_order_it_comes_in() -> None:
    line = ended()
    line.tell(CallOutcome, "c1", evaluator="judge", success=False, ts=line.at - 1)
    line.tell(CallOutcome, "c1", evaluator="judge", success=True, ts=line.at - 5)
    assert line.see().outcome.success.value == 0.0


def test_unknown_outcomes_leave_the_denominator_and_the_coverage_says_so() -> None:
    line = ended()
    line.tell(CallOutcome, "c1", evaluator="judge", success=None)
    seen = line.see().outcome
    assert (seen.success.n, seen.coverage.value, seen.coverage.n) == (0, 0.0, 1)


@pytest.mark.parametrize("reason", ["voicemail", "not_connected"])
def test_calls_that_reached_nobody_are_no_conversations(reason: str) -> None:
    line = ended(reason)
    line.tell(CallOutcome, "c1", evaluator="judge", success=False)
    line.pass_(130)
    seen = line.see()
    assert (seen.outcome.success.n, seen.outcome.coverage.n, seen.abandonment.rate.n) == (0, 0, 0)


def test_the_chart_shows_what_was_decided_after_its_minute_though_somebody_looked_before() -> None:
    line = Line()
    line.begin("c1")
    line.tell(CallEnd, "c1", reason="user_hangup")
    for _ in range(60):
        line.pass_(5)
        line.see()
    chart = line.see().abandonment.chart
    assert chart is not None
    assert 1.0 in chart.values


def test_a_hang_up_is_abandonment_once_the_grace_time_is_over() -> None:
    line = ended("user_hangup", step="verify")
    line.pass_(119)
    assert line.see().abandonment.rate.n == 0
    line.pass_(2)
    seen = line.see().abandonment
    assert (seen.rate.value, seen.rate.n) == (1.0, 1)
    assert [(s.step, s.abandoned, s.share) for s in seen.steps] == [("verify", 1, 1.0)]


@pytest.mark.parametrize("step", ["goodbye", "Confirmed"])
def test_who_hangs_up_at_a_terminal_step_has_finished(step: str) -> None:
    line = ended("user_hangup", step=step)
    line.pass_(5)
    assert (line.see().abandonment.rate.value, line.see().abandonment.rate.n) == (0.0, 1)


def test_good_news_within_the_grace_time_is_no_abandonment_even_if_it_comes_late() -> None:
    line = ended("user_hangup", step="verify")
    hung_up = line.at
    line.pass_(300, every=5)
    assert line.see().abandonment.rate.value == 1.0
    line.tell(CallOutcome, "c1", evaluator="judge", success=True, ts=hung_up + 60)
    seen = line.see().abandonment
    assert (seen.rate.value, seen.rate.n, seen.steps) == (0.0, 1, ())


def test_good_news_after_the_grace_time_leaves_an_abandonment_one() -> None:
    line = ended("user_hangup")
    line.pass_(300, every=5)
    line.tell(CallOutcome, "c1", evaluator="judge", success=True)
    assert line.see().abandonment.rate.value == 1.0
    assert line.see().outcome.success.value == 1.0


@pytest.mark.parametrize("order", [("agent", "judge"), ("judge", "agent")])
def test_whoever_is_trusted_most_decides_on_abandonment_in_any_order(order: tuple[str, str]) -> None:
    line = ended("user_hangup")
    for who in order:
        line.tell(CallOutcome, "c1", evaluator=who, success=who == "agent")
    line.pass_(130)
    assert line.see().abandonment.rate.value == 1.0


def test_transfers_and_escalations_count_and_the_rest_is_contained() -> None:
    line = Line()
    for call_id, reason in (
        ("c1", "transferred"),
        ("c2", "completed"),
        ("c3", "completed"),
        ("c4", "completed"),
    ):
        line.begin(call_id)
        line.tell(CallEnd, call_id, reason=reason)
    line.tell(CallOutcome, "c2", evaluator="platform", escalated=True)
    seen = line.see().outcome
    assert (seen.escalation.value, seen.containment.value, seen.escalation.n) == (0.5, 0.5, 4)


def test_an_error_that_a_retry_saved_is_shown_but_is_none() -> None:
    line = Line()
    line.begin("c1")
    line.tell(Error, "c1", component="llm", category="timeout", final=False)
    seen = line.see().errors
    assert (seen.rate.value, seen.retried, seen.kinds) == (0.0, 1, ())


def test_a_call_with_many_errors_is_one_call_with_an_error() -> None:
    line = Line()
    line.begin("c1")
    line.begin("c2")
    for category in ("timeout", "timeout", "server"):
        line.tell(Error, "c1", component="llm", category=category)
    seen = line.see().errors
    assert (seen.rate.value, seen.rate.n) == (0.5, 2)
    assert {(k.component, k.category): k.rate.value for k in seen.kinds} == {
        ("llm", "timeout"): 0.5,
        ("llm", "server"): 0.5,
    }


def test_an_intent_that_becomes_known_in_mid_call_takes_the_whole_call_along() -> None:
    line = Line()
    line.begin("c1", language="es")
    line.turn("c1", 2_000)
    line.wait("c1", 1)
    line.pass_(4)
    line.tell(Turn, "c1", turn=1, status="failed")
    line.tell(Error, "c1", component="llm", category="timeout")
    line.hear(  # in one frame with turns that aren't counted yet
        Turn(ts=line.at, call_id="c1", turn=2, e2e_ms=3_000.0),
        CallUpdate(ts=line.at, call_id="c1", segments={"intent": "billing"}),
        Turn(ts=line.at, call_id="c1", turn=3, e2e_ms=3_000.0),
    )
    line.pass_(20)
    for where in ((("intent", "billing"),), (("intent", "billing"), ("language", "es"))):
        seen = line.see(where=where)
        assert (seen.latency.e2e.p50.n, seen.errors.rate.value, seen.calls.of) == (4, 1.0, 1)
    line.tell(CallUpdate, "c1", segments={"intent": None})
    assert line.see(where=(("intent", "billing"),)).latency.e2e.p50.n == 0
    assert line.see(where=(("language", "es"),)).latency.e2e.p50.n == 4


def test_an_ended_call_takes_its_outcome_along_too() -> None:
    line = ended("user_hangup")
    line.tell(CallOutcome, "c1", evaluator="judge", success=False)
    line.tell(Usage, "c1", component="llm", cost_usd=0.2)
    line.pass_(130)
    line.tell(CallUpdate, "c1", segments={"intent": "cancel"})
    for intent, n in (("billing", 0), ("cancel", 1)):
        seen = line.see(where=(("intent", intent),))
        assert (seen.outcome.success.n, seen.abandonment.rate.n, seen.cost.per_call.n) == (n, n, n)


def test_a_call_that_never_stops_making_up_names_costs_bounded_memory() -> None:
    line = Line(EngineConfig(story_budget=50))
    line.begin("c1")
    for round_ in range(30):
        names = [f"{round_}-{n}" for n in range(50)]
        line.hear(*[CallStep(ts=line.at, call_id="c1", step=name) for name in names])
        line.tell(CallUpdate, "c1", segments=dict.fromkeys(names, "x"))
        line.tell(CallUpdate, "c1", segments=dict.fromkeys(names))
        line.hear(*[Usage(ts=line.at, call_id="c1", component="llm", model=m, cost_usd=0.01) for m in names])
        line.hear(*[CallOutcome(ts=line.at, call_id="c1", evaluator=who, success=True) for who in names])
        line.hear(*[Error(ts=line.at, call_id="c1", component=name, category="x") for name in names])
        line.pass_(5, every=5)
    assert line.row("c1").cost_usd == pytest.approx(15)
    assert line.see().errors.rate.value == 1.0
    call = line.session.engine.roster.live["c1"]
    assert (
        max(len(call.marks), len(call.segments), len(call.spent), len(call.opinions), len(call.story)) <= 300
    )
    assert len(call.known_at) <= len(call.segments)
    line.tell(CallEnd, "c1", reason="completed")
    assert sums(line)["ended"] == 1


def test_a_call_with_turns_without_end_costs_bounded_memory() -> None:
    line = Line(EngineConfig(story_budget=50))
    for _ in range(120):
        line.hear(*[Turn(ts=line.at, call_id="c1", e2e_ms=800.0) for _ in range(500)])
        line.pass_(5, every=5)
    call = line.session.engine.roster.live["c1"]
    assert len(call.observed) < 300_000
    assert line.see(span="24h").latency.e2e.p50.n == 60_000


def test_a_second_answer_within_the_turn_is_the_latest_one() -> None:
    line = Line()
    line.begin("c1")
    line.turn("c1", 800.0, turn=3)
    line.turn("c1", 1_200.0, turn=3)
    line.turn("c1", 500.0, turn=2)
    line.pass_(1)
    (row,) = line.see().calls.rows
    assert (row.turn, row.e2e_ms) == (3, 1_200.0)
