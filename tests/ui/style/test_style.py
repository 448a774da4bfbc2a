"""A display in ASCII keeps the width of every line: what is aligned in Unicode is aligned in ASCII."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from voicetop.engine.snapshot import Severity
from voicetop.ui.lines import Line
from voicetop.ui.style.display_options import ASCII, SIGNS, DisplayOptions, line_to_ascii, to_ascii
from voicetop.ui.style.theme import load, names


@given(st.text(st.characters(categories=("L", "N", "P", "S"), exclude_characters="\x7f")))
def test_text_in_ascii_takes_as_many_cells(text: str) -> None:
    shown = to_ascii(text)
    assert shown.isascii()
    assert len(shown) == cell_len("".join(text.translate(ASCII)))


def test_at_least_is_two_characters_in_ascii_and_the_line_keeps_its_width() -> None:
    assert to_ascii("P95 ≥ 3,910 ms") == "P95 >=3,910 ms"
    row: Line = (("errors  ", "text"), ("≥13,000 ms", "strong"))
    assert line_to_ascii(row) == (("errors ", "text"), (">=13,000 ms", "strong"))


@pytest.mark.parametrize("text", ["❤️ 0:28", "e\u0301t\u00e9 0:28", "हिन्दी 0:28", "👍🏽 0:28"])
def test_clusters_in_ascii_keep_the_place_of_what_follows(text: str) -> None:
    assert to_ascii(text).index("0") == cell_len(text) - 4


@pytest.mark.parametrize("value", get_args(Severity))
def test_every_severity_has_a_sign_and_a_word_and_no_two_share_one(value: Severity) -> None:
    assert [sign.text for sign in SIGNS.values()].count(SIGNS[value].text) == 1
    assert to_ascii(SIGNS[value].glyph) != "?" or value == "blind"


@pytest.mark.parametrize("name", names())
def test_every_theme_has_a_style_for_every_severity(name: str) -> None:
    theme = load(name)
    assert {sign.tone for sign in SIGNS.values()} <= theme.tones.keys() & theme.ansi.keys()
    assert theme.style("recovering") != theme.style("muted")


def test_clocks_are_utc_unless_local_time_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    at = 1_796_083_200.0  # 1 December 2026, 00:00 UTC
    try:
        assert DisplayOptions().clock(at) == "00:00:00"
        assert DisplayOptions(utc=False).clock(at, seconds=False) == "19:00"
        assert (DisplayOptions().zone(at), DisplayOptions(utc=False).zone(at)) == ("UTC", "EST")
    finally:
        monkeypatch.undo()
        time.tzset()
