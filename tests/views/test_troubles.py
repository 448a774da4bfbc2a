"""A trouble on the screen has the figure of its panel, at the same moment."""

from __future__ import annotations

from engine.feeding import Line
from engine.test_judge import Fleet
from voicetop.wire.events import Turn, TurnStart


def test_the_sentence_counts_the_stuck_callers_that_the_panel_counts_between_two_marks() -> None:
    line = Line()
    line.hear(*[TurnStart(ts=line.at, call_id=f"c{n}", turn=0) for n in range(6)])
    line.pass_(20)
    line.hear(*[Turn(ts=line.at, call_id=f"c{n}", turn=0, e2e_ms=20_000.0) for n in range(3)])
    line.beat(line.at + 0.25)
    seen = line.see()
    assert seen.waiting.stuck == 3
    assert "3 of 3 waiting callers stuck" in seen.verdict.text


def test_the_sentence_has_the_error_rate_of_the_panel_and_its_n() -> None:
    fleet = Fleet()
    fleet.go_on(60)
    fleet.go_on(90, error="timeout")
    fleet.hear(*fleet.call(fleet.at, error="timeout"))
    fleet.beat(fleet.at + 0.25)
    seen = fleet.see()
    (errors,) = [trouble for trouble in seen.verdict.troubles if trouble.kind == "errors"]
    assert (errors.value, errors.n) == (seen.errors.rate.value, seen.errors.rate.n)
    assert errors.normal == seen.errors.rate.normal.value


def test_while_the_five_minute_figure_looks_normal_the_sentence_counts_what_was_seen() -> None:
    fleet = Fleet()
    fleet.hear(*[event for n in range(900) for event in fleet.call(fleet.at - n % 290)])
    fleet.go_on(60)
    fleet.go_on(16, error="timeout")
    seen = fleet.see()
    assert not seen.errors.rate.off
    assert "calls with an error in" in seen.verdict.text
    assert "expected" in seen.verdict.text


def test_what_is_over_but_still_in_a_window_is_said_beside_ok() -> None:
    fleet = Fleet()
    fleet.go_on(60)
    fleet.hear(*[event for n in range(400) for event in fleet.call(fleet.at - 700 - n, good=False)])
    fleet.go_on(60)
    seen = fleet.see()
    assert seen.outcome.success.off
    assert seen.verdict.severity == "ok"
    assert "normal now, 30-min task success" in seen.verdict.text
