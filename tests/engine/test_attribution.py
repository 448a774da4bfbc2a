"""Whose fault it is: each value's share of what is slow or failed beyond what its own past lets expect."""

from __future__ import annotations

import numpy as np
import pytest

from engine.feeding import Line
from voicetop.engine.attribution.segments import expected
from voicetop.engine.snapshot import SegmentRow
from voicetop.wire.events import CallEnd, Error, TurnStart

SHARES = {"en": 60, "es": 30}
TURNS = 10


def calls(
    line: Line, name: str, *, failed: dict[str, int] | None = None, slow: dict[str, int] | None = None
) -> None:
    """Calls of both languages, of which so many fail, or have so many slow turns."""
    for language, many in SHARES.items():
        for number in range(many):
            call_id = f"{name}-{language}-{number}"
            line.begin(call_id, language=language)
            for turn in range(TURNS):
                far = (slow or {}).get(language, 0) > number * TURNS + turn
                line.turn(call_id, 5000.0 if far else 800.0 + 40 * (turn % 5), turn=turn)
            if number < (failed or {}).get(language, 0):
                line.tell(Error, call_id, component="llm", category="timeout", final=True)
            line.tell(CallEnd, call_id, reason="user_hangup")


def shares(line: Line) -> dict[str, SegmentRow]:
    panel = line.see(dimension="language").segments
    assert panel is not None
    return {row.value: row for row in panel.rows}


@pytest.fixture(scope="module")
def past() -> Line:
    """A quiet past of some hours."""
    line = Line()
    for hour in range(6):
        calls(line, f"past{hour}", failed={"en": 1}, slow={"en": 6, "es": 3})
        line.pass_(3600, every=60)
    return line


@pytest.fixture
def line(past: Line) -> Line:
    return past.fork()


def test_failed_calls_count_as_the_verdict_counts_them(line: Line) -> None:
    calls(line, "now", failed={"es": 12})
    found = shares(line)
    assert found["es"].explains == pytest.approx(1.0)
    assert found["en"].explains == 0.0


def test_slow_turns_count(line: Line) -> None:
    calls(line, "now", slow={"en": 120, "es": 40})
    found = shares(line)
    assert 0.6 < found["en"].explains < 0.85
    assert found["en"].explains + found["es"].explains == pytest.approx(1.0)


def test_what_chance_brings_is_nobodys_fault(line: Line) -> None:
    calls(line, "now", failed={"en": 2, "es": 1}, slow={"en": 8, "es": 5})
    assert all(row.explains != row.explains for row in shares(line).values())


def test_callers_who_wait_count_in_their_value_as_they_do_in_the_whole(line: Line) -> None:
    calls(line, "now")
    for number in range(40):
        line.begin(f"waits-{number}", language="es")
        line.tell(TurnStart, f"waits-{number}", turn=0)
        line.begin(f"talks-{number}", language="en")
    line.pass_(30.0)
    found = shares(line)
    assert found["es"].p95.at_least
    assert found["es"].p95.value >= 29_000
    narrowed = line.see(where=(("language", "es"),)).latency.e2e.p95
    assert (found["es"].p95.value, found["es"].p95.n) == (narrowed.value, narrowed.n)
    assert found["en"].p95.value < 1000
    assert found["en"].rest_p95 >= 29_000
    assert found["es"].explains == pytest.approx(1.0)
    assert "stuck" in found["es"].worse_in


def test_a_cell_with_hardly_a_past_is_judged_by_the_rate_of_all() -> None:
    hits, n = np.array([2.0, 10.0]), np.array([2.0, 998.0])
    small, large = expected(np.array([100.0, 100.0]), hits, n)
    fleet = 12 / 1_000
    assert small == pytest.approx(100 * (2 + 20 * fleet) / 22)
    assert large == pytest.approx(100 * (10 + 20 * fleet) / 1_018)
    assert small < 11, "two failures of two calls don't let expect that all fail"
