"""Phrase books: what callers and agents of the simulated fleet say, by language, intent and step."""

from __future__ import annotations

from voicetop.simulator.words import de, en, es, fr, hi
from voicetop.simulator.words.phrases import Phrases

BOOKS: dict[str, Phrases] = {
    "en": en.PHRASES,
    "es": es.PHRASES,
    "fr": fr.PHRASES,
    "hi": hi.PHRASES,
    "de": de.PHRASES,
}

__all__ = ["BOOKS", "Phrases"]
