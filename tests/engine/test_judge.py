"""Is everything working right now? What turns the verdict, what turns it back, and what it learns from."""

from __future__ import annotations

import random
import re

from engine.feeding import Line
from voicetop.alerts.detectors import waiting
from voicetop.engine.engine import MARK_S
from voicetop.engine.judge.judge import CLEAR_S
from voicetop.engine.snapshot import Trouble
from voicetop.wire.events import (
    AnyEvent,
    CallEnd,
    CallOutcome,
    CallStart,
    Error,
    Latency,
    Stage,
    Turn,
    TurnStart,
)


class Fleet(Line):
    """A healthy service with an hour behind it: a call every 2 s of 3 turns each, each turn of about a second."""

    def __init__(self) -> None:
        super().__init__()
        self.dice = random.Random(1)
        self.count = 0
        for ago in range(3_600, 0, -300):
            self.hear(*[event for s in range(0, 300, 2) for event in self.call(self.at - ago + s)])
        self.beat(self.at + 1)

    def call(
        self, ts: float, e2e_ms: float = 1_000.0, error: str = "", *, good: bool = True
    ) -> list[AnyEvent]:
        """The events of one call that ended at `ts`."""
        self.count += 1
        name, dice = f"f{self.count}", self.dice
        times = [e2e_ms * dice.uniform(0.8, 1.2) for _ in range(3)]
        told: list[AnyEvent] = [CallStart(ts=ts - 60, call_id=name, segments={"intent": dice.choice("abc")})]
        told += [
            Turn(
                ts=ts - 30 + n,
                call_id=name,
                turn=n,
                e2e_ms=ms,
                latency=Latency(llm_ttft=ms - 500, tts_ttfb=200.0),
            )
            for n, ms in enumerate(times)
        ]
        if error:
            told.append(Error(ts=ts - 1, call_id=name, component="llm", category=error))
        reason = "completed" if good else "user_hangup"
        told.append(CallEnd(ts=ts, call_id=name, reason=reason))
        return [*told, CallOutcome(ts=ts, call_id=name, evaluator="judge", success=good)]

    def go_on(self, seconds: int, e2e_ms: float = 1_000.0, error: str = "", *, good: bool = True) -> None:
        for _ in range(seconds // 2):
            self.hear(*self.call(self.at, e2e_ms, error, good=good))
            self.pass_(2, every=1)

    def trouble(self, kind: str) -> Trouble | None:
        found = [trouble for trouble in self.see().verdict.troubles if trouble.key == kind]
        return found[0] if found else None


def test_a_healthy_service_is_ok_once_there_is_a_normal() -> None:
    fleet = Fleet()
    fleet.go_on(60)
    verdict = fleet.see().verdict
    assert (verdict.severity, verdict.text) == ("ok", "no calls right now · all figures normal")


def test_a_new_service_says_that_it_is_learning_and_for_how_long() -> None:
    line = Line()
    line.turn("c1", 900)
    line.pass_(300, every=5)
    line.turn("c2", 900)
    verdict = line.see().verdict
    assert (verdict.severity, verdict.text) == ("learning", "1 call · learning baseline, 10 min left")


def test_stuck_callers_are_down_within_seconds_learned_or_not() -> None:
    line = Line()
    for n in range(5):
        line.hear(
            TurnStart(ts=line.at, call_id=f"c{n}", turn=0),
            Stage(ts=line.at, call_id=f"c{n}", name="llm", state="start", provider="acme"),
        )
    began = line.at
    line.pass_(7)
    assert line.see().verdict.severity == "learning"
    line.pass_(6)
    verdict = line.see().verdict
    assert (verdict.severity, verdict.since) == ("down", began)
    assert verdict.text == "5 of 5 waiting callers stuck in LLM for over 8 s · provider acme"


def test_two_stuck_callers_of_many_waiting_are_no_outage() -> None:
    line = Line()
    line.pass_(10)
    line.hear(*[TurnStart(ts=line.at - 10, call_id=f"c{n}", turn=0) for n in range(2)])
    line.hear(*[TurnStart(ts=line.at, call_id=f"d{n}", turn=0) for n in range(10)])
    line.pass_(6)
    assert line.see().verdict.severity == "degraded"


def test_one_stuck_caller_is_an_eye_catcher_and_no_trouble() -> None:
    line = Line()
    line.wait("c1")
    line.begin("c2")
    line.pass_(30)
    assert line.see().verdict.severity == "learning"
    assert line.see().needing_eyes[0].eyes == "stuck"


def test_a_trouble_goes_only_once_its_figure_was_back_for_a_while() -> None:
    line = Line()
    line.hear(*[TurnStart(ts=line.at, call_id=f"c{n}", turn=0) for n in range(5)])
    line.pass_(20)
    since = line.see().verdict.since
    answered = line.at
    line.hear(*[Turn(ts=line.at, call_id=f"c{n}", turn=0, e2e_ms=20_000.0) for n in range(5)])
    line.pass_(CLEAR_S - 6)
    verdict = line.see().verdict
    assert (verdict.severity, verdict.since) == ("down", since)
    line.pass_(21)
    verdict = line.see().verdict
    assert (verdict.severity, verdict.since) == ("recovering", since)
    told = re.search(r"no caller stuck for (\d+) s", verdict.text)
    assert told
    assert 0 <= int(told[1]) - (line.at - answered) <= MARK_S
    line.pass_(300, every=5)
    assert line.see().verdict.severity == "learning"


def test_a_trouble_that_comes_back_within_that_while_is_the_same_one() -> None:
    line = Line()
    for turn in range(3):
        line.hear(*[TurnStart(ts=line.at, call_id=f"c{n}", turn=turn) for n in range(5)])
        line.pass_(15)
        line.hear(*[Turn(ts=line.at, call_id=f"c{n}", turn=turn, e2e_ms=15_000.0) for n in range(5)])
    assert line.see().verdict.since < line.at - 40


def test_errors_are_told_with_their_kind_and_their_times_of_normal() -> None:
    fleet = Fleet()
    fleet.go_on(40)
    fleet.go_on(60, error="rate_limit")
    found = fleet.trouble("errors")
    assert found is not None
    assert (found.severity, found.stage) == ("down", "llm"), "a third of the replies of the last minute"
    assert "mostly LLM rate limit" in fleet.see().verdict.text
    fleet.go_on(240, error="rate_limit")
    found = fleet.trouble("errors")
    assert found is not None
    assert found.severity == "down"


def test_errors_began_where_they_became_many_and_not_where_that_was_seen() -> None:
    fleet = Fleet()
    fleet.go_on(100)
    fleet.go_on(2, error="timeout")
    fleet.go_on(50)
    began = fleet.at
    fleet.go_on(60, error="timeout")
    found = fleet.trouble("errors")
    assert found is not None
    assert abs(found.since - began) <= 10


def test_a_few_errors_are_no_trouble() -> None:
    fleet = Fleet()
    fleet.go_on(60)
    fleet.go_on(6, error="timeout")
    assert fleet.trouble("errors") is None


def test_a_slow_stage_is_named_with_how_much_it_grew() -> None:
    fleet = Fleet()
    fleet.go_on(90, e2e_ms=3_000.0)
    found = fleet.trouble("latency")
    assert found is not None
    measured = fleet.session.engine.judge.standing["latency"].trouble
    assert 2_000 < measured.stage_more_ms < 3_000
    assert " · LLM +2," in fleet.see().verdict.text
    assert (found.stage, found.severity) == ("llm_ttft", "degraded")
    assert fleet.see().latency.e2e.p95.ratio > 2


def test_a_few_slow_turns_are_no_trouble() -> None:
    fleet = Fleet()
    fleet.go_on(6, e2e_ms=3_000.0)
    fleet.go_on(60)
    assert fleet.trouble("latency") is None


def test_failing_tasks_are_told_against_their_normal() -> None:
    fleet = Fleet()
    fleet.go_on(60)
    fleet.hear(*[event for n in range(900) for event in fleet.call(fleet.at - n, good=n % 2 == 0)])
    fleet.pass_(6)
    found = fleet.trouble("success")
    assert found is not None
    assert "task success 7" in fleet.see().verdict.text
    assert fleet.see().outcome.success.value < 0.8


def test_minutes_with_a_trouble_do_not_train_the_normal() -> None:
    fleet = Fleet()
    fleet.go_on(30)
    before = fleet.see().latency.e2e.p95.normal.value
    fleet.go_on(1_800, e2e_ms=3_000.0)
    after = fleet.see().latency.e2e.p95
    assert abs(after.normal.value - before) < 0.05 * before
    assert after.value > 2 * before
    assert fleet.trouble("latency") is not None


def test_nor_do_they_train_the_normal_of_a_segment() -> None:
    fleet = Fleet()
    fleet.go_on(30)
    panel = fleet.see(dimension="intent").segments
    assert panel is not None
    before = {row.value: row.p95.normal.value for row in panel.rows}
    fleet.go_on(1_800, e2e_ms=3_000.0, error="timeout")
    panel = fleet.see(dimension="intent").segments
    assert panel is not None
    assert {row.value for row in panel.rows} == {"a", "b", "c"}
    for row in panel.rows:
        assert abs(row.p95.normal.value - before[row.value]) < 0.05 * before[row.value]
        assert row.errors.normal.value < 0.02
        assert row.errors.off


def test_a_caller_is_stuck_by_the_same_value_everywhere() -> None:
    fleet = Fleet()
    fleet.hear(*[event for n in range(600) for event in fleet.call(fleet.at - 400 - n, e2e_ms=4_000.0)])
    for n in range(5):
        fleet.begin(f"w{n}", intent="a")
        fleet.wait(f"w{n}")
    engine = fleet.session.engine
    fleet.pass_(11)
    over = engine.stuck_after_s
    assert 12 < over < 16, "three normal P99"
    assert waiting.signals(engine, fleet.at) == []
    assert fleet.trouble("waiting") is None
    fleet.pass_(9)
    (found,) = waiting.signals(engine, fleet.at)
    narrow, wide = fleet.see(where=(("intent", "a"),)), fleet.see(dimension="intent")
    held = engine.judge.standing["waiting"].trouble
    assert {held.line, narrow.waiting.over_s, wide.waiting.over_s} == {over}
    assert found.text.endswith("over 15 s"), "in the alert the threshold is a part of the words"
    assert narrow.waiting.stuck == wide.waiting.stuck == found.calls == 5
    assert [row.eyes for row in narrow.needing_eyes] == ["stuck"] * 5


def test_nothing_is_normal_in_any_panel_before_the_verdict_has_learned() -> None:
    line = Line()
    for n in range(120):
        line.begin(f"c{n}", intent="a")
        line.turn(f"c{n}", 900.0)
        line.tell(CallEnd, f"c{n}", reason="completed")
    line.pass_(600, every=5)
    for later, known in ((200, False), (200, True)):
        line.pass_(later, every=5)
        line.begin(f"d{later}", intent="a")
        line.turn(f"d{later}", 900.0)
        seen = line.see(dimension="intent")
        assert (seen.verdict.severity == "ok") == known
        assert seen.latency.e2e.p95.normal.known == seen.errors.rate.normal.known == known
        assert seen.segments is not None
        (row,) = seen.segments.rows
        assert row.p95.normal.known == row.errors.normal.known == known


def test_a_segment_that_has_no_past_yet_is_judged_by_the_past_of_all() -> None:
    fleet = Fleet()
    fleet.go_on(60)
    for n in range(
        75
    ):  # the newest, sooner than a slot takes to close: the longer windows don't have them yet
        fleet.begin(f"new{n}", version="v2")
        fleet.turn(f"new{n}", 5_000)
        fleet.pass_(1)
    found = fleet.trouble("latency") or fleet.trouble("local latency")
    assert found is not None
    assert found.where == (("version", "v2"),)
