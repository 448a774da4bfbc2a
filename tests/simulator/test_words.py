"""Every language of the simulated fleet has the same phrases."""

from __future__ import annotations

import msgspec
import pytest

from voicetop.simulator.words import BOOKS
from voicetop.wire.text import safe_text

ENGLISH = BOOKS["en"]


@pytest.mark.parametrize("language", sorted(BOOKS))
def test_a_phrase_book_has_all_intents_and_steps_of_the_english_one(language: str) -> None:
    book = BOOKS[language]
    for field in ("openings", "answers", "caller", "agent"):
        assert getattr(book, field).keys() == getattr(ENGLISH, field).keys(), field
    assert book.unheard
    assert book.unavailable
    assert book.again


@pytest.mark.parametrize("language", sorted(BOOKS))
def test_every_phrase_is_text_that_a_screen_may_show(language: str) -> None:
    def phrases(value: object) -> list[str]:
        if isinstance(value, str):
            return [value]
        parts = value.values() if isinstance(value, dict) else value
        return [text for part in parts for text in phrases(part)]  # type: ignore[attr-defined]

    texts = phrases(msgspec.to_builtins(BOOKS[language]))
    assert len(texts) > 50
    assert all(text.strip() and safe_text(text) == text for text in texts)
