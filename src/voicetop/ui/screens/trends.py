"""Screen 5: the last 24 hours. Tab and arrows move between panels, z zooms one, v reads values."""

from __future__ import annotations

from functools import partial

from msgspec.structs import replace

from voicetop.engine.snapshot import Series, Snapshot, View
from voicetop.ui.actions.registry import Handlers
from voicetop.ui.lines import Line
from voicetop.ui.renderables import trends
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.screens.chart_page import PanelPage
from voicetop.ui.screens.page import Host


class TrendsPage(PanelPage):
    """Trends."""

    name = "trends"
    ruled = False
    panels = trends.PANELS

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.focus = trends.PANELS[0]

    def view(self, base: View) -> View:
        return replace(base, trends=True, limit=1)

    def body(self, scene: Scene, snap: Snapshot, width: int, height: int) -> list[Line]:
        focus = trends.PANELS.index(self.focus)
        return trends.trends(snap, scene.options, width, height, focus=focus, large=self.large, at=self.at)

    def series(self, snap: Snapshot) -> Series | None:
        return trends.series_of(self.focus, snap)

    def values_text(self, snap: Snapshot, scene: Scene) -> str:
        return trends.read(self.focus, snap, scene.options, self.at)

    def handlers(self) -> Handlers:
        return {
            **super().handlers(),
            "down": partial(self._step, 1),
            "up": partial(self._step, -1),
            "page_down": partial(self._step, 1),
            "page_up": partial(self._step, -1),
            "first": partial(self._focus_on, trends.PANELS[0]),
            "last": partial(self._focus_on, trends.PANELS[-1]),
            "back": self._back,
        }

    def _focus_on(self, panel: str) -> None:
        self.focus = panel
        self.host.changed()

    def wheel(self, steps: int) -> None:
        self._step(steps)

    def _back(self) -> None:
        """Undo the cursor, then the zoom; one panel keeps the focus."""
        focus = self.focus
        self.step_out()
        self._focus_on(focus)
