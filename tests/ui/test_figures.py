from __future__ import annotations

import msgspec
import pytest

from ui.synthetic import AT, figure
from voicetop.engine.snapshot import NAN, Figure
from voicetop.ui import figures


def test_what_is_not_known_is_a_dash() -> None:
    for write in (
        figures.milliseconds,
        figures.seconds,
        figures.percent,
        figures.dollars,
        figures.age,
        figures.span,
    ):
        assert write(NAN) == "–"


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (figures.milliseconds(3910), "3,910 ms"),
        (figures.seconds_of_ms(8130), "8.1 s"),
        (figures.percent(0.0412), "4.1 %"),
        (figures.percent(1.0), "100 %"),
        (figures.dollars(0.0912), "$0.091"),
        (figures.dollars(12.3), "$12.30"),
        (figures.age(252), "4:12"),
        (figures.age(4000), "1:06:40"),
        (figures.age(200_000), "2 d 7 h"),
        (figures.span(11), "11 s"),
        (figures.span(372), "6 min"),
        (figures.span(9000), "2.5 h"),
        (figures.ratio(23.8), "24×"),
        (figures.clock(AT, utc=True), "14:07:32"),
    ],
)
def test_each_kind_of_figure_is_written_one_way(made: str, wanted: str) -> None:
    assert made == wanted


def test_a_figure_that_rests_on_too_little_says_so_and_is_not_judged() -> None:
    reading = figures.read(Figure(9000.0, 12, warn=100.0, few=True), figures.milliseconds)
    assert reading.value == "n 12, too few"
    assert reading.word == ""


def test_a_lower_bound_is_marked() -> None:
    made = msgspec.structs.replace(figure(3910, 300), at_least=True)
    assert figures.read(made, figures.milliseconds).value == "≥ 3,910 ms"


def test_a_figure_is_judged_by_its_line_and_by_the_verdict() -> None:
    assert figures.judge(figure(3, 50, 1, 2))[:2] == ("▲", "high")
    assert figures.judge(figure(1, 50, 1, 2))[:2] == ("●", "ok")
    assert figures.judge(figure(0.8, 50, 0.9, 0.85), low_is_bad=True)[:2] == ("▼", "low")
    assert figures.judge(figure(3, 50))[:2] == ("", "")
    assert figures.judge(figure(1, 50, 1), troubled=True)[:2] == ("▲", "high")


def test_a_warning_line_says_where_it_comes_from() -> None:
    assert (
        figures.derivation(figure(3910, 300, 1630, 2445), figures.bare_ms)
        == "warn 2,445 = 1.5 × normal 1,630"
    )
    assert figures.derivation(figure(3910, 300), figures.bare_ms) == ""
