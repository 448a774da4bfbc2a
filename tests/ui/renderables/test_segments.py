"""What is said of one segment below the table."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ui import synthetic
from ui.synthetic_panels import segment_row
from voicetop.engine.snapshot import Normal, View, WorseFigure
from voicetop.ui.lines import text_of
from voicetop.ui.renderables.segment_columns import WHY, reason
from voicetop.ui.renderables.segments import head, mark, why_lines


def test_a_p95_that_callers_still_wait_beyond_is_at_least_that_long_here_too() -> None:
    row = segment_row("es", 200, 0.2, bad=True)
    waited = replace(row, p95=replace(row.p95, at_least=True))
    (_, measured, _), (_, at_least, _) = why_lines(row, "language", 80), why_lines(waited, "language", 80)
    assert "5,810 ms" in text_of(measured)
    assert "≥" not in text_of(measured)
    assert "≥ 5,810 ms" in text_of(at_least)


def test_the_title_says_how_much_of_the_window_there_is_data_for() -> None:
    snap = synthetic.young(View(dimension="language"))
    panel = snap.segments
    assert panel is not None
    assert "2 of 5 min, compared with its own normal" in text_of(head(snap, panel, 120))


BILLING_ES = (("intent", "billing"), ("language", "es"))


@pytest.mark.parametrize(
    ("figure", "said", "short"),
    [
        (WorseFigure("errors", 0.161, 0.01, 0.014), "errors 16 %, rest 1.4 %", "errors 16 %, rest 1.4 %"),
        (WorseFigure("abandonment", 0.123, 0.04, 0.041), "abandoned 12 %, rest 4.1 %", "abandoned 12 %"),
        (WorseFigure("cost", 0.17, 0.08, 0.082, "usd"), "cost $0.170, rest $0.082", "cost $0.170"),
        (WorseFigure("stuck", 5, 0, 1, "calls"), "5 stuck, rest 1", "5 stuck, rest 1"),
        (
            WorseFigure("latency", 3760, 1768, unit="ms", where=BILLING_ES),
            "latency of billing × es",
            "latency of billing × es",
        ),
        (
            WorseFigure("latency", 3760, 1768, unit="ms", where=BILLING_ES[1:]),
            "P95 3,760 ms, normal 1,768 ms",
            "P95 3,760 ms",
        ),
    ],
)
def test_a_mark_is_explained_by_its_figure_and_that_of_the_rest(
    figure: WorseFigure, said: str, short: str
) -> None:
    row = replace(segment_row("es", 200, 0.2, bad=True), worse=(figure,))
    assert reason(figure) == said
    assert text_of(WHY.write(row, False)) == short
    assert said in text_of(why_lines(row, "language", 120)[0])


def test_a_row_that_is_as_bad_as_the_rest_is_not_marked_as_worse() -> None:
    row = replace(segment_row("es", 200, 0.2, bad=True), worse=())
    assert mark(row)[0] == "≈"
    assert "as bad as the rest: latency, errors" in text_of(why_lines(row, "language", 120)[0])


def test_what_a_row_is_marked_for_is_compared_below_the_table() -> None:
    worse = (WorseFigure("abandonment", 0.091, 0.04, 0.041),)
    lines = [
        text_of(line)
        for line in why_lines(replace(segment_row("es", 200, 0.2, bad=True), worse=worse), "language", 120)
    ]
    assert "9.1 % ±2.0  normal 4.0 %  the rest 4.1 %" in lines[1]
    assert "P95" in lines[2]


def test_nothing_is_compared_with_a_normal_that_is_not_known() -> None:
    snap = synthetic.young(View(dimension="language"))
    panel = snap.segments
    assert panel is not None
    calm = segment_row("en", 200, 0.4, bad=False)
    row = replace(calm, p95=replace(calm.p95, normal=Normal()), errors=replace(calm.errors, normal=Normal()))
    assert "no difference from its normal" in text_of(why_lines(calm, "language", 120)[0])
    assert "its normal isn't known yet" in text_of(why_lines(row, "language", 120)[0])
    assert "no normal known yet" in text_of(head(snap, replace(panel, rows=(row,)), 120))
