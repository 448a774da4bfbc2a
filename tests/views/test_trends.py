"""The funnel's steps are in the order of calls, whenever they were first seen."""

from __future__ import annotations

from engine.feeding import Line
from voicetop.wire.events import CallEnd, CallStep

FLOW = ("greeting", "verify", "lookup", "close")


def walk(line: Line, call_id: str, *steps: str) -> None:
    line.begin(call_id)
    for step in steps:
        line.tell(CallStep, call_id, step=step)
    line.tell(CallEnd, call_id, reason="completed")


def steps(line: Line) -> list[str]:
    trends = line.see(trends=True).trends
    assert trends is not None
    return [share.step for share in trends.funnel]


def test_a_call_already_under_way_does_not_reverse_the_funnel() -> None:
    line = Line()
    walk(line, "was there before", "close")
    walk(line, "this one too", "lookup", "close")
    for number in range(20):
        walk(line, f"c{number}", *(FLOW if number % 3 else ("greeting", "lookup", "close")))
    assert steps(line) == list(FLOW)


def test_steps_without_ended_calls_keep_their_order() -> None:
    line = Line()
    line.begin("goes on")
    for step in FLOW:
        line.tell(CallStep, "goes on", step=step)
    assert steps(line) == list(FLOW)
