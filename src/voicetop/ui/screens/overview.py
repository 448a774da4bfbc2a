"""Screen 1: is everything working right now? The cursor moves through the calls that need attention."""

from __future__ import annotations

from msgspec.structs import replace

from voicetop.engine.snapshot import CallRow, Series, Snapshot, View
from voicetop.ui.actions.registry import Handlers
from voicetop.ui.lines import Line, fit
from voicetop.ui.renderables import plots
from voicetop.ui.renderables.calls import attention_first
from voicetop.ui.renderables.overview import overview
from voicetop.ui.renderables.plain_text import row_text
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.screens.call import CallPage
from voicetop.ui.screens.chart_page import PanelPage
from voicetop.ui.screens.page import HEAD, Cursor, Host, Page
from voicetop.ui.screens.row_keys import RowKeys

LIMIT = 80


class OverviewPage(RowKeys, PanelPage):
    """The Overview."""

    name = "overview"
    panels = ("latency", "errors", "success", "abandonment", "cost", "calls")

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.cursor = Cursor()
        self.rows: list[CallRow] = []
        self._top = 0

    def view(self, base: View) -> View:
        return replace(base, sort="eyes", reverse=False, text="", offset=0, limit=LIMIT, ended=False)

    def see(self, snap: Snapshot) -> None:
        super().see(snap)
        self.rows = attention_first(snap, LIMIT)
        self.cursor.follow(self.rows)

    def body(self, scene: Scene, snap: Snapshot, width: int, height: int) -> list[Line]:
        if self.large or self.reading:
            self._top = height
            plot = self._plot(snap)
            lines = plots.plot_panel(plot, scene.options, width, height, markers=snap.markers, at=self.at)
            return [fit(line, width) for line in lines]
        lines = overview(snap, scene.options, width, height, self.cursor.call_id, focus=self.focus)
        self._top = (
            next(
                (y for y, line in enumerate(lines) if line[1:2] == ((" needs attention ", "title"),)), height
            )
            + 2
        )
        return lines

    def _plot(self, snap: Snapshot) -> plots.Plot:
        """The focused chart."""
        charts = plots.overview_plots(snap)
        return next((plot for plot in charts if plot.id == self.focus), charts[0])

    def series(self, snap: Snapshot) -> Series | None:
        return self._plot(snap).main

    def values_text(self, snap: Snapshot, scene: Scene) -> str:
        return plots.reading(self._plot(snap), snap.markers, scene.options, self.at)

    @property
    def visible(self) -> list[CallRow]:
        """The visible rows."""
        return self.rows[: max(0, self.height - self._top)]

    @property
    def row_count(self) -> int:
        return len(self.rows)

    @property
    def page_rows(self) -> int:
        return max(1, len(self.visible) - 1)

    def _move(self, steps: int) -> None:
        self.cursor.move(self.visible, steps)
        self.host.changed()

    def handlers(self) -> Handlers:
        return {**super().handlers(), "open": self._open, "filter": self._filter, "back": self._back}

    def _open(self) -> None:
        if self.cursor.row is None:
            self.cursor.put(self.visible, 0)
        if self.cursor.row is not None:
            self.host.push(CallPage(self.host, self, self.cursor.row))

    @property
    def page(self) -> Page:
        return self

    def neighbour(self, steps: int) -> CallRow | None:
        self.cursor.move(self.rows, steps)
        return self.cursor.row

    def row_text(self, scene: Scene) -> str:
        return row_text(self.cursor.row, scene.options) if self.cursor.row else ""

    def _filter(self) -> None:
        self.host.go("calls")
        self.host.do("filter")

    def _back(self) -> None:
        if not self.step_out():
            self.cursor.clear()
        self.host.changed()

    def click(self, y: int) -> None:
        row = y - HEAD - self._top
        if 0 <= row < len(self.visible):
            self.cursor.put(self.rows, row)
            self.host.changed()
