"""The box that asks what to copy: a call, what the screen shows, or how things stand."""

from __future__ import annotations

from typing import NamedTuple

from voicetop.ui.lines import Line, Row, cells, clip, fit
from voicetop.ui.renderables import boxes
from voicetop.ui.renderables.clippings import panel_text, status_text
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.screens.boxes import Box


class Choice(NamedTuple):
    """Something to copy: its key, what it is, the text."""

    key: str
    name: str
    text: str


class CopyBox(Box):
    """`y`, then a key for what to copy. The texts are those of the moment at which it was opened."""

    name = "copy"

    def choices(self, scene: Scene) -> list[Choice]:
        """What there is to copy here, now."""
        under = self.under
        if under is None or scene.snap is None:
            return [Choice("s", "status line", status_text(scene))]
        found = [Choice("r", "row", under.row_text(scene))]
        found.append(Choice("p", "panel", panel_text(under.plain(scene, scene.snap, self._width))))
        found.append(Choice("s", "status line", status_text(scene)))
        if under.links:
            found.append(Choice("u", "URL", under.links[0].url))
        return [choice for choice in found if choice.text]

    _width = 80
    _offered: tuple[Choice, ...] = ()

    def lines(self, scene: Scene, width: int, height: int) -> list[Line]:
        self._width = width
        if not self._offered:
            self._offered = tuple(self.choices(scene))
        return super().lines(scene, width, height)

    def over(self, scene: Scene, width: int, height: int) -> list[Line]:  # noqa: ARG002 - the same at all times
        body = [_line(choice, width - 5) for choice in self._offered]
        return boxes.box("copy", body, width, min(height, len(body) + 2), "its key copies, Esc closes")

    def key(self, key: str, character: str | None) -> bool:  # noqa: ARG002 - letters are their own names
        for choice in self._offered:
            if key == choice.key:
                self.host.close()
                self.host.copy(choice.text, choice.name)
                return True
        return False


def _line(choice: Choice, width: int) -> Line:
    """Key, name, how the text begins, how long it is."""
    size = (
        f"{choice.text.count(chr(10)) + 1} lines" if "\n" in choice.text else f"{len(choice.text)} characters"
    )
    row = Row().left(3, choice.key, "key").left(13, choice.name, "strong")
    start = choice.text.strip().partition("\n")[0]
    row.add(clip(start, max(4, width - row.width - cells(size) - 2)), "muted")
    return fit(row.right(width, size, "faint").line(), width)
