from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicetop.wire.text import MAX_MARKS, safe_label, safe_text
from wire_events import HOSTILE, any_texts


def longest_pile(text: str) -> int:
    longest = run = 0
    for char in text:
        run = run + 1 if unicodedata.category(char).startswith("M") else 0
        longest = max(longest, run)
    return longest


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_a_terminal_could_act_upon_gets_through(text: str) -> None:
    safe = safe_text(text)
    assert safe.isprintable()
    assert longest_pile(safe) <= MAX_MARKS


@given(any_texts | st.text())
def test_any_text_becomes_printable_and_stays_as_it_is_the_second_time(text: str) -> None:
    safe = safe_text(text)
    assert safe.isprintable()
    assert longest_pile(safe) <= MAX_MARKS
    assert safe_text(safe) is safe


@given(st.text(st.characters(categories=("L", "N", "P", "S")), max_size=50))
def test_what_people_write_passes_untouched(text: str) -> None:
    assert safe_text(text) is text


@pytest.mark.parametrize(
    "text",
    ["¿Por qué me cobraron dos veces?", "मुझे मदद चाहिए", "こんにちは 👋", "naïve – “quoted” …", "ก็ได้ครับ"],
)
def test_other_scripts_and_their_marks_pass_untouched(text: str) -> None:
    assert safe_text(text) is text


def test_white_space_of_any_kind_becomes_a_space_so_that_words_do_not_melt() -> None:
    assert safe_text("1\u202f000\u00a0€\tnow\r\nor\u3000never") == "1 000 € now  or never"


@given(st.text(), st.integers(1, 40))
def test_no_text_is_longer_than_its_limit_and_a_cut_shows(text: str, limit: int) -> None:
    safe = safe_text(text, limit)
    assert len(safe) <= limit
    if len(text) > limit and text.isprintable() and longest_pile(text) <= MAX_MARKS:
        assert safe == text[: limit - 1] + "…"


def test_a_label_of_a_million_characters_is_cut_in_no_time() -> None:
    assert len(safe_label("\x1b[2Jx" * 250_000)) == 512
