"""The keys that walk through rows, the same on every page that has some."""

from __future__ import annotations

from voicetop.ui.screens.page import Page


class RowKeys(Page):
    """A page with rows: it moves its cursor in `_move`, and says of how many. Named ahead of other bases."""

    def _move(self, steps: int) -> None:
        """So many rows on, or back where it is negative; as far as there are any."""
        raise NotImplementedError

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    @property
    def page_rows(self) -> int:
        """How many rows a page goes on."""
        raise NotImplementedError

    def act_down(self) -> None:
        self._move(1)

    def act_up(self) -> None:
        self._move(-1)

    def act_page_down(self) -> None:
        self._move(self.page_rows)

    def act_page_up(self) -> None:
        self._move(-self.page_rows)

    def act_first(self) -> None:
        self._move(-self.row_count)

    def act_last(self) -> None:
        self._move(self.row_count)

    def wheel(self, steps: int) -> None:
        self._move(steps)
