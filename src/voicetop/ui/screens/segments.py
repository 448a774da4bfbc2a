"""Screen 3: the values of one dimension against their normal. Enter narrows every screen to one."""

from __future__ import annotations

from functools import partial

from msgspec.structs import replace

from voicetop.engine.snapshot import SegmentRow, SegmentsPanel, Snapshot, View
from voicetop.ui.actions.registry import Handlers, written
from voicetop.ui.lines import BLANK, Line, block, text_of
from voicetop.ui.renderables import segment_columns, segments
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.renderables.tabs import tabs
from voicetop.ui.scope import blamed
from voicetop.ui.screens.page import HEAD, Host
from voicetop.ui.screens.row_keys import RowKeys

COPIED_WIDTH = 160
TITLES = 3
"""Lines above the first row: the tabs, the rule and the column titles."""
WHY = 4
"""Lines below the rows: a blank one, and what stands out in the selected row."""


class SegmentsPage(RowKeys):
    """The values of a dimension."""

    name = "segments"
    ruled = False

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.dimension = ""
        self.dimensions: tuple[str, ...] = ()
        self.value: str | None = None
        self.first = 0
        self.sort = segment_columns.WORST
        self.reverse = False
        self.panel: SegmentsPanel | None = None
        self.rows: list[SegmentRow] = []
        self._width = 80

    def handlers(self) -> Handlers:
        return {
            **super().handlers(),
            "left": partial(self._turn, -1),
            "right": partial(self._turn, 1),
            "narrow": self._narrow,
            "sort_left": partial(self._sort_by, -1),
            "sort_right": partial(self._sort_by, 1),
            "reverse": self._reverse,
            "back": self._back,
        }

    def view(self, base: View) -> View:
        return replace(base, dimension=self.dimension, limit=1)

    def see(self, snap: Snapshot) -> None:
        self.dimensions = snap.dimensions
        if not self.dimension and self.dimensions:
            trouble = blamed(snap)
            self.dimension = trouble.where[0][0] if trouble else self.dimensions[0]
        panel = snap.segments
        if panel is None or panel.dimension != self.dimension:
            return
        self.panel = panel
        self.rows = segment_columns.ordered(panel, self.sort, reverse=self.reverse)
        self._follow()

    def _follow(self) -> None:
        """Keep the cursor on its value."""
        values = [row.value for row in self.rows]
        if self.value in values:
            self.place = values.index(self.value)
        self.place = max(0, min(self.place, len(values) - 1))
        self.first = min(max(self.first, self.place - self.visible + 1), self.place)
        self.first = max(0, min(self.first, len(values) - self.visible))

    @property
    def visible(self) -> int:
        return max(1, self.height - TITLES - (WHY if self.height > TITLES + WHY + 2 else 0))

    @property
    def selected_row(self) -> SegmentRow | None:
        """The selected row; the first one before the cursor was moved."""
        return self.rows[self.place] if self.rows else None

    @property
    def _marked(self) -> bool:
        return any(row.worse for row in self.rows)

    # -- painting -----------------------------------------------------------------------------------------------

    def body(self, scene: Scene, snap: Snapshot, width: int, height: int) -> list[Line]:  # noqa: ARG002 - no clocks here
        self._width = width
        order = "worst first" if self.sort == segment_columns.WORST else f"by {self.sort}"
        names = self.dimensions or (self.dimension,)
        lines = [tabs(names, self.dimension, width, f"{order} {'▴' if self.reverse else '▾'}")]
        panel = snap.segments
        if panel is None or panel.dimension != self.dimension:
            waiting = segments.empty(snap, self.dimension) if not self.dimensions else [BLANK]
            return block([*lines, *waiting], height, width)
        fitted = segment_columns.fit_columns(width, marked=self._marked)
        lines += [
            segments.head(snap, panel, width),
            segments.heading(fitted, self.sort, width, reverse=self.reverse),
        ]
        shown = self.rows[self.first : self.first + self.visible]
        here = self.selected_row
        lines += [segments.row_line(row, fitted, width, chosen=row is here) for row in shown]
        if not self.rows:
            lines += segments.empty(snap, self.dimension)
        if here is not None and self.visible < height - TITLES:
            lines += [BLANK, *segments.why_lines(here, self.dimension, width, self._hint())]
        return block(lines, height, width)

    def _hint(self) -> str:
        keys = self.host.keymap.keys("narrow")
        return f"{written(keys, 1)} filters to it" if keys else ""

    def row_text(self, scene: Scene) -> str:  # noqa: ARG002 - as pages have it
        here = self.selected_row
        if here is None:
            return ""
        lines = segments.why_lines(here, self.dimension, COPIED_WIDTH)
        return " · ".join(filter(None, (" ".join(text_of(line).split()) for line in lines)))

    # -- moving -------------------------------------------------------------------------------------------------

    @property
    def row_count(self) -> int:
        return len(self.rows)

    @property
    def page_rows(self) -> int:
        return self.visible

    def _moved(self) -> None:
        if self.rows:
            self.value = self.rows[self.place].value
            self._follow()

    def click(self, y: int) -> None:
        row = y - HEAD - TITLES
        if 0 <= row < min(self.visible, len(self.rows) - self.first):
            self._move(self.first + row - self.place)

    # -- dimensions and narrowing -------------------------------------------------------------------------------

    def show(self, dimension: str) -> None:
        """Switch to another dimension, with the cursor on its worst value."""
        self.dimension = dimension
        self.value, self.place, self.first, self.rows, self.panel = None, 0, 0, [], None
        self.host.changed()

    def _turn(self, steps: int) -> None:
        if self.dimensions:
            at = self.dimensions.index(self.dimension) if self.dimension in self.dimensions else 0
            self.show(self.dimensions[(at + steps) % len(self.dimensions)])

    def _narrow(self) -> None:
        """Narrow every screen to this value, and show the next dimension."""
        here = self.selected_row
        if here is None or here.value.startswith("("):
            self.host.say("no value to filter by here")
            return
        self.host.scope.narrow(self.dimension, here.value)
        narrowed = {name for name, _ in self.host.scope.where}
        at = self.dimensions.index(self.dimension) if self.dimension in self.dimensions else 0
        next_dimensions = [*self.dimensions[at + 1 :], *self.dimensions[:at]]
        self.show(next((name for name in next_dimensions if name not in narrowed), self.dimension))

    # -- order --------------------------------------------------------------------------------------------------

    def _sort_by(self, step: int) -> None:
        keys = segment_columns.sorts(self._width, marked=self._marked)
        at = keys.index(self.sort) if self.sort in keys else 0
        self.sort, self.reverse = keys[(at + step) % len(keys)], False
        self._reorder()

    def _reverse(self) -> None:
        self.reverse = not self.reverse
        self._reorder()

    def _reorder(self) -> None:
        if self.panel is not None:
            self.rows = segment_columns.ordered(self.panel, self.sort, reverse=self.reverse)
            self._follow()
        self.host.changed()

    def _back(self) -> None:
        self.value, self.place, self.first = None, 0, 0
        self.host.changed()
