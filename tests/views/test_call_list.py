"""The call list: every order, and visible rows selected without sorting the rest."""

from __future__ import annotations

import random
from typing import Any

import pytest

from engine.feeding import Line
from voicetop.engine.snapshot import CallRow, View
from voicetop.views.call_list import SORTS
from voicetop.wire.events import (
    CallEnd,
    CallOutcome,
    CallStart,
    CallStep,
    Error,
    Interruption,
    Stage,
    Turn,
    TurnStart,
    Usage,
)
from voicetop.wire.values import Segments

CALLS = 300


@pytest.fixture(scope="module")
def line() -> Line:
    """Live calls of every kind, and as many that have ended."""
    dice, line = random.Random(3), Line()
    for n in range(2 * CALLS):
        call_id = f"c{dice.randrange(10**6):06d}-{n}"
        segments: Segments = {"intent": dice.choice("abcde"), "language": dice.choice(("en", "es"))}
        line.hear(CallStart(ts=line.at - dice.randint(0, 90), call_id=call_id, segments=segments))
        if dice.random() < 0.8:
            line.turn(call_id, float(dice.randint(5, 40) * 100), turn=dice.randint(0, 9))
        if dice.random() < 0.3:
            line.hear(
                *[Error(ts=line.at, call_id=call_id, component="llm", category="x")] * dice.randint(1, 3)
            )
        if dice.random() < 0.5:
            line.tell(Usage, call_id, component="llm", cost_usd=dice.randint(1, 9) / 100)
        if dice.random() < 0.5:
            line.tell(CallStep, call_id, step=dice.choice(("greet", "verify", "solve")))
        line.hear(*[Interruption(ts=line.at, call_id=call_id, by="user")] * dice.choice((0, 0, 1, 2)))
        if dice.random() < 0.4:
            line.tell(TurnStart, call_id, ts=line.at - dice.randint(0, 30), turn=20)
            line.tell(Stage, call_id, name=dice.choice(("llm", "tts")), state="start")
        if n % 2:
            line.tell(
                CallEnd, call_id, ts=line.at - dice.randint(0, 5), reason=dice.choice(("completed", "error"))
            )
            line.tell(CallOutcome, call_id, evaluator="judge", success=dice.random() < 0.7)
    line.beat(line.at + 5)
    return line


SHOWN: dict[str, Any] = {
    "call_id": lambda row: row.call_id,
    "age": lambda row: -row.age_s if row.ended_at != row.ended_at else -row.ended_at,
    "turn": lambda row: -row.turn,
    "state": lambda row: row.state,
    "step": lambda row: row.step,
    "waiting": lambda row: -row.waiting_s if row.waiting_s == row.waiting_s else 1.0,
    "stage": lambda row: row.stage,
    "e2e": lambda row: -row.e2e_ms if row.e2e_ms == row.e2e_ms else 1.0,
    "errors": lambda row: -row.errors,
    "cost": lambda row: -row.cost_usd if row.cost_usd == row.cost_usd else 0.0,
    "mood": lambda row: -row.mood,
    "intent": lambda row: row.segment("intent"),
    "language": lambda row: row.segment("language"),
    "ended": lambda row: -row.ended_at if row.ended_at == row.ended_at else 0.0,
    "reason": lambda row: row.reason,
    "outcome": lambda row: row.outcome,
}


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("sort", SHOWN)
def test_rows_are_sorted_by_what_they_show(line: Line, sort: str, ended: bool) -> None:
    rows = line.see(sort=sort, ended=ended, limit=2 * CALLS).calls.rows
    keys = [SHOWN[sort](row) for row in rows]
    assert len(keys) == CALLS
    assert keys == sorted(keys)


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("sort", ["eyes", *SORTS])
def test_visible_rows_are_those_of_the_full_order(line: Line, sort: str, reverse: bool, ended: bool) -> None:
    every = line.rows(sort=sort, reverse=reverse, ended=ended, limit=2 * CALLS)
    assert len(set(every)) == CALLS
    for offset, limit in (
        (0, 1),
        (0, 20),
        (7, 33),
        (60, 10),
        (150, 60),
        (CALLS - 5, 60),
        (CALLS, 9),
        (9_999, 9),
    ):
        part = line.rows(sort=sort, reverse=reverse, ended=ended, offset=offset, limit=limit)
        assert part == every[offset : offset + limit]


@pytest.mark.parametrize("sort", ["age", "turn", "errors", "intent", "waiting", "cost"])
def test_reversed_order_is_the_reverse(line: Line, sort: str) -> None:
    def shown(row: CallRow) -> Any:
        return SHOWN[sort](row)

    down = line.see(sort=sort, limit=CALLS).calls.rows
    up = line.see(sort=sort, limit=CALLS, reverse=True).calls.rows
    assert [shown(row) for row in up] == [shown(row) for row in reversed(down)]


def test_urgent_calls_come_first_stuck_then_failing_then_frustrated(line: Line) -> None:
    rank = {"stuck": 0, "failing": 1, "frustrated": 2, "": 3}
    rows = line.see(limit=CALLS).calls.rows
    ranks = [rank[row.eyes] for row in rows]
    assert ranks == sorted(ranks)
    stuck = [row.waiting_s for row in rows if row.eyes == "stuck"]
    assert stuck == sorted(stuck, reverse=True)
    seen = line.see(limit=0)
    assert seen.calls.stuck == len(stuck)
    assert [row.call_id for row in seen.needing_eyes] == [row.call_id for row in rows[:12]]


def test_ended_calls_come_last_ended_first(line: Line) -> None:
    for sort in ("eyes", "age"):
        times = [row.ended_at for row in line.see(ended=True, sort=sort, limit=CALLS).calls.rows]
        assert times == sorted(times, reverse=True)


def test_an_unknown_sort_key_sorts_by_age(line: Line) -> None:
    assert line.rows(sort="colour") == line.rows(sort="age")


def test_scope_filter_and_order_combine(line: Line) -> None:
    seen = line.see(where=(("intent", "a"),), text="errors>0 lang:es", sort="cost", limit=CALLS)
    every = line.see(sort="cost", limit=CALLS).calls.rows
    kept = [r for r in every if r.segment("intent") == "a" and r.errors and r.segment("language") == "es"]
    assert seen.calls.rows == tuple(kept)
    assert seen.calls.total == len(kept)
    assert seen.calls.of == sum(row.segment("intent") == "a" for row in every)


def test_a_row_has_its_recent_turns() -> None:
    line = Line()
    line.hear(*[Turn(ts=line.at, call_id="c-last", turn=n, e2e_ms=100.0 * (n + 1)) for n in range(3)])
    row = line.row("c-last")
    assert (row.turn, row.e2e_ms) == (2, 300.0)


def test_a_wait_between_two_stages_is_not_that_for_the_provider_of_the_first() -> None:
    line = Line()
    line.tell(CallStart, "c1")
    line.tell(TurnStart, "c1", turn=1)
    line.tell(Stage, "c1", name="stt", state="start", provider="hark-stt")
    line.beat(line.at + 1)
    before = line.session.snapshot(View())
    line.tell(Stage, "c1", name="stt", state="end", provider="hark-stt")
    line.beat(line.at + 1)
    after = line.session.snapshot(View())
    shown = [
        (row.stage, row.provider, stage.stage, stage.provider)
        for snap in (before, after)
        for row, stage in zip(snap.calls.rows, snap.waiting.stages, strict=True)
    ]
    assert shown == [("stt", "hark-stt", "stt", "hark-stt"), ("", "", "", "")]
