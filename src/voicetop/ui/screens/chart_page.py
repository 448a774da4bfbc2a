"""What screens of charts have in common: a panel with the focus, one of them large, and a cursor that reads values."""

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
    """A page whose panels are walked through with Tab.

    `focus` is the panel's name, empty where none has it; `large` shows it alone; `at` is the moment that is read
    (epoch seconds), NaN where nothing is.
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
        """What the cursor of the focused panel walks over."""
        raise NotImplementedError

    def said(self, snap: Snapshot, scene: Scene) -> str:
        """What the cursor reads."""
        raise NotImplementedError

    def focused(self, scene: Scene, snap: Snapshot, width: int, height: int) -> list[Line]:
        """The focused panel alone, as `z` shows it."""
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
        return entry_line("v", self.said(scene.snap, scene), "← → move  v closes", width, typing=False)

    def handlers(self) -> Handlers:
        return {
            **super().handlers(),
            "next_panel": partial(self._step, 1),
            "previous_panel": partial(self._step, -1),
            "maximise": self._maximise,
            "read": self._read,
            "left": partial(self._aside, -1),
            "right": partial(self._aside, 1),
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
        """The focused panel alone on the screen, or all of them again."""
        self.focus = self.focus or self.panels[0]
        self.large = not self.large
        self.host.changed()

    # -- the cursor ---------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Begin to read values at the newest point, or stop it."""
        if self.reading:
            self.at = NAN
        else:
            self.focus = self.focus or self.panels[0]
            self._walk(0)
        self.host.changed()

    def _walk(self, steps: int) -> None:
        series = self.series(self._snap) if self._snap is not None else None
        if series is None:
            self.host.say("no chart here to read values from")
        else:
            self.at = moved(series, self.at, steps)

    def _aside(self, steps: int) -> None:
        """A moment further on while values are read, else the next panel."""
        if not self.reading:
            self._step(steps)
            return
        self._walk(steps)
        self.host.changed()

    def let_go(self) -> bool:
        """One step back: the cursor, then the large panel, then the focus; False where there is nothing left."""
        if self.reading:
            self.at = NAN
        elif self.large:
            self.large = False
        elif self.focus:
            self.focus = ""
        else:
            return False
        return True
