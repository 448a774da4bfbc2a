"""Whatever is raised on purpose is one kind of error, and a misspelt word is answered with what was meant."""

from __future__ import annotations

import inspect

import pytest

from voicetop import errors
from voicetop.errors import VoicetopError, nearest

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_line_catches_every_one_of_them(kind: type[Exception]) -> None:
    assert issubclass(kind, VoicetopError)
    assert str(kind("one line")) == "one line"


def test_the_tree_in_the_docstring_names_them_all() -> None:
    assert errors.__doc__ is not None
    assert [kind.__name__ for kind in KINDS if kind.__name__ not in errors.__doc__] == []


def test_the_nearest_word_is_named_or_all_that_there_are() -> None:
    assert nearest("biling", ["billing", "orders"]) == "; did you mean 'billing'?"
    assert nearest("xyz", ["billing", "orders"]) == "; valid: billing, orders"
    assert nearest("xyz", ["billing"], "; see the docs") == "; see the docs"
