"""What `voicetop doctor` finds: each thing in a line, and beneath what is to be mended how."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias

Level: TypeAlias = Literal["ok", "note", "FIX"]
WIDTH = 100
INDENT = 24


class Finding(NamedTuple):
    """One thing: how it is, and where it isn't well, the remedy. A "note" is well, but worth knowing."""

    level: Level
    what: str
    said: str
    remedy: str = ""


def written(title: str, findings: Iterable[Finding]) -> Iterator[str]:
    """A section of the report, in plain lines."""
    yield title
    for level, what, said, remedy in findings:
        head = f"  {level:<5} {what:<14}"
        yield textwrap.fill(said, WIDTH, initial_indent=f"{head:<{INDENT}}", subsequent_indent=" " * INDENT)
        if remedy:
            arrow = " " * INDENT + "-> "
            yield textwrap.fill(remedy, WIDTH, initial_indent=arrow, subsequent_indent=" " * (INDENT + 3))
    yield ""
