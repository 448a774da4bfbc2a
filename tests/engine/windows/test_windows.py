"""What was counted leaves each window when it is too old for it, and not before."""

from __future__ import annotations

import numpy as np
import pytest

from engine.feeding import START, Line, sums
from voicetop.engine.snapshot import Span
from voicetop.engine.windows.histograms import METRIC
from voicetop.engine.windows.slots import FINE
from voicetop.wire.events import CallEnd, Error

LENGTHS: dict[Span, float] = {"5m": 300.0, "30m": 1_800.0, "24h": 86_400.0}
LATE: dict[Span, float] = {"5m": 10.0, "30m": 60.0, "24h": 900.0}
"""A slot expires as a whole: so many seconds later at most."""


def counted(line: Line, span: Span) -> tuple[int, int]:
    """(turns measured, errors counted) in a window."""
    seen = line.see(span=span)
    return seen.latency.e2e.p50.n, sums(line, span).get("error", 0)


@pytest.mark.parametrize("span", LENGTHS)
def test_a_turn_and_an_error_are_counted_for_as_long_as_the_window_is(span: Span) -> None:
    line = Line(at=START + 3.0)
    line.begin("c1", language="es")
    line.turn("c1", 800.0)
    line.tell(Error, "c1", component="llm", category="timeout", final=True)
    line.tell(CallEnd, "c1", reason="completed")
    line.pass_(1)
    assert counted(line, span) == (1, 1)
    every = max(1.0, LENGTHS[span] / 600)
    line.pass_(LENGTHS[span] - 3.0 - every, every=every)
    assert counted(line, span) == (1, 1)
    line.pass_(LATE[span] + 2 * every + 5.0, every=every)
    assert counted(line, span) == (0, 0)


def test_two_windows_of_the_same_events_add_up_to_the_same_in_every_segment() -> None:
    line = Line()
    for number, language in enumerate(("es", "en", "es", "de")):
        line.begin(f"c{number}", language=language)
        line.turn(f"c{number}", 500.0 + 100.0 * number)
        line.pass_(20)
    for span in LENGTHS:
        parts = [
            line.see(span=span, where=(("language", value),)).latency.e2e.p50.n
            for value in ("es", "en", "de")
        ]
        assert parts == [2, 1, 1]
        assert counted(line, span)[0] == sum(parts)


def test_what_slots_hold_of_every_cell_is_what_they_hold_of_each() -> None:
    line = Line()
    for number, language in enumerate(("es", "en", "es", "de", "en")):
        line.begin(f"c{number}", language=language)
        for turn in range(3):
            line.turn(f"c{number}", 500.0 + 100.0 * number, turn=turn)
        line.tell(Error, f"c{number}", component="llm", category="timeout", final=True)
        line.tell(CallEnd, f"c{number}", reason="completed")
        line.pass_(2_500, every=10)
    moved = line.session.engine.roster.find("c0")
    assert moved is not None
    line.session.engine.patch(moved, {"language": "it"}, line.at)
    ledger = line.session.engine.ledger
    slots, used, e2e = sorted(ledger.windows.coarse), len(ledger.cells), METRIC["e2e"]
    assert len({width for width, _ in slots}) == 2
    table = ledger.windows.by_cell_over_time(slots, e2e, used)
    kinds = ledger.counts.by_cell_over_time(slots, ["error", "ended"])
    assert table.sum() == 15
    assert kinds["error"].sum() == kinds["ended"].sum() == 5
    for cell in range(used):
        chosen = np.array([cell], np.intp)
        assert (table[cell] == sum(ledger.windows.over_time(slot, chosen)[e2e] for slot in slots)).all()
        held = [ledger.counts.over_time(slot, frozenset({cell})) for slot in slots if slot[0] != FINE]
        assert kinds["error"][cell] == sum(sums.get("error", 0) for sums in held)
