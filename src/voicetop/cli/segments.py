"""Known segment values, and suggestions for rules that name unknown ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from voicetop.engine.engine import Engine
from voicetop.errors import nearest

MAX_NAMED = 20
Segments = dict[str, set[str]]
"""Known values by segment name."""


def segments_of(engine: Engine) -> Segments:
    """The segment values of an engine's calls."""
    segments: Segments = {}
    for key in engine.ledger.cells.keys:
        for name, value in key or ():
            segments.setdefault(name, set()).add(value)
    return segments


def nearest_segment(where: Iterable[tuple[str, str]], known: Mapping[str, set[str]]) -> str:
    """A suggestion for the unknown part of `where`, to append to a message.

    >>> nearest_segment([("intnt", "billing")], {"intent": {"billing"}})
    "; did you mean 'intent'?"
    """
    for name, value in where if known else ():
        values = known.get(name)
        if values is None:
            return nearest(name, sorted(known))
        if value not in values:
            return nearest(value, values, f"; valid: {', '.join(sorted(values)[:MAX_NAMED])}")
    return ""
