"""Base of the chart screens: a focused panel, zoom, and a cursor that reads values."""

from __future__ import annotations

from functools import partial

from voicetop.engine.snapshot import NAN, Series, Snapshot
from voicetop.formatting.numbers import known
from voicetop.ui.actions.registry import Handlers
from voicetop.ui.lines import Line
from voicetop.ui.renderables.footer import entry_line
from voicetop.ui.renderables.plots import moved
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.screens.page import FOOT, HEAD, Host, Page


class PanelPage(Page):
    """A page with panels that Tab cycles through.

    `focus` is the focused panel's name or ""; `large` shows it alone; `at` is the cursor's time (epoch s), NaN without
    a cursor.
    """

    panels: tuple[str, ...] = ()

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.focus = ""
        self.large = False
        self.at = NAN
        self._snap: Snapshot | None = None

    def see(self, snap: Snapshot) -> None:
        self._snap = snap

    def series(self, snap: Snapshot) -> Series | None:
        """The series under the focused panel's cursor."""
        raise NotImplementedError

    def values_text(self, snap: Snapshot, scene: Scene) -> str:
        """The values at the cursor, in words."""
        raise NotImplementedError

    def focused(self, scene: Scene, snap: Snapshot, width: int, height: int) -> list[Line]:
        """The focused panel alone, as zoomed."""
        if not self.focus:
            return []
        before, self.large = self.large, True
        try:
            return self.body(scene, snap, width, max(1, height - HEAD - FOOT))
        finally:
            self.large = before

    @property
    def engaged(self) -> bool:
        return self.reading or self.large

    @property
    def reading(self) -> bool:
        return known(self.at)

    def foot(self, scene: Scene, width: int) -> Line:
        if not self.reading or scene.snap is None:
            return super().foot(scene, width)
        return entry_line("v", self.values_text(scene.snap, scene), "← → move  v closes", width, typing=False)

    def handlers(self) -> Handlers:
        return {
            **super().handlers(),
            "next_panel": partial(self._step, 1),
            "previous_panel": partial(self._step, -1),
            "maximise": self._maximise,
            "read": self._read,
            "left": partial(self._move_sideways, -1),
            "right": partial(self._move_sideways, 1),
        }

    # -- focus --------------------------------------------------------------------------------------------------

    def _step(self, steps: int) -> None:
        order = self.panels
        at = order.index(self.focus) if self.focus in order else -1 if steps > 0 else 0
        self.focus = order[(at + steps) % len(order)]
        if self._snap is not None and self.series(self._snap) is None:
            self.at = NAN
        self.host.changed()

    def _maximise(self) -> None:
        """Zoom the focused panel, or show all panels again."""
        self.focus = self.focus or self.panels[0]
        self.large = not self.large
        self.host.changed()

    # -- the cursor ---------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Show the cursor at the newest point, or hide it."""
        if self.reading:
            self.at = NAN
        else:
            self.focus = self.focus or self.panels[0]
            self._move_cursor(0)
        self.host.changed()

    def _move_cursor(self, steps: int) -> None:
        series = self.series(self._snap) if self._snap is not None else None
        if series is None:
            self.host.say("no chart here to read values from")
        else:
            self.at = moved(series, self.at, steps)

    def _move_sideways(self, steps: int) -> None:
        """Move the cursor while reading values, else the focus."""
        if not self.reading:
            self._step(steps)
            return
        self._move_cursor(steps)
        self.host.changed()

    def step_out(self) -> bool:
        """Undo one step: the cursor, then the zoom, then the focus; False if there was none."""
        if self.reading:
            self.at = NAN
        elif self.large:
            self.large = False
        elif self.focus:
            self.focus = ""
        else:
            return False
        return True
