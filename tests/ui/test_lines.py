from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voicetop.ui.lines import Line, Row, beside, cells, clip, fit, lay_over, rule, text_of, width_of
from voicetop.ui.style.display_options import to_ascii

TEXT = st.text(st.sampled_from("ab 漢字é█─…·👍"), max_size=30)
LINES = st.lists(st.tuples(TEXT, st.sampled_from(("text", "muted"))), max_size=5).map(tuple)


@given(LINES, st.integers(0, 40))
def test_a_fitted_line_is_exactly_as_wide_as_asked(line: Line, width: int) -> None:
    assert width_of(fit(line, width)) == width


@given(TEXT, st.integers(0, 20))
def test_clipped_text_never_overflows_and_says_that_it_was_clipped(text: str, width: int) -> None:
    short = clip(text, width)
    assert cells(short) <= width
    assert short == text or short.endswith("…") or width == 0


@given(LINES, LINES, st.integers(0, 30))
def test_a_box_laid_over_keeps_the_width_of_the_screen(under: Line, over: Line, x: int) -> None:
    screen = [fit(under, 60)] * 3
    box = [fit(over, 20)]
    for line in lay_over(screen, box, x, 1):
        assert width_of(line) == 60


def test_a_box_covers_what_is_beneath_it_and_nothing_else() -> None:
    made = lay_over([(("abcdefgh", "text"),)], [(("XY", "text"),)], 3, 0)
    assert text_of(made[0]) == "abcXYfgh"
    assert text_of(lay_over([(("漢字漢字", "text"),)], [(("XY", "text"),)], 3, 0)[0]) == "漢 XY 字"


def test_figures_stand_right_aligned_under_each_other() -> None:
    rows = [
        Row(2).add(name).right(18, value).line() for name, value in (("P50", "742 ms"), ("P95", "3,910 ms"))
    ]
    assert [text_of(row) for row in rows] == ["  P50       742 ms", "  P95     3,910 ms"]


def test_a_rule_lets_its_first_notes_go_where_there_is_no_room() -> None:
    notes = ("from vad", "5 min", "n 631")
    assert text_of(rule("errors", 40, *notes)) == "── errors ── from vad ─ 5 min ─ n 631 ──"
    assert text_of(rule("errors", 38, *notes)) == "── errors ─────────── 5 min ─ n 631 ──"
    assert text_of(rule("errors", 24, "5 min", "n 631")) == "── errors ───── n 631 ──"
    assert all(width_of(rule("a long title", width, "note")) == width for width in range(8, 60))


def test_blocks_beside_each_other_are_as_tall_as_the_tallest() -> None:
    made = beside([[(("a", "text"),)], [(("b", "text"),), (("c", "text"),)]], (3, 4), 2)
    assert [text_of(line) for line in made] == ["a    b   ", "     c   "]


@given(TEXT)
def test_ascii_has_as_many_cells_and_no_other_characters(text: str) -> None:
    made = to_ascii(text)
    assert made.isascii()
    assert len(made) == cells(text)
