"""The findings of `voicetop doctor`: one line each, with the fix below."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias

Level: TypeAlias = Literal["ok", "note", "FIX"]
WIDTH = 100
INDENT = 24


class Finding(NamedTuple):
    """One finding and, for a problem, its remedy. A "note" is harmless but worth knowing."""

    level: Level
    what: str
    text: str
    remedy: str = ""


def written(title: str, findings: Iterable[Finding]) -> Iterator[str]:
    """A section of the report, in plain lines."""
    yield title
    for level, what, text, remedy in findings:
        head = f"  {level:<5} {what:<14}"
        yield textwrap.fill(text, WIDTH, initial_indent=f"{head:<{INDENT}}", subsequent_indent=" " * INDENT)
        if remedy:
            arrow = " " * INDENT + "-> "
            yield textwrap.fill(remedy, WIDTH, initial_indent=arrow, subsequent_indent=" " * (INDENT + 3))
    yield ""
