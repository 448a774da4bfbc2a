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
def test_nothing_that_controls_a_terminal_gets_through(text: str) -> None:
    safe = safe_text(text)
    assert safe.isprintable()
    assert longest_pile(safe) <= MAX_MARKS


@given(any_texts | st.text())
def test_cleaning_is_printable_and_idempotent(text: str) -> None:
    safe = safe_text(text)
    assert safe.isprintable()
    assert longest_pile(safe) <= MAX_MARKS
    assert safe_text(safe) is safe


@given(st.text(st.characters(categories=("L", "N", "P", "S")), max_size=50))
def test_ordinary_text_passes_unchanged(text: str) -> None:
    assert safe_text(text) is text


@pytest.mark.parametrize(
    "text",
    ["¿Por qué me cobraron dos veces?", "मुझे मदद चाहिए", "こんにちは 👋", "naïve – “quoted” …", "ก็ได้ครับ"],
)
def test_other_scripts_and_their_marks_pass_unchanged(text: str) -> None:
    assert safe_text(text) is text


def test_any_white_space_becomes_a_space() -> None:
    assert safe_text("1\u202f000\u00a0€\tnow\r\nor\u3000never") == "1 000 € now  or never"


@given(st.text(), st.integers(1, 40))
def test_no_text_is_longer_than_its_limit_and_a_cut_shows(text: str, limit: int) -> None:
    safe = safe_text(text, limit)
    assert len(safe) <= limit
    if len(text) > limit and text.isprintable() and longest_pile(text) <= MAX_MARKS:
        assert safe == text[: limit - 1] + "…"


def test_a_label_of_a_million_characters_is_cut_quickly() -> None:
    assert len(safe_label("\x1b[2Jx" * 250_000)) == 512
