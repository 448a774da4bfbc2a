"""Screen 2: live or ended calls. Only the visible rows, and a page on each side, are requested."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from voicetop.engine.snapshot import CallRow, Snapshot, View
from voicetop.ui.actions.registry import Handlers
from voicetop.ui.lines import Line, block
from voicetop.ui.renderables import calls
from voicetop.ui.renderables.footer import entry_line
from voicetop.ui.renderables.plain_text import row_text
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.row_stability import RowStability
from voicetop.ui.screens.call import CallPage
from voicetop.ui.screens.columns_box import ColumnsBox
from voicetop.ui.screens.page import HEAD, Cursor, Host, Page, TextEntry
from voicetop.ui.screens.row_keys import RowKeys

TITLES = 2
"""Lines above the first row: the rule and the column titles."""


class CallsPage(RowKeys):
    """The list of calls."""

    name = "calls"
    ruled = False

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.cursor = Cursor()
        self.sort = "eyes"
        self.reverse = False
        self.ended = False
        self.text = ""
        self.entry: TextEntry | None = None
        self.first = 0
        self.total = 0
        self.rows: Sequence[CallRow] = ()
        self._stability = RowStability()
        self.offset = 0
        self._width = 80
        self.following = False
        self.columns = host.columns

    def handlers(self) -> Handlers:
        return {
            **super().handlers(),
            "first": partial(self._jump, 0),
            "last": partial(self._jump, max(0, self.total - 1)),
            "left": partial(self._sort_by, -1),
            "right": partial(self._sort_by, 1),
            "sort_left": partial(self._sort_by, -1),
            "sort_right": partial(self._sort_by, 1),
            "reverse": self._reverse,
            "filter": self._filter,
            "ended": self._switch_ended,
            "open": self._open,
            "follow": self._follow,
            "columns": self._choose_columns,
            "back": self._back,
        }

    # -- view and snapshot --------------------------------------------------------------------------------------

    @property
    def visible(self) -> int:
        return max(1, self.height - TITLES)

    def view(self, base: View) -> View:
        page = self.visible
        offset = max(0, (self.first // page - 1) * page)
        return replace(
            base,
            sort=self.sort,
            reverse=self.reverse,
            text=self.text,
            ended=self.ended,
            offset=offset,
            limit=page * 4,
            call_id=self.cursor.row.call_id if self.cursor.row is not None and self._off_page else "",
        )

    @property
    def _off_page(self) -> bool:
        """Whether the cursor's call is outside the requested rows, so that the feed has to locate it."""
        call_id = self.cursor.row.call_id if self.cursor.row else ""
        return bool(call_id) and all(row.call_id != call_id for row in self.rows)

    def see(self, snap: Snapshot) -> None:
        panel = snap.calls
        if snap.view.ended != self.ended:
            return
        self.rows = self._stability.arrange(panel.rows, replace(snap.view, call_id=""), snap.at)
        self.offset, self.total = panel.offset, panel.total
        located = self.cursor.row is not None and snap.view.call_id == self.cursor.row.call_id
        here = located and any(row.call_id == snap.view.call_id for row in self.rows)
        self.cursor.follow(self.rows, self.offset, panel.position if located and not here else -1)
        if self.following:
            self._keep_in_sight()
        self.first = max(0, min(self.first, self.total - self.visible))

    def _keep_in_sight(self) -> None:
        """Scroll as little as needed to show the cursor's call."""
        if self.cursor.row is not None and not self.cursor.lost:
            self.first = min(max(self.first, self.cursor.index - self.visible + 1), self.cursor.index)
        self.first = max(0, min(self.first, self.total - self.visible))

    # -- painting -----------------------------------------------------------------------------------------------

    def body(self, scene: Scene, snap: Snapshot, width: int, height: int) -> list[Line]:
        self._width = width
        visible_rows = self.in_sight()
        fitted = calls.columns_of(scene.view, width, self.columns.hidden)
        note = calls.scroll_note(self.first, len(visible_rows), self.total) + (
            " ─ following" if self.following else ""
        )
        head = [calls.calls_head(snap, scene.view, width, note), calls.heading(fitted, scene.view, width)]
        chosen = self.cursor.call_id
        rows = [
            calls.call_line(row, fitted, scene.options, width, chosen=row.call_id == chosen)
            for row in visible_rows
        ]
        return block([*head, *(rows or [calls.empty_line(snap, scene.view)])], height, width)

    def in_sight(self) -> Sequence[CallRow]:
        start = max(0, self.first - self.offset)
        return self.rows[start : start + self.visible]

    def foot(self, scene: Scene, width: int) -> Line:
        if self.entry is None and not self.text:
            return super().foot(scene, width)
        panel = scene.snap.calls if scene.snap else None
        note = (panel.error or f"{panel.total:,} of {panel.of:,}") if panel else ""
        done = self.entry is None
        keys = "  / change  Esc clear" if done else "  Enter keep  Esc clear"
        return entry_line(
            "/", self.text, note + keys, width, bad=bool(panel and panel.error), typing=not done
        )

    # -- the filter ---------------------------------------------------------------------------------------------

    def key(self, key: str, character: str | None) -> bool:
        if self.entry is None:
            return False
        if key == "enter":
            self.entry = None
        elif not self.entry.key(key, character):
            return False
        else:
            self._filter_by(self.entry.text)
        self.host.changed()
        return True

    def paste(self, text: str) -> None:
        if self.entry is None:
            super().paste(text)
        else:
            self.entry.paste(text)
            self._filter_by(self.entry.text)
            self.host.changed()

    def _filter_by(self, text: str) -> None:
        self.text = text
        self.first = 0
        self.cursor.clear()

    def set_filter(self, text: str) -> None:
        """Show the live calls that match a filter, for a runbook link."""
        self.entry, self.ended = None, False
        self._filter_by(text)

    def _filter(self) -> None:
        self.entry = TextEntry(self.text)
        self.host.changed()

    def _back(self) -> None:
        """Leave the filter, then the cursor."""
        if self.entry is not None or self.text:
            self.entry = None
            self._filter_by("")
        else:
            self.cursor.clear()
        self.host.changed()

    @property
    def engaged(self) -> bool:
        return self.entry is not None

    # -- moving -------------------------------------------------------------------------------------------------

    @property
    def row_count(self) -> int:
        return self.total

    @property
    def page_rows(self) -> int:
        return self.visible

    def _move(self, steps: int) -> None:
        self.cursor.move(self.rows, steps, self.offset, self.first)
        self._keep_in_sight()
        self.host.changed()

    def _jump(self, index: int) -> None:
        """Scroll to row `index`; the cursor moves there too if the row is loaded."""
        self.first = max(0, min(index, self.total - self.visible))
        if self.offset <= index < self.offset + len(self.rows):
            self.cursor.put(self.rows, index, self.offset)
        else:
            self.cursor.clear()
        self.host.changed()

    def click(self, y: int) -> None:
        row = y - HEAD - TITLES
        if 0 <= row < len(self.in_sight()):
            self.cursor.put(self.rows, self.first + row, self.offset)
            self.host.changed()

    def wheel(self, steps: int) -> None:
        self._move(steps * 3)

    # -- order --------------------------------------------------------------------------------------------------

    def _sort_by(self, step: int) -> None:
        fitted = calls.columns_of(self.view(View()), self._width, self.columns.hidden)
        keys = [column.sort for column, _ in fitted if column.sort]
        at = keys.index(self.sort) if self.sort in keys else -1 if step > 0 else 0
        self.sort, self.reverse = keys[(at + step) % len(keys)], False
        self._keep_in_sight()
        self.host.changed()

    def _reverse(self) -> None:
        self.reverse = not self.reverse
        self.host.changed()

    def _switch_ended(self) -> None:
        """Switch between live and ended calls, the latest first."""
        self.ended = not self.ended
        self.sort, self.reverse, self.first = ("ended" if self.ended else "eyes"), False, 0
        self.rows, self.total = (), 0
        self.cursor.clear()
        self.host.changed()

    def _open(self) -> None:
        if self.cursor.row is None:
            self.cursor.put(self.in_sight(), 0)
        if self.cursor.row is not None:
            self.host.push(CallPage(self.host, self, self.cursor.row))

    @property
    def page(self) -> Page:
        return self

    def neighbour(self, steps: int) -> CallRow | None:
        self.cursor.move(self.rows, steps, self.offset, self.first)
        self._keep_in_sight()
        return self.cursor.row

    def row_text(self, scene: Scene) -> str:
        return row_text(self.cursor.row, scene.options) if self.cursor.row else ""

    # -- following and columns ----------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Switch scrolling with the cursor's call on or off."""
        self.following = not self.following
        if self.following and self.cursor.row is None:
            self.cursor.put(self.in_sight(), 0)
        if self.following:
            self._keep_in_sight()
        self.host.say(
            "the list scrolls with the call under the cursor" if self.following else "following is off"
        )
        self.host.changed()

    def _choose_columns(self) -> None:
        self.host.push(ColumnsBox(self.host, calls.columns_for(self.ended), self.columns, self._width))
