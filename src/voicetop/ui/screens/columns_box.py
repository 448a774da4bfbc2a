"""The box that shows and hides columns of the call table. The id is always shown."""

from __future__ import annotations

from collections.abc import Sequence

from voicetop.ui.actions.registry import Handlers
from voicetop.ui.hidden_columns import HiddenColumns
from voicetop.ui.lines import Line, Row, fit, selected
from voicetop.ui.renderables import boxes, calls
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.screens.boxes import Box
from voicetop.ui.screens.page import Host
from voicetop.ui.screens.row_keys import RowKeys


class ColumnsBox(RowKeys, Box):
    """One line per column, with a mark on visible ones."""

    name = "columns"

    def __init__(
        self, host: Host, available: Sequence[calls.CallColumn], columns: HiddenColumns, table_width: int
    ) -> None:
        super().__init__(host)
        self.available = [column for column in available if column is not calls.CALL]
        self.columns = columns
        self.table_width = table_width
        self._rows = 1

    def width_in(self, width: int) -> int:
        return min(46, width - 2)

    def over(self, scene: Scene, width: int, height: int) -> list[Line]:  # noqa: ARG002 - the same at all times
        self._rows = max(1, height - 2)
        visible = tuple(c for c in (calls.CALL, *self.available) if c.title not in self.columns.hidden)
        fits = {fitted.column for fitted in calls.fit_columns(visible, self.table_width)}
        first = max(0, min(self.place - self._rows // 2, len(self.available) - self._rows))
        body = [
            self._line(i, fits, width - 5) for i in range(first, min(len(self.available), first + self._rows))
        ]
        return boxes.box("columns", body, width, len(body) + 2, "space shows or hides, Esc closes")

    def _line(self, index: int, fits: set[calls.CallColumn], width: int) -> Line:
        column = self.available[index]
        shown = column.title not in self.columns.hidden
        row = Row().add("▸ " if index == self.place else "  ", "accent")
        row.add("[x] " if shown else "[ ] ", "key" if shown else "faint")
        row.left(12, column.title, "strong" if shown else "muted")
        row.add("no room at this width" if shown and column not in fits else "", "faint")
        line = fit(row.line(), width)
        return selected(line) if index == self.place else line

    def handlers(self) -> Handlers:
        return {**super().handlers(), "toggle": self._toggle}

    def _toggle(self) -> None:
        """Hide or show the column under the cursor."""
        self.columns.toggle(self.available[self.place].title)
        self.host.changed()

    @property
    def row_count(self) -> int:
        return len(self.available)

    @property
    def page_rows(self) -> int:
        return self._rows
