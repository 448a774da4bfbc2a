"""Turns whose numbers begin again, are skipped or come late, and turns that are told more than once."""

from __future__ import annotations

from typing import Any

import pytest

from engine.feeding import Line
from voicetop.engine.call_events import told_events
from voicetop.engine.config import EngineConfig
from voicetop.engine.snapshot import CallDetail, View
from voicetop.wire.events import CallEnd, CallUpdate, Latency, Stage, Tool, Transcript, Turn, TurnStart


def detail(line: Line, call_id: str = "c1") -> CallDetail:
    seen = line.session.snapshot(View(call_id=call_id)).detail
    assert seen is not None
    return seen


def measured(line: Line, span: str = "5m") -> tuple[int, float]:
    """(how many response times are counted, their median in ms)."""
    p50 = line.see(span=span).latency.e2e.p50
    return p50.n, p50.value


def ignored(line: Line) -> dict[str, int]:
    return line.session.engine.feed.ignored.get("", {})


# -- numbers that begin again ---------------------------------------------------------------------------------------


def handed_over() -> Line:
    """A call with two turns that another agent takes over."""
    line = Line()
    line.begin("c1", intent="sales")
    for number in (0, 1):
        line.wait("c1", number)
        line.pass_(1)
        line.turn("c1", 700, turn=number, user_text=f"words {number}")
        line.pass_(3)
    return line


def test_a_caller_whose_turn_numbers_begin_again_is_seen_waiting() -> None:
    line = handed_over()
    line.wait("c1", 0)
    line.pass_(9)
    row = line.row("c1")
    assert (row.state, row.waiting_s, row.eyes) == ("waiting", 9, "stuck")
    assert ignored(line) == {}
    line.turn("c1", 9_000, turn=0)
    line.pass_(1)
    assert line.row("c1").state == "active"
    assert measured(line)[0] == 3


def test_numbers_that_begin_again_in_the_very_moment_of_the_last_reply_are_seen() -> None:
    line = Line()
    for number in (0, 1):
        line.wait("c1", number)
        line.turn("c1", 700, turn=number)
    line.wait("c1", 0)
    line.pass_(9)
    assert line.row("c1").eyes == "stuck"
    assert [turn.status for turn in detail(line).turns] == ["ok", "ok", "waiting"]


def test_turn_numbers_go_on_on_the_screen_after_a_handoff() -> None:
    line = handed_over()
    line.wait("c1", 0)
    line.pass_(1)
    line.turn("c1", 1_000, turn=0, user_text="more")
    line.wait("c1", 1)
    line.pass_(2)
    turns = detail(line).turns
    assert [turn.index for turn in turns] == [0, 1, 2, 3]
    assert [turn.user_text for turn in turns] == ["words 0", "words 1", "more", ""]
    assert [turn.status for turn in turns] == ["ok", "ok", "ok", "waiting"]
    assert line.row("c1").turn == 2


def test_without_turn_start_other_words_tell_that_numbers_begin_again() -> None:
    line = handed_over()
    line.turn("c1", 800, turn=1, user_text="something else entirely")
    line.pass_(1)
    assert measured(line)[0] == 3
    assert len(detail(line).turns) == 3


def test_a_greeting_that_is_turn_0_hides_nobody() -> None:
    line = Line()
    line.begin("c1")
    line.tell(Turn, "c1", turn=0, agent_text="Hello!")
    line.pass_(4)
    line.wait("c1", 0)
    line.pass_(10)
    assert line.row("c1").eyes == "stuck"


def test_a_greeting_that_is_turn_0_is_no_part_of_the_first_reply() -> None:
    line = Line()
    line.begin("c1")
    line.tell(Turn, "c1", turn=0, agent_text="Hello, this is Acme.")
    line.pass_(6)
    line.turn("c1", 900, turn=0, user_text="hi", agent_text="What can I do for you?")
    line.pass_(5)
    line.turn("c1", 900, turn=1, user_text="my bill")
    line.pass_(1)
    assert [turn.agent_text for turn in detail(line).turns][:2] == [
        "Hello, this is Acme.",
        "What can I do for you?",
    ]
    assert len(detail(line).turns) == 3


def test_a_reply_with_a_lower_number_that_was_never_told_is_the_one_that_was_waited_for() -> None:
    line = Line()
    line.begin("c1")
    line.turn("c1", 700, turn=1)
    line.pass_(3)
    line.wait("c1", 1)
    line.pass_(1)
    line.turn("c1", 1_000, turn=0)
    line.pass_(1)
    assert line.row("c1").state == "active"
    assert measured(line)[0] == 2


@pytest.mark.parametrize(
    ("kind", "fields"),
    [(CallUpdate, {"state": "held"}), (Stage, {"name": "vad", "state": "start"})],
)
def test_what_comes_late_from_before_a_wait_does_not_end_it(kind: type[Any], fields: dict[str, Any]) -> None:
    line = Line()
    line.begin("c1")
    line.pass_(5)
    line.wait("c1", 0)
    line.tell(kind, "c1", ts=line.at - 2, **fields)
    line.pass_(9)
    row = line.row("c1")
    assert (row.state, row.waiting_s, row.eyes) == ("waiting", 9, "stuck")


def test_a_turn_start_from_before_the_hold_lets_nobody_wait() -> None:
    line = Line()
    line.begin("c1")
    line.pass_(5)
    line.tell(CallUpdate, "c1", state="held")
    line.wait("c1", 0, ts=line.at - 2)
    line.pass_(9)
    assert line.row("c1").state == "held"
    assert ignored(line) == {"late turn.start": 1}


def test_who_waits_for_a_reply_is_not_on_hold_any_more() -> None:
    line = Line()
    line.begin("c1")
    line.tell(CallUpdate, "c1", state="held")
    line.pass_(60)
    line.wait("c1", 0)
    line.pass_(9)
    assert (line.row("c1").state, line.row("c1").eyes) == ("waiting", "stuck")
    line.turn("c1", 9_000, turn=0)
    assert line.row("c1").state == "active"


def test_a_tool_that_is_told_to_have_started_after_its_end_runs_no_more() -> None:
    line = Line()
    line.begin("c1")
    line.wait("c1", 0)
    line.pass_(2)
    line.tell(Tool, "c1", name="lookup", state="ok")
    line.tell(Tool, "c1", name="lookup", state="start", ts=line.at - 1)
    line.pass_(9)
    assert line.row("c1").stage == ""


def test_a_turn_start_that_comes_after_its_reply_is_counted_and_lets_nobody_wait() -> None:
    line = handed_over()
    line.wait("c1", 1, ts=line.at - 5)
    line.pass_(1)
    assert line.row("c1").state == "active"
    assert ignored(line) == {"late turn.start": 1}


def test_a_skipped_turn_that_comes_late_is_one_more() -> None:
    line = Line()
    line.turn("c1", 700, turn=2)
    line.turn("c1", 800, turn=1, ts=line.at - 4)
    line.pass_(1)
    assert measured(line)[0] == 2


# -- amendments -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_of_the_reply", [True, False])
def test_words_told_later_amend_their_turn(as_of_the_reply: bool) -> None:
    line = Line()
    line.begin("c1")
    line.wait("c1", 0)
    line.pass_(1)
    line.turn("c1", 900, turn=0, latency=Latency(llm_ttft=400.0))
    replied = line.at
    line.pass_(5)
    words = {"user_text": "my bill", "agent_text": "Let me see.", "interrupted": True}
    line.tell(Turn, "c1", turn=0, **words, **({"ts": replied} if as_of_the_reply else {}))
    line.pass_(1)
    (turn,) = detail(line).turns
    assert (turn.e2e_ms, turn.user_text, turn.agent_text) == (900, "my bill", "Let me see.")
    assert turn.stages == (("llm_ttft", 400.0),)
    assert measured(line)[0] == 1
    assert line.row("c1").recent == (900.0,)


def test_words_of_the_turn_before_leave_the_caller_waiting() -> None:
    line = handed_over()
    line.wait("c1", 2)
    line.tell(Turn, "c1", turn=1, agent_text="the whole answer")
    line.pass_(1)
    assert line.row("c1").state == "waiting"
    assert detail(line).turns[1].agent_text == "the whole answer"


@pytest.mark.parametrize("later_s", [0, 20, 400, 2_500])
def test_a_corrected_time_replaces_the_first_in_every_window(later_s: int) -> None:
    line = Line()
    line.begin("c1", intent="billing")
    line.turn("c1", 900, turn=0, latency=Latency(tool=100.0))
    replied = line.at
    line.pass_(later_s + 1, every=5)
    line.tell(Turn, "c1", turn=0, e2e_ms=1_800.0, ts=replied, latency=Latency(tool=900.0))
    line.pass_(1)
    seen = line.see(span="24h")
    assert seen.latency.e2e.p50.n == 1
    assert seen.latency.e2e.p50.value == pytest.approx(1_800, rel=0.02)
    assert [stage.p50.value for stage in seen.latency.stages] == [pytest.approx(900, rel=0.02)]
    line.tell(CallUpdate, "c1", segments={"intent": "cancel"})
    line.pass_(1)
    moved = line.see(span="24h", where=(("intent", "cancel"),)).latency.e2e.p50
    assert moved.n == 1
    assert moved.value == pytest.approx(1_800, rel=0.02)
    assert line.see(span="24h", where=(("intent", "billing"),)).latency.e2e.p50.n == 0


def test_an_amendment_finds_its_turn_though_numbers_began_again_twice() -> None:
    line = Line()
    line.begin("c1")
    replied = []
    for agent in range(3):
        line.wait("c1", 0)
        line.pass_(1)
        line.turn("c1", 1_000, turn=0, agent_text=f"agent {agent}")
        replied.append(line.at)
        line.pass_(5)
    line.tell(Turn, "c1", turn=0, ts=replied[0], e2e_ms=2_000.0, agent_text="agent 0, whole")
    line.tell(CallEnd, "c1", reason="completed")
    line.pass_(30)
    line.tell(Turn, "c1", turn=0, ts=replied[1], agent_text="agent 1, whole")
    line.pass_(1)
    turns = detail(line).turns
    assert [turn.agent_text for turn in turns] == ["agent 0, whole", "agent 1, whole", "agent 2"]
    assert [turn.e2e_ms for turn in turns] == [2_000, 1_000, 1_000]


@pytest.mark.parametrize("status", ["no_reply", "cancelled", "noise"])
def test_a_reply_that_comes_after_all_is_one(status: str) -> None:
    line = Line()
    line.wait("c1", 0)
    line.pass_(9)
    line.tell(Turn, "c1", turn=0, status=status)
    line.pass_(2)
    line.tell(Turn, "c1", turn=0, status="ok", e2e_ms=10_500.0, agent_text="Sorry.")
    line.pass_(1)
    assert [turn.status for turn in detail(line).turns] == ["ok"]
    assert measured(line)[0] == 1


def test_a_turn_that_turns_out_to_have_been_noise_was_no_wait() -> None:
    line = Line()
    line.wait("c1", 0)
    line.pass_(9)
    line.tell(Turn, "c1", turn=0, status="no_reply")
    line.pass_(1)
    assert measured(line)[0] == 1
    line.tell(Turn, "c1", turn=0, status="noise")
    line.pass_(1)
    assert measured(line)[0] == 0


def test_an_amendment_after_the_end_amends_the_ended_call() -> None:
    line = handed_over()
    line.tell(CallEnd, "c1", reason="completed")
    line.pass_(60)
    line.tell(Turn, "c1", turn=1, agent_text="at last")
    line.pass_(1)
    assert line.rows() == []
    assert detail(line).turns[1].agent_text == "at last"


def test_amending_a_turn_whose_events_were_dropped_is_counted() -> None:
    line = Line(EngineConfig(story_budget=0))
    line.turn("c1", 900, turn=0)
    line.pass_(6)
    line.turn("c1", 900, turn=1)
    line.pass_(6)
    line.turn("c1", 1_900, turn=1)
    line.pass_(1)
    assert ignored(line) == {"amends an unknown turn": 1}
    assert measured(line)[0] == 2


def test_a_turn_that_is_amended_for_ever_costs_bounded_memory() -> None:
    line = Line()
    line.begin("c1")
    line.turn("c1", 900, turn=0)
    for _ in range(5):
        line.hear(*[Turn(ts=line.at, call_id="c1", turn=0, agent_text="x" * n) for n in range(1, 600)])
        line.pass_(5)
    call = line.session.engine.roster.live["c1"]
    assert len(call.story) <= 2_002
    assert len([event for event in told_events(call) if type(event) is Turn]) == 1


# -- words before their turn ----------------------------------------------------------------------------------------


def test_a_waiting_callers_words_are_shown_at_once_and_become_those_of_the_turn() -> None:
    line = Line()
    line.begin("c1")
    line.tell(Transcript, "c1", role="user", text="my card was", final=False)
    line.tell(Transcript, "c1", role="user", text="my card was stolen")
    line.wait("c1", 0)
    line.pass_(9)
    (waiting,) = detail(line).turns
    assert (waiting.status, waiting.user_text) == ("waiting", "my card was stolen")
    line.turn("c1", 9_000, turn=0)
    line.pass_(1)
    (turn,) = detail(line).turns
    assert (turn.status, turn.user_text) == ("ok", "my card was stolen")


def test_transcripts_with_turn_numbers_go_to_their_turns() -> None:
    line = handed_over()
    for role, text in (("user", "and a third"), ("agent", "Of course.")):
        line.tell(Transcript, "c1", role=role, text=text, turn=2)
    line.tell(TurnStart, "c1", turn=2)
    line.pass_(1)
    line.turn("c1", 600, turn=2)
    line.pass_(1)
    assert [(turn.user_text, turn.agent_text) for turn in detail(line).turns][-1] == (
        "and a third",
        "Of course.",
    )
