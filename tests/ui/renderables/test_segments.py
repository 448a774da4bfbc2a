"""What is said of one segment below the table."""

from __future__ import annotations

from msgspec.structs import replace

from ui import synthetic
from ui.synthetic_panels import segment_row
from voicetop.engine.snapshot import View
from voicetop.ui.lines import text_of
from voicetop.ui.renderables.segments import head, why_lines


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
