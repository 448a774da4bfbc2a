"""Textual's key names."""

from __future__ import annotations

from collections.abc import Iterator

from textual.keys import Keys, _character_to_key


def key_of_character(character: str) -> str:
    """The name of the key that types this character: "?" is "question_mark"."""
    return _character_to_key(character)


def named_keys() -> Iterator[str]:
    """The names of keys that type no character, or have a name as well."""
    return (key.value for key in Keys if "<" not in key.value)
