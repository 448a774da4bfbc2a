"""Which rows of the segment table are marked and why, from events to the panel."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine.feeding import Line
from voicetop.engine.snapshot import SegmentRow, SegmentsPanel, WorseFigure
from voicetop.wire.events import CallEnd, CallOutcome, Error, TurnStart

SHARES = {"en": 60, "es": 40, "fr": 20}
TURNS = 6


def calls(
    line: Line, name: str, *, failed: dict[str, int] | None = None, slow: dict[str, int] | None = None
) -> None:
    """Calls of three languages that end, of which so many fail, or have so many slow turns."""
    for language, many in SHARES.items():
        for number in range(many):
            call_id = f"{name}-{language}-{number}"
            line.begin(call_id, language=language, intent=("billing", "orders")[number % 2])
            for turn in range(TURNS):
                late = (slow or {}).get(language, 0) > number * TURNS + turn
                line.turn(call_id, 5000.0 if late else 800.0 + 40 * (turn % 5), turn=turn)
            if number < (failed or {}).get(language, 0):
                line.tell(Error, call_id, component="llm", category="timeout", final=True)
            line.tell(CallOutcome, call_id, evaluator="judge", success=number % 10 > 0)
            line.tell(CallEnd, call_id, reason="user_hangup")
    line.pass_(15.0)


@pytest.fixture(scope="module")
def past() -> Line:
    """A quiet past of some hours."""
    line = Line()
    for hour in range(6):
        calls(line, f"past{hour}", failed={"en": 2, "es": 2}, slow={"en": 14, "es": 10, "fr": 5})
        line.pass_(3600, every=60)
    return line


@pytest.fixture
def line(past: Line) -> Line:
    return past.fork()


def panel(line: Line, dimension: str = "language", **view: object) -> SegmentsPanel:
    found = line.see(dimension=dimension, **view).segments
    assert found is not None
    return found


def row(line: Line, value: str) -> SegmentRow:
    return next(row for row in panel(line).rows if row.value == value)


def test_the_row_that_fails_is_first_and_says_why(line: Line) -> None:
    calls(line, "now", failed={"es": 12}, slow={"en": 14, "es": 10, "fr": 5})
    first, *others = panel(line).rows
    assert (first.value, first.worse_in, first.explains) == ("es", ("errors",), 1.0)
    (worse,) = first.worse
    assert (worse.value, worse.rest) == (first.errors.value, first.rest_errors) == (0.3, 0.0)
    assert not any(row.worse for row in others)


def test_the_row_that_is_slow_is_marked_though_its_p95_is_hardly_off(line: Line) -> None:
    calls(line, "now", slow={"en": 14, "es": 42, "fr": 5})
    first = panel(line).rows[0]
    assert (first.value, first.worse_in) == ("es", ("latency",))
    assert first.worse[0].value == pytest.approx(42 / 240)
    assert first.worse[0].rest == pytest.approx(19 / 480)


def test_one_failed_call_of_a_few_marks_nothing(line: Line) -> None:
    calls(line, "now", failed={"fr": 1}, slow={"en": 14, "es": 10, "fr": 5})
    assert not any(row.worse for row in panel(line).rows)


def test_what_all_rows_have_marks_none_of_them(line: Line) -> None:
    calls(line, "now", failed={"en": 20, "es": 13, "fr": 7}, slow={"en": 120, "es": 80, "fr": 40})
    found = panel(line)
    assert [row.worse for row in found.rows] == [()] * 3
    assert found.rows[0].errors.off
    assert found.rows[0].explains == pytest.approx(0.5, abs=0.1)


def test_calls_without_a_value_are_no_segment(line: Line) -> None:
    for number in range(40):
        line.begin(f"new{number}", intent="billing")
        line.tell(Error, f"new{number}", component="llm", category="timeout", final=True)
    calls(line, "now", slow={"en": 14, "es": 10, "fr": 5})
    unset = row(line, "(unset)")
    assert (unset.errors.value, unset.worse) == (1.0, ())
    assert panel(line, "intent").rows[0].worse_in == ("errors",)


def test_callers_stuck_in_one_row_mark_it(line: Line) -> None:
    for number in range(60):
        line.begin(f"now{number}", language=("en", "es", "fr")[number % 3])
    for number in range(1, 60, 9):
        line.tell(TurnStart, f"now{number}", turn=0)
    line.pass_(30.0)
    stuck = row(line, "es")
    assert stuck.stuck == 7
    assert stuck.worse[0] == WorseFigure("stuck", 7, 0.0, 0, "calls")
    assert panel(line).rows[0].value == "es"


def test_the_values_that_the_verdict_names_are_marked_with_its_segment(line: Line) -> None:
    """A few slow calls of one combination are lost in each of its values, but not to the scan of combinations."""
    for hour in range(6, 8):
        calls(line, f"past{hour}", slow={"en": 14, "es": 10, "fr": 5})
        line.pass_(3600, every=60)
    calls(line, "now", slow={"en": 14, "es": 10, "fr": 5})
    line.pass_(5.0)
    trouble = line.session.engine.judge.standing.get("local latency")
    assert trouble is None
    for number in range(14):
        line.begin(f"bad{number}", language="fr", intent="billing", tier="gold")
        for turn in range(TURNS):
            line.turn(f"bad{number}", 5000.0, turn=turn)
        line.pass_(5.0)
    verdict = line.see().verdict
    where = next(trouble.where for trouble in verdict.troubles if trouble.kind == "latency")
    for dimension, value in where:
        first = panel(line, dimension).rows[0]
        assert (first.value, first.worse_in[0]) == (value, "latency")


def test_a_row_keeps_its_order_by_what_it_explains(line: Line) -> None:
    calls(line, "now", failed={"es": 12, "fr": 5}, slow={"en": 14, "es": 10, "fr": 5})
    found = panel(line).rows
    assert [row.value for row in found][:2] == ["es", "fr"]
    assert found[0].explains > found[1].explains > 0
    assert replace(found[2], explains=0.0) == found[2]
