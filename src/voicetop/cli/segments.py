"""Which segments calls had, and what a rule may have meant that names one which no call had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from voicetop.engine.engine import Engine
from voicetop.errors import nearest

MOST_NAMED = 20
Segments = dict[str, set[str]]
"""By name the values that were seen."""


def segments_of(engine: Engine) -> Segments:
    """Those of the calls that an engine knows."""
    found: Segments = {}
    for key in engine.ledger.cells.keys:
        for name, value in key or ():
            found.setdefault(name, set()).add(value)
    return found


def nearest_segment(where: Iterable[tuple[str, str]], known: Mapping[str, set[str]]) -> str:
    """The end of a sentence: what of `where` no call had, and what comes nearest to it.

    >>> nearest_segment([("intnt", "billing")], {"intent": {"billing"}})
    "; did you mean 'intent'?"
    """
    for name, value in where if known else ():
        values = known.get(name)
        if values is None:
            return nearest(name, sorted(known))
        if value not in values:
            return nearest(value, values, f"; valid: {', '.join(sorted(values)[:MOST_NAMED])}")
    return ""
