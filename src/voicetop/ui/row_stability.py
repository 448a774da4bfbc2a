"""Rows keep their places for a second: a list re-sorted four times a second is unreadable, and expensive to send.

The content of a row is always current. A new row takes the place of one that left; after a second the list is
re-sorted.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from voicetop.engine.snapshot import CallRow

HOLD_S = 0.9
"""Four frames, with tolerance for their jitter."""


class RowStability:
    """The displayed order of a list's rows."""

    def __init__(self) -> None:
        self._query: Hashable = None
        self._since = float("-inf")
        self._order: list[str] = []

    def arrange(self, rows: Sequence[CallRow], query: Hashable, at: float) -> Sequence[CallRow]:
        """The rows in display order at time `at` (s). Another `query` re-sorts at once.

        With a, b, c on the screen, the rows c, d, a are shown as a, d, c: d takes b's place.
        """
        if query != self._query or not 0 <= at - self._since < HOLD_S:
            self._query, self._since = query, at
            self._order = [row.call_id for row in rows]
            return rows
        arrivals = {row.call_id: row for row in rows}
        staying = [arrivals.pop(call_id, None) for call_id in self._order]
        newcomers = iter(arrivals.values())
        placed = [row or next(newcomers, None) for row in staying]
        arranged = [row for row in (*placed, *newcomers) if row is not None]
        self._order = [row.call_id for row in arranged]
        return arranged
