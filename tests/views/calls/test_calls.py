"""A call in full: its turns in order, its events beside the turns that they belong to."""

from __future__ import annotations

import pytest

from engine.feeding import Line
from voicetop.engine.snapshot import CallDetail, View
from voicetop.wire.events import CallStep, Interruption, Tool, Transcript, Turn, TurnStart


def detail(line: Line) -> CallDetail:
    line.pass_(1)
    seen = line.session.snapshot(View(call_id="c1")).detail
    assert seen is not None
    return seen


def tool(line: Line, name: str, turn: int) -> None:
    line.tell(Tool, "c1", name=name, state="ok", turn=turn, duration_ms=100.0)
    line.pass_(1)


def test_events_stand_beside_the_turn_of_their_number_also_after_numbers_began_again() -> None:
    line = Line()
    line.begin("c1")
    for name in ("first", "second"):
        line.tell(TurnStart, "c1", turn=0)
        line.pass_(1)
        tool(line, name, 0)
        line.turn("c1", 2_000, turn=0)
        line.pass_(1)
        line.tell(Interruption, "c1", by="user", turn=0, playout_ms=300.0)
    turns = detail(line).turns
    assert [[item.text for item in turn.items] for turn in turns] == [
        ["first ok", "barge-in"],
        ["second ok", "barge-in"],
    ]


@pytest.mark.parametrize("also_as_event", [True, False])
def test_a_reply_that_turns_out_to_have_been_interrupted_says_so_once(also_as_event: bool) -> None:
    line = Line()
    line.begin("c1")
    line.turn("c1", 900, turn=0)
    replied = line.at
    line.pass_(3)
    if also_as_event:
        line.tell(Interruption, "c1", by="user", turn=0)
    line.tell(Turn, "c1", turn=0, ts=replied, interrupted=True)
    [turn] = detail(line).turns
    assert [(item.kind, item.text) for item in turn.items] == [("barge-in", "barge-in")]


def test_events_without_a_number_follow_the_turn_before() -> None:
    line = Line()
    line.begin("c1")
    line.tell(CallStep, "c1", step="greet")
    line.pass_(1)
    line.turn("c1", 800)
    line.pass_(1)
    line.tell(CallStep, "c1", step="verify")
    seen = detail(line)
    assert [item.text for item in seen.before if item.kind == "step"] == ["greet"]
    assert [item.text for item in seen.turns[0].items] == ["verify"]


def test_turns_without_a_number_stand_between_those_that_have_one() -> None:
    line = Line()
    line.begin("c1")
    line.tell(Turn, "c1", agent_text="Hello!")
    line.pass_(3)
    for number, words in enumerate(("one", "two")):
        line.tell(TurnStart, "c1", turn=number)
        waiting = detail(line).turns[-1]
        assert (waiting.index, waiting.status) == (number, "waiting")
        line.turn("c1", 1_000, turn=number, user_text=words)
        line.pass_(3)
        line.tell(Turn, "c1", agent_text="Are you there?")
        line.pass_(3)
    turns = detail(line).turns
    assert [turn.agent_text or turn.user_text for turn in turns] == [
        "Hello!", "one", "Are you there?", "two", "Are you there?",
    ]  # fmt: skip
    assert [turn.index for turn in turns if turn.index >= 0] == [0, 1]
    assert len({turn.index for turn in turns}) == 5


def test_words_without_a_number_are_of_the_next_turn_after_a_reply() -> None:
    line = Line()
    line.begin("c1")
    for words in ("one", "two"):
        line.tell(Transcript, "c1", role="user", text=words)
        line.tell(TurnStart, "c1")
        line.pass_(1)
        line.turn("c1", 800)
        line.pass_(1)
    assert [turn.user_text for turn in detail(line).turns] == ["one", "two"]
