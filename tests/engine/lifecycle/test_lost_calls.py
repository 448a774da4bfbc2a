"""Calls that nothing is heard of: when they are lost, and that any event of theirs brings them back."""

from __future__ import annotations

from typing import Any

import pytest

from engine.feeding import Line, sums
from voicetop.wire.events import (
    Audio,
    CallEnd,
    CallOutcome,
    CallStart,
    CallStep,
    CallUpdate,
    Error,
    Interruption,
    SourceStatus,
    Stage,
    Tool,
    Transcript,
    Turn,
    TurnStart,
    Usage,
)


def quiet(line: Line, seconds: float, *, active: int | None = None) -> None:
    """Time passes without a word of any call; the publisher says every 5 s how many it has, unless it is cut off."""
    for _ in range(int(seconds // 5)):
        if active is not None:
            line.tell(SourceStatus, source="agent", active_calls=active)
        line.pass_(5)


def lost() -> Line:
    """A call with a turn whose publisher was cut off for over three minutes."""
    line = Line()
    line.tell(CallStart, "c1", source="agent", segments={"intent": "billing"})
    line.tell(Turn, "c1", source="agent", turn=0, e2e_ms=900.0, user_text="hello")
    line.tell(SourceStatus, source="agent", active_calls=1)
    quiet(line, 195)
    assert line.row("c1", ended=True).state == "lost"
    return line


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (CallStart, {}),
        (CallUpdate, {"segments": {"tier": "gold"}}),
        (CallStep, {"step": "verify"}),
        (TurnStart, {"turn": 1}),
        (Turn, {"turn": 1, "e2e_ms": 500.0}),
        (Stage, {"name": "llm", "state": "start"}),
        (Tool, {"name": "lookup", "state": "start"}),
        (Error, {"component": "llm", "category": "timeout"}),
        (Interruption, {"by": "user"}),
        (Audio, {"role": "user", "pitch_hz": 100.0}),
        (Transcript, {"role": "user", "text": "hello?"}),
    ],
)
@pytest.mark.parametrize("late_s", [0, 100])
def test_any_event_of_a_lost_call_makes_it_live_again_with_its_history(
    kind: type[Any], fields: dict[str, Any], late_s: int
) -> None:
    line = lost()
    line.tell(kind, "c1", source="agent", ts=line.at - late_s, **fields)
    line.pass_(1)
    row = line.row("c1")
    assert dict(row.segments)["intent"] == "billing"
    assert row.recent[0] == 900.0
    assert line.rows(ended=True) == []
    assert {"ended", "talked", "handled_ms"} & set(sums(line)) == set()
    line.tell(CallEnd, "c1", reason="completed")
    line.pass_(1)
    assert (sums(line)["ended"], sums(line)["started"]) == (1, 1)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [(CallOutcome, {"evaluator": "judge", "success": True}), (Usage, {"component": "llm"})],
)
def test_what_others_say_of_a_lost_call_brings_it_not_back(kind: type[Any], fields: dict[str, Any]) -> None:
    line = lost()
    line.tell(kind, "c1", **fields)
    line.pass_(1)
    assert line.rows() == []


def test_who_waits_after_a_partition_is_seen_waiting() -> None:
    line = lost()
    for number in range(1, 13):
        line.tell(TurnStart, "c1", source="agent", turn=number, ts=line.at - 190 + 15 * number)
        line.tell(Turn, "c1", source="agent", turn=number, e2e_ms=500.0, ts=line.at - 189.5 + 15 * number)
    line.tell(TurnStart, "c1", source="agent", turn=13)
    quiet(line, 10, active=1)
    row = line.row("c1")
    assert (row.state, row.waiting_s) == ("waiting", 10)
    assert line.see(span="30m").latency.e2e.p50.n == 14


def test_a_caller_who_waited_when_the_call_was_lost_waits_still() -> None:
    line = Line()
    line.tell(TurnStart, "c1", turn=0)
    line.tell(Stage, "c1", ts=line.at + 20, name="llm", state="start")
    quiet(line, 220)
    assert line.row("c1", ended=True).state == "lost"
    line.tell(CallStart, "c1")
    line.pass_(1)
    row = line.row("c1")
    assert (row.state, row.waiting_s) == ("waiting", 221)


def test_a_publisher_that_is_heard_keeps_as_many_calls_as_it_says_it_has() -> None:
    line = Line()
    for n in range(3):
        line.tell(CallStart, f"c{n}", source="agent", ts=line.at)
        line.pass_(1)
    quiet(line, 600, active=3)
    assert len(line.rows()) == 3
    quiet(line, 20, active=1)
    assert line.rows() == ["c2"], "the ones that were silent for longest are lost"


def test_calls_without_a_source_are_counted_by_whoever_is_heard() -> None:
    line = Line()
    line.begin("c1")
    quiet(line, 300, active=1)
    assert line.rows() == ["c1"]
    quiet(line, 20, active=0)
    assert line.rows() == []


@pytest.mark.parametrize("state", ["held", "transferring"])
@pytest.mark.parametrize("active", [None, 1])
def test_hold_and_transfer_do_not_age_a_call(state: str, active: int | None) -> None:
    line = Line()
    line.tell(CallStart, "c1", source="agent")
    line.tell(SourceStatus, source="agent", active_calls=1)
    line.tell(CallUpdate, "c1", source="agent", state=state)
    quiet(line, 1_800, active=active)
    assert line.row("c1").state == state
    line.tell(CallUpdate, "c1", source="agent", state="active")
    line.tell(TurnStart, "c1", source="agent", turn=1)
    quiet(line, 10, active=1)
    assert line.row("c1").waiting_s == 10


def test_callers_on_hold_stay_though_their_publisher_counts_fewer() -> None:
    line = Line()
    for call_id in ("c1", "c2"):
        line.tell(CallStart, call_id, source="agent")
        line.tell(CallUpdate, call_id, source="agent", state="held")
    quiet(line, 600, active=1)
    assert sorted(line.rows()) == ["c1", "c2"]


def test_a_lost_call_that_ends_after_all_ended_when_it_did() -> None:
    line = lost()
    line.pass_(3_600, every=5)
    line.tell(CallEnd, "c1", source="agent", reason="user_hangup")
    line.pass_(130)
    row = line.row("c1", ended=True)
    assert (row.state, row.reason, row.outcome) == ("ended", "user_hangup", "abandoned")
    assert row.age_s == 3_795
    assert sums(line)["ended"] == 1


def test_a_caller_on_hold_for_hours_of_whom_nobody_says_anything_is_lost() -> None:
    line = Line()
    line.begin("c1")
    line.tell(CallUpdate, "c1", state="held")
    line.pass_(7_300, every=60)
    assert line.row("c1", ended=True).state == "lost"
