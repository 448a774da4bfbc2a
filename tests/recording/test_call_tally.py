"""Exported time series count every call and turn once, in whatever order their events come."""

from __future__ import annotations

from typing import Any

import pytest

from voicetop.recording.call_tally import CallTally

Told = tuple[str, float, dict[str, Any]]
START: Told = ("call.start", 1.0, {})
WAIT: Told = ("turn.start", 2.0, {"turn": 0})
REPLY: Told = ("turn", 3.0, {"turn": 0})
END: Told = ("call.end", 4.0, {"reason": "completed"})


def tallied(*told: Told) -> tuple[CallTally, list[str]]:
    """What is live in the end, and the events that count."""
    tally = CallTally()
    events = [{"type": kind, "ts": ts, "call_id": "c1", **fields} for kind, ts, fields in told]
    return tally, [str(event["type"]) for event in events if tally.counts(event)]


@pytest.mark.parametrize(
    "told", [[START, WAIT, REPLY, END], [END, REPLY, WAIT, START], [REPLY, END, START, WAIT]]
)
def test_the_order_changes_nothing(told: list[Told]) -> None:
    tally, counted = tallied(*told, *told)
    assert (tally.live, tally.waiting) == (set(), set())
    assert [counted.count(kind) for kind in ("call.start", "turn", "call.end")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("told", "waiting"),
    [
        ([START, WAIT], True),
        ([WAIT], True),
        ([START, WAIT, REPLY], False),
        ([START, REPLY, WAIT], False),
        ([START, WAIT, ("call.update", 3.0, {"state": "held"})], False),
        ([START, WAIT, ("call.update", 1.5, {"state": "held"})], True),
        ([START, WAIT, ("stage", 3.0, {"name": "vad", "state": "start"})], False),
        ([START, WAIT, ("stage", 1.5, {"name": "vad", "state": "start"})], True),
        ([START, WAIT, REPLY, ("turn.start", 9.0, {"turn": 0})], True),
    ],
)
def test_a_caller_waits_until_what_came_later_ends_it(told: list[Told], waiting: bool) -> None:
    tally, _ = tallied(*told)
    assert (tally.live, tally.waiting) == ({"c1"}, {"c1"} if waiting else set())


@pytest.mark.parametrize(
    ("after", "live"),
    [
        (("call.start", 4.0, {}), True),
        (("call.start", 0.5, {}), False),
        (("turn.start", 5.0, {"turn": 1}), False),
        (("turn.start", 15.0, {"turn": 1}), True),
        (("turn", 15.0, {"turn": 0}), False),
        (("call.update", 3_600.0, {"state": "ringing"}), True),
        (("transcript", 3_600.0, {"role": "user"}), False),
        (("usage", 3_600.0, {"component": "llm"}), False),
    ],
)
def test_what_comes_after_the_end_begins_another_call_or_none(after: Told, live: bool) -> None:
    tally, _ = tallied(START, WAIT, REPLY, END, after)
    assert bool(tally.live) == live


def test_what_makes_no_sense_of_an_unknown_call_makes_none() -> None:
    tally, _ = tallied(("usage", 1.0, {"component": "llm"}), ("call.outcome", 2.0, {}))
    assert tally.live == set()
