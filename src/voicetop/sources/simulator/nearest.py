"""What somebody may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence that names the nearest match, or all that there is.

    >>> nearest("biling", ["billing", "orders"])
    "; did you mean 'billing'?"
    >>> nearest("xyz", ["billing", "orders"])
    '; there are: billing, orders'
    """
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(names)}"
