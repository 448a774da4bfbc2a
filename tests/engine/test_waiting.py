"""Callers who wait for a reply: when a wait begins, what ends it, and what it does to the percentiles."""

from __future__ import annotations

from typing import Any

import pytest

from engine.feeding import START, Line
from engine.oracle import middle
from voicetop.wire.events import CallEnd, CallUpdate, Interruption, Stage, Turn, TurnStart


def busy(replies: int = 95) -> Line:
    line = Line()
    line.hear(*[Turn(ts=line.at, call_id=f"r{n}", turn=0, e2e_ms=1_000.0) for n in range(replies)])
    line.beat(line.at + 1)
    return line


def waiting(line: Line, callers: int) -> None:
    line.hear(*[TurnStart(ts=line.at, call_id=f"w{n}", turn=0) for n in range(callers)])


def test_a_dead_model_shows_while_callers_wait_and_not_when_timeouts_arrive() -> None:
    line = busy()
    waiting(line, 6)
    line.pass_(9)
    p95 = line.see().latency.e2e.p95
    assert (p95.value, p95.at_least, p95.n) == (middle(9_000), True, 101)
    line.pass_(10)
    assert line.see().latency.e2e.p95.value == middle(19_000)


def test_few_waiting_callers_do_not_move_a_percentile() -> None:
    line = busy()
    waiting(line, 5)
    line.pass_(9)
    p95 = line.see().latency.e2e.p95
    assert (p95.value, p95.at_least) == (middle(1_000), False)
    assert line.see().latency.e2e.p99.at_least


def test_a_hang_up_while_waiting_counts_as_at_least_this_long() -> None:
    line = busy()
    waiting(line, 6)
    line.pass_(7)
    line.hear(*[CallEnd(ts=line.at, call_id=f"w{n}", reason="user_hangup") for n in range(6)])
    line.pass_(60)
    p95 = line.see().latency.e2e.p95
    assert (p95.value, p95.at_least, p95.n) == (middle(7_000), True, 101)
    assert line.see().waiting.waiting == 0


@pytest.mark.parametrize(("status", "counts"), [("failed", True), ("no_reply", True), ("cancelled", False)])
def test_a_turn_that_fails_counts_as_at_least_this_long(status: str, counts: bool) -> None:
    line = busy(1)
    waiting(line, 1)
    line.pass_(5)
    line.tell(Turn, "w0", turn=0, status=status)
    line.pass_(30)
    e2e = line.see().latency.e2e.p99
    assert (e2e.n, e2e.at_least) == ((2, True) if counts else (1, False))
    assert e2e.value == middle(5_000 if counts else 1_000)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Turn, {"turn": 0, "e2e_ms": 900.0}),
        (Turn, {"turn": -1, "e2e_ms": 900.0}),
        (Turn, {"turn": 3, "e2e_ms": 900.0}),
        (Stage, {"name": "vad", "state": "start"}),
        (CallUpdate, {"state": "held"}),
        (CallUpdate, {"state": "transferring"}),
        (CallEnd, {"reason": "transferred"}),
    ],
)
def test_what_ends_a_wait(kind: type[Any], fields: dict[str, Any]) -> None:
    line = Line()
    waiting(line, 1)
    line.pass_(2)
    assert line.see().waiting.waiting == 1
    line.tell(kind, "w0", **fields)
    line.pass_(1)
    assert line.see().waiting.waiting == 0


def test_the_reply_to_an_earlier_turn_leaves_the_caller_waiting() -> None:
    line = Line()
    line.wait("c1", 4)
    line.turn("c1", 800, turn=3)
    assert line.row("c1").state == "waiting"


def test_a_start_that_comes_after_its_own_reply_lets_nobody_wait() -> None:
    line = Line()
    line.turn("c1", 800, turn=2)
    line.wait("c1", 2)
    assert line.row("c1").state == "active"


def test_a_start_that_comes_after_the_end_lets_nobody_wait() -> None:
    line = Line()
    line.begin("c1")
    line.tell(CallEnd, "c1", reason="completed")
    line.wait("c1", 1)
    line.beat(line.at + 5)
    row = line.row("c1", ended=True)
    assert row.waiting_s != row.waiting_s
    assert line.rows(ended=True, text="stuck") == []


def test_a_lost_call_is_not_waited_for() -> None:
    line = Line()
    waiting(line, 1)
    line.pass_(200)
    assert line.see().waiting.waiting == 0
    assert line.row("w0", ended=True).state == "lost"


def test_stuck_callers_are_told_by_stage_and_provider_worst_first() -> None:
    line = Line()
    for n in range(9):
        line.wait(f"c{n}")
        name, provider = ("llm", "acme") if n < 5 else ("tts", "voices") if n < 8 else ("", "")
        if name:
            line.tell(Stage, f"c{n}", name=name, state="start", provider=provider)
    line.pass_(6)
    line.wait("late")
    line.pass_(6)
    panel = line.see().waiting
    assert (panel.waiting, panel.stuck, panel.longest_s) == (10, 9, 12)
    told = [(s.stage, s.stuck, s.waiting, s.provider) for s in panel.stages]
    assert told == [("llm", 5, 5, "acme"), ("tts", 3, 3, "voices"), ("", 1, 2, "")]


def test_a_stage_that_ends_is_not_where_a_caller_is_stuck() -> None:
    line = Line()
    line.wait("c1")
    line.tell(Stage, "c1", name="stt", state="start")
    line.tell(Stage, "c1", name="stt", state="end")
    assert line.row("c1").stage == ""


def test_talking_over_the_agent_ends_no_wait() -> None:
    line = Line()
    line.wait("c1")
    line.tell(Interruption, "c1", by="user")
    assert line.row("c1").state == "waiting"


def test_a_wait_told_late_counts_from_when_it_began() -> None:
    line = Line()
    line.wait("c1", ts=START - 20)
    line.beat(line.at + 1)
    assert line.row("c1").waiting_s == 21
