"""Callers who wait for a reply: when a wait begins, what ends it, and what it does to the percentiles."""

from __future__ import annotations

from typing import Any

import pytest

from engine.feeding import START, Line
from engine.oracle import middle
from voicetop.wire.events import (
    CallEnd,
    CallUpdate,
    Interruption,
    SourceStatus,
    Stage,
    Turn,
    TurnStart,
)


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


@pytest.mark.parametrize(
    ("status", "counts"), [("failed", True), ("no_reply", True), ("cancelled", False), ("noise", False)]
)
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
    line.pass_(30)
    line.wait("c1", ts=line.at - 20)
    line.beat(line.at + 1)
    assert line.row("c1").waiting_s == 21


# -- publishers that aren't heard ------------------------------------------------------------------------------------


def cut(seconds: float, *, replies: int = 95, source: str = "cut") -> Line:
    """One of two publishers is cut off while five replies of its callers are in flight, and `seconds` pass."""
    line = busy(replies)
    for name in ("cut", "fine"):
        line.tell(SourceStatus, source=name)
    line.hear(*[TurnStart(ts=line.at, call_id=f"w{n}", turn=0, source=source) for n in range(5)])
    until = line.at + seconds
    while line.at < until:
        line.pass_(min(5.0, until - line.at))
        line.tell(SourceStatus, source="fine")
    return line


def test_waits_of_a_silent_publisher_are_unknown_and_nothing_else() -> None:
    line = cut(74)
    seen = line.see(dimension="language")
    assert (seen.waiting.unknown, seen.waiting.unknown_since) == (5, line.at - 74)
    assert (seen.waiting.waiting, seen.waiting.stuck, seen.waiting.longest_s) == (0, 0, 0)
    p95 = seen.latency.e2e.p95
    assert (p95.value, p95.at_least, p95.n) == (middle(1_000), False, 95)
    assert seen.segments is not None
    assert [(row.stuck, row.p95.n) for row in seen.segments.rows] == [(0, 95)]
    assert "waiting" not in [trouble.kind for trouble in seen.verdict.troubles]
    assert (seen.calls.stuck, seen.needing_eyes) == (0, ())


def test_an_unknown_wait_is_marked_in_the_list_and_on_the_page_of_its_call() -> None:
    line = cut(74)
    row = line.row("w3")
    assert (row.state, row.eyes, row.unknown_since) == ("unknown", "", line.at - 74)
    assert row.waiting_s != row.waiting_s
    assert row.mood == 0
    detail = line.see(call_id="w3").detail
    assert detail is not None
    (turn,) = detail.turns
    assert (turn.status, turn.unknown_since) == ("unknown", line.at - 74)
    assert turn.waiting_s != turn.waiting_s
    assert set(line.rows(text="unknown")) == {f"w{n}" for n in range(5)}
    assert line.rows(text="stuck") == line.rows(text="wait>1") == []


def test_a_lost_connection_never_opens_an_alert_about_stuck_callers() -> None:
    for before in (0.0, 1.0, 4.9):
        line = busy()
        line.pass_(10)
        line.hear(*[TurnStart(ts=line.at - before, call_id=f"w{n}", source="cut", turn=0) for n in range(5)])
        for name in ("cut", "fine"):
            line.tell(SourceStatus, source=name)
        for _ in range(30):
            line.pass_(1.0)
            line.tell(SourceStatus, source="fine")
            assert not [one for one in line.session.alerts.incidents.opened if one.family == "waiting"]
            assert "waiting" not in line.session.engine.judge.standing


def test_a_publisher_that_is_heard_again_knows_who_is_waiting() -> None:
    line = cut(30)
    line.tell(SourceStatus, source="cut")
    line.pass_(1)
    line.hear(*[Turn(ts=line.at - 28, call_id=f"w{n}", turn=0, e2e_ms=2_000.0, source="cut") for n in (0, 1)])
    line.pass_(3)
    seen = line.see()
    assert (seen.waiting.waiting, seen.waiting.unknown, seen.waiting.unknown_since) == (0, 3, line.at - 34)
    assert "waiting" not in line.session.engine.judge.standing
    line.pass_(1)
    line.tell(SourceStatus, source="cut")
    seen = line.see()
    assert (seen.waiting.waiting, seen.waiting.stuck, seen.waiting.unknown) == (3, 3, 0)
    assert seen.waiting.longest_s == 35
    assert seen.waiting.unknown_since != seen.waiting.unknown_since


@pytest.mark.parametrize("seconds", [3, 5, 6.9])
def test_a_publisher_between_two_statuses_is_not_silent(seconds: float) -> None:
    panel = cut(seconds).see().waiting
    assert (panel.waiting, panel.unknown) == (5, 0)


def test_a_source_that_never_sends_a_status_is_believed() -> None:
    panel = cut(74, source="webhook").see().waiting
    assert (panel.waiting, panel.stuck, panel.unknown) == (5, 5, 0)


def test_waits_without_a_source_are_unknown_once_nobody_is_heard() -> None:
    line = cut(10, source="")
    assert line.see().waiting.waiting == 5
    line.pass_(8)
    assert line.see().waiting.unknown == 5


def test_a_filter_counts_its_own_unknown_waits() -> None:
    line = cut(20)
    line.tell(CallUpdate, "w1", segments={"language": "es"})
    assert line.see(where=(("language", "es"),)).waiting.unknown == 1
    assert line.see().waiting.unknown == 5


# -- what was before the feed ----------------------------------------------------------------------------------------


def long_ago(age: float, callers: int = 5) -> Line:
    """A hub hears of callers who have been waiting for 30 hours."""
    line = Line()
    line.pass_(age)
    line.hear(*[TurnStart(ts=line.at - 108_000, call_id=f"w{n}", turn=0) for n in range(callers)])
    return line


@pytest.mark.parametrize("age", [20, 600])
def test_a_wait_of_a_call_from_before_the_feed_counts_from_when_it_was_heard_of(age: float) -> None:
    line = long_ago(age)
    heard_at = line.at
    line.pass_(5)
    assert line.see().waiting.stuck == 0
    line.pass_(20)
    seen = line.see(call_id="w0")
    assert (seen.waiting.longest_s, seen.waiting.stuck) == (25, 5)
    assert line.row("w0").waiting_s == 25
    assert seen.detail is not None
    assert seen.detail.turns[0].waiting_s == 25
    assert (seen.verdict.severity, seen.verdict.since) == ("down", heard_at)
    assert line.rows(text="wait>26") == []
    line.tell(CallEnd, "w0", reason="user_hangup")
    line.tell(Turn, "w1", turn=0, status="failed")
    line.pass_(10)
    p99 = line.see().latency.e2e.p99
    assert (p99.n, p99.value) == (5, middle(35_000))


def test_a_wait_from_just_before_the_feed_counts_from_its_beginning() -> None:
    line = Line()
    line.wait("c1", ts=START - 20)
    line.pass_(9)
    assert line.row("c1").waiting_s == 9


def test_waits_that_were_over_before_the_feed_began_keep_their_length() -> None:
    line = Line()
    line.pass_(5)
    ago = line.at - 120
    line.hear(
        TurnStart(ts=ago - 40, call_id="a", turn=0),
        Turn(ts=ago - 20, call_id="a", turn=0, status="failed"),
        TurnStart(ts=ago - 40, call_id="b", turn=0),
        CallEnd(ts=ago, call_id="b", reason="user_hangup"),
    )
    line.pass_(1)
    e2e = line.see().latency.e2e
    assert (e2e.p50.value, e2e.p99.value) == (middle(20_000), middle(40_000))


def test_noise_leaves_no_gap_among_the_last_response_times() -> None:
    line = Line()
    for number, status in enumerate(("ok", "noise", "no_reply", "ok")):
        line.tell(Turn, "c1", turn=number, status=status, **({"e2e_ms": 800.0} if status == "ok" else {}))
    assert [value == value for value in line.row("c1").recent] == [True, False, True]
