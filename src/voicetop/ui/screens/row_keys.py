"""The keys that walk through rows, the same on every page that has some."""

from __future__ import annotations

from functools import partial

from voicetop.ui.actions.registry import Handlers
from voicetop.ui.screens.page import Page


class RowKeys(Page):
    """A page with rows: `place` is the cursor's, and it says of how many. Named ahead of other bases."""

    place = 0

    def _move(self, steps: int) -> None:
        """So many rows on, or back where it is negative; as far as there are any."""
        self.place = max(0, min(self.place + steps, self.row_count - 1))
        self._moved()
        self.host.changed()

    def _moved(self) -> None:
        """The cursor stands on another row."""

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    @property
    def page_rows(self) -> int:
        """How many rows PgDn and PgUp move."""
        return 10

    def handlers(self) -> Handlers:
        return {
            **super().handlers(),
            "down": partial(self._move, 1),
            "up": partial(self._move, -1),
            "page_down": partial(self._move, self.page_rows),
            "page_up": partial(self._move, -self.page_rows),
            "first": partial(self._move, -self.row_count),
            "last": partial(self._move, self.row_count),
        }

    def wheel(self, steps: int) -> None:
        self._move(steps)
