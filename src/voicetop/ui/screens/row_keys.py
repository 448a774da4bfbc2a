"""Row navigation keys, shared by all pages with rows."""

from __future__ import annotations

from functools import partial

from voicetop.ui.actions.registry import Handlers
from voicetop.ui.screens.page import Page


class RowKeys(Page):
    """A page with rows and a cursor at `place`. List it before other base classes."""

    place = 0

    def _move(self, steps: int) -> None:
        """Move the cursor by `steps` rows, within the list."""
        self.place = max(0, min(self.place + steps, self.row_count - 1))
        self._moved()
        self.host.changed()

    def _moved(self) -> None:
        """Called when the cursor has moved."""

    @property
    def row_count(self) -> int:
        """The number of rows."""
        raise NotImplementedError

    @property
    def page_rows(self) -> int:
        """The number of rows PgDn and PgUp move."""
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
