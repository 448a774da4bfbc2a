"""Rows keep their places for a second: a list that is sorted anew four times a second can't be read, and costs to send.

What is in a row is always the newest. A row that left makes its place free for one that came; after a second all stand
in their true order again.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from voicetop.engine.snapshot import CallRow

HOLD_S = 0.9
"""A second of four pictures, whose times are never quite even."""


class RowStability:
    """The order in which a list's rows stand."""

    def __init__(self) -> None:
        self._asked: Hashable = None
        self._since = float("-inf")
        self._order: list[str] = []

    def arrange(self, rows: Sequence[CallRow], asked: Hashable, at: float) -> Sequence[CallRow]:
        """The rows as they shall stand at that time (seconds); `asked` is whatever, when it changes, changes the list.

        With a, b, c on the screen, new rows c, d, a stand as a, d, c: b's place was free.
        """
        if asked != self._asked or not 0 <= at - self._since < HOLD_S:
            self._asked, self._since = asked, at
            self._order = [row.call_id for row in rows]
            return rows
        left = {row.call_id: row for row in rows}
        kept = [left.pop(call_id, None) for call_id in self._order]
        came = iter(left.values())
        placed = [row or next(came, None) for row in kept]
        arranged = [row for row in (*placed, *came) if row is not None]
        self._order = [row.call_id for row in arranged]
        return arranged
