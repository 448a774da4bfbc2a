"""Segment cells: any number of made-up values stays bounded, and what found no room is told."""

from __future__ import annotations

import pytest

from engine.feeding import Line
from voicetop.engine.config import EngineConfig
from voicetop.wire.events import CallEnd, CallStart, CallUpdate, Turn
from voicetop.wire.values import Segments


def calls(line: Line, intents: list[str], **more: str) -> None:
    """One short call for each intent, begun and ended."""
    for n, intent in enumerate(intents):
        segments: Segments = {"intent": intent, **more}
        line.hear(
            CallStart(ts=line.at, call_id=f"{intent}-{n}-{line.at}", segments=segments),
            Turn(ts=line.at, call_id=f"{intent}-{n}-{line.at}", e2e_ms=800.0),
            CallEnd(ts=line.at, call_id=f"{intent}-{n}-{line.at}", reason="completed"),
        )
    line.beat(line.at + 1)


def test_ten_thousand_intents_stay_bounded_and_the_figures_of_everybody_stay_whole() -> None:
    line = Line()
    calls(line, [f"intent {n}" for n in range(10_000)], language="es")
    calls(line, ["billing"], language="es")
    seen = line.see(span="24h")
    cells = line.session.engine.ledger.cells
    assert len(cells) <= 2_048
    assert len(cells.values["intent"]) <= 257
    assert seen.latency.e2e.p50.n == 10_001
    assert seen.outcome.coverage.n == 10_001
    assert seen.feed.folded == 10_001 - 256
    assert line.see(where=(("intent", "other"),)).latency.e2e.p50.n == 10_001 - 256
    assert line.see(where=(("language", "es"),)).latency.e2e.p50.n == 10_001


def test_combinations_too_many_are_folded_and_counted() -> None:
    line = Line(EngineConfig(max_cells=10))
    calls(line, [f"i{n}" for n in range(20)])
    seen = line.see()
    assert (seen.feed.cells, seen.feed.folded) == (
        9,
        12,
    )  # 8 of their own, and that of calls without segments
    assert seen.latency.e2e.p50.n == 20
    assert sum(line.see(where=(("intent", f"i{n}"),)).latency.e2e.p50.n for n in range(20)) == 8


def test_idle_cells_make_room_when_there_is_none() -> None:
    line = Line(EngineConfig(max_cells=10))
    calls(line, [f"old{n}" for n in range(8)])
    line.beat(line.at + 90_000)
    calls(line, [f"new{n}" for n in range(8)])
    seen = line.see()
    assert (seen.feed.cells, seen.feed.folded) == (9, 0)
    assert line.see(where=(("intent", "new7"),)).latency.e2e.p50.n == 1
    assert line.see(where=(("intent", "old7"),)).calls.of == 0


def test_a_live_call_keeps_its_cell_however_long_nothing_is_counted_in_it() -> None:
    line = Line(EngineConfig(max_cells=4, lost_after_s=1e9))
    line.begin("long", intent="billing")
    line.beat(line.at + 90_000)
    calls(line, ["a", "b", "c", "d"])
    line.turn("long", 900)
    line.beat(line.at + 1)
    seen = line.see(where=(("intent", "billing"),))
    assert (seen.latency.e2e.p50.n, seen.calls.of) == (1, 1)


def test_a_word_of_a_call_whose_cell_was_given_up_counts_for_nobody_else() -> None:
    line = Line(EngineConfig(max_cells=4))
    calls(line, ["a", "b"])
    gone = line.rows(ended=True)
    line.beat(line.at + 90_000)
    calls(line, ["c", "d"])
    for call_id in gone:
        line.turn(call_id, 5_000)
    line.beat(line.at + 1)
    assert line.see().latency.e2e.p50.n == 4
    assert {line.see(where=(("intent", i),)).latency.e2e.p99.n for i in "cd"} == {1}


def test_a_turn_that_waits_to_be_counted_keeps_its_cell() -> None:
    line = Line(EngineConfig(max_cells=4))
    calls(line, ["a", "b"])
    call_id = line.rows(ended=True)[0]
    line.beat(line.at + 90_000)
    line.hear(  # one frame: the turn is counted before anybody is asked to make room
        Turn(ts=line.at, call_id=call_id, e2e_ms=5_000.0),
        CallStart(ts=line.at, call_id="new", segments={"intent": "z"}),
    )
    line.beat(line.at + 1)
    assert line.see(where=(("intent", "z"),)).latency.e2e.p50.n == 0
    assert line.see().latency.e2e.p50.n == 1


def test_dimensions_too_many_are_left_out_and_counted() -> None:
    line = Line(EngineConfig(max_dimensions=3))
    line.begin("c1", a="1", b="2", c="3", d="4", e="5")
    seen = line.see()
    assert seen.dimensions == ("a", "b", "c", "hour")
    assert seen.feed.folded == 2
    assert line.see(where=(("a", "1"), ("c", "3"))).calls.of == 1


def test_a_dimension_that_found_no_cell_takes_no_room() -> None:
    line = Line(EngineConfig(max_cells=3, max_dimensions=2))
    line.begin("c1", intent="billing")
    line.begin("c2", noise="1")
    assert line.see().dimensions == ("intent", "hour")
    assert line.see().feed.folded == 1


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({}, {"c1", "c2", "c3"}),
        ({"intent": "billing"}, {"c1", "c2"}),
        ({"intent": "billing", "language": "es"}, {"c1"}),
        ({"language": "es", "intent": "billing"}, {"c1"}),
        ({"language": "fr"}, set()),
        ({"weather": "rain"}, {"c3"}),
    ],
)
def test_a_conjunction_takes_the_calls_in_which_all_of_it_holds(
    where: dict[str, str], found: set[str]
) -> None:
    line = Line()
    line.begin("c1", intent="billing", language="es")
    line.begin("c2", intent="billing", language="en", tier="gold")
    line.begin("c3", weather="rain")
    assert set(line.rows(where=tuple(where.items()))) == found


def test_values_of_any_kind_become_text() -> None:
    line = Line()
    line.begin("c1", vip=True, floor=3, share=0.5, gone=None)
    assert line.row("c1").segments == (("floor", "3"), ("share", "0.5"), ("vip", "yes"))


def test_the_hour_is_time_and_no_segment() -> None:
    line = Line()
    line.begin("c1", hour="3")
    line.tell(CallUpdate, "c1", segments={"hour": 4, "intent": "billing"})
    assert line.row("c1").segments == (("intent", "billing"),)


def test_the_version_of_an_agent_is_a_segment() -> None:
    line = Line()
    line.hear(
        CallStart(ts=line.at, call_id="c1", segments={"intent": "billing"}),
    )
    line.tell(CallStart, "c2", agent={"version": "v42"})
    assert line.rows(where=(("version", "v42"),)) == ["c2"]
