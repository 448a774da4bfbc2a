"""Boxes over a screen: help and palette."""

from __future__ import annotations

from voicetop.ui.actions.registry import Action, Place
from voicetop.ui.lines import Line
from voicetop.ui.renderables import boxes
from voicetop.ui.renderables.footer import footer
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.screens.page import FOOT, HEAD, Host, Page, TextEntry
from voicetop.ui.screens.row_keys import RowKeys


class Box(Page):
    """A page drawn over another one, `under`."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.under: Page | None = None

    def over(self, scene: Scene, width: int, height: int) -> list[Line]:
        """The box itself."""
        raise NotImplementedError

    def lines(self, scene: Scene, width: int, height: int) -> list[Line]:
        """The page beneath, still updated, with the box over it."""
        beneath = self.under.lines(scene, width, height) if self.under else []
        box = self.over(scene, self.width_in(width), height - HEAD - FOOT)
        lines = boxes.centred(beneath, box, HEAD, width, self.width_in(width))
        return [*lines[: height - 1], footer(self.name, self.page_under, width, self.host.keymap)]

    @property
    def page_under(self) -> Place:
        return self.under.name if self.under else self.name

    def width_in(self, width: int) -> int:
        return width if width < 88 else 84


class HelpBox(RowKeys, Box):
    """Explains keys and symbols of the current screen."""

    name = "help"

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._most = 0

    def over(self, scene: Scene, width: int, height: int) -> list[Line]:  # noqa: ARG002 - the same at all times
        body = boxes.help_body(self.page_under, width - 5, self.host.keymap)
        rows = max(1, height - 2)
        self._most = max(0, len(body) - rows)
        self.place = min(self.place, self._most)
        note = "Esc closes, j and k scroll" if self._most else "Esc closes"
        title = f"help · {self.page_under}"
        return boxes.box(title, body[self.place :], width, min(rows, len(body)) + 2, note)

    @property
    def row_count(self) -> int:
        """The number of scroll positions."""
        return self._most + 1


class PaletteBox(RowKeys, Box):
    """Finds an action by its name and runs it."""

    name = "palette"

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.entry = TextEntry()

    def over(self, scene: Scene, width: int, height: int) -> list[Line]:  # noqa: ARG002 - the same at all times
        matches = self._matches
        self.place = max(0, min(self.place, len(matches) - 1))
        rows = max(1, min(12, height - 4))
        body = boxes.palette_body(matches, self.place, self.entry.text, width - 5, rows)
        return boxes.box("Commands", body, width, rows + 4, "Enter runs it, Esc closes")

    def key(self, key: str, character: str | None) -> bool:
        if key == "enter":
            self._run()
        elif self.entry.key(key, character):
            self.place = 0
            self.host.changed()
        else:
            return False
        return True

    @property
    def _matches(self) -> list[Action]:
        return boxes.palette_matches(self.page_under, self.entry.text, self.host.keymap)

    def _run(self) -> None:
        matches = self._matches
        self.host.close()
        if matches:
            self.host.do(matches[self.place].id)

    def paste(self, text: str) -> None:
        self.entry.paste(text)
        self.host.changed()

    @property
    def row_count(self) -> int:
        return len(self._matches)
