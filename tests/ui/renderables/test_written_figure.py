from __future__ import annotations

import msgspec

from ui.synthetic import figure
from voicetop.engine.snapshot import Figure
from voicetop.formatting import numbers
from voicetop.ui.renderables.written_figure import derivation, judge, write_figure


def test_a_figure_that_rests_on_too_little_says_so_and_is_not_judged() -> None:
    reading = write_figure(Figure(9000.0, 12, warn=100.0, few=True), numbers.milliseconds)
    assert reading.value == "too few (n=12)"
    assert reading.word == ""


def test_a_lower_bound_is_marked() -> None:
    made = msgspec.structs.replace(figure(3910, 300), at_least=True)
    assert write_figure(made, numbers.milliseconds).value == "≥ 3,910 ms"


def test_a_figure_is_judged_by_its_line_and_by_the_verdict() -> None:
    assert judge(figure(3, 50, 1, 2))[:2] == ("▲", "high")
    assert judge(figure(1, 50, 1, 2))[:2] == ("●", "ok")
    assert judge(figure(0.8, 50, 0.9, 0.85), low_is_bad=True)[:2] == ("▼", "low")
    assert judge(figure(3, 50))[:2] == ("", "")
    assert judge(figure(1, 50, 1), troubled=True)[:2] == ("▲", "high")


def test_a_warning_line_says_where_it_comes_from() -> None:
    assert derivation(figure(3910, 300, 1630, 2445), numbers.bare_ms) == "warn 2,445 = 1.5 × normal 1,630"
    assert derivation(figure(3910, 300), numbers.bare_ms) == ""
