"""The box that offers what to copy: a row, the panel, the status line, a URL, or a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from voicetop.engine.snapshot import NAN
from voicetop.ui.actions.registry import Handlers, written
from voicetop.ui.lines import Line, Row, cells, clip, fit
from voicetop.ui.renderables import boxes
from voicetop.ui.renderables.plain_text import caption, panel_text, status_text
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.screens.boxes import Box
from voicetop.ui.screens.page import Host

CHOICES = ("copy_row", "copy_panel", "copy_status", "copy_url", "save_picture", "save_panel")
PICTURES = "an SVG, and a PNG where one can be made"


class Choice(NamedTuple):
    """Something to copy: its action, name and text; `lines` for a picture."""

    action: str
    name: str
    text: str
    lines: tuple[Line, ...] = ()


class CopyBox(Box):
    """Opened by `y`; another key selects what to copy, as of the time the box was opened.

    `copy` takes a text and its name, `save` the lines, name and time (epoch s) of a picture.
    """

    name = "copy"

    def __init__(
        self,
        host: Host,
        copy: Callable[[str, str], None],
        save: Callable[[Sequence[Line], str, float], None],
    ) -> None:
        super().__init__(host)
        self._copy = copy
        self._save = save
        self._width, self._height = 80, 24
        self._at = NAN
        self._offered: tuple[Choice, ...] = ()

    def choices(self, scene: Scene) -> list[Choice]:
        """What can be copied now."""
        under = self.under
        if under is None or scene.snap is None:
            return [Choice("copy_status", "status line", status_text(scene))]
        available = [Choice("copy_row", "row", under.row_text(scene))]
        available.append(
            Choice("copy_panel", "panel", panel_text(under.plain(scene, scene.snap, self._width)))
        )
        available.append(Choice("copy_status", "status line", status_text(scene)))
        if under.links:
            available.append(Choice("copy_url", "URL", under.links[0].url))
        whole = under.lines(scene, self._width, self._height)[:-1]
        available.append(Choice("save_picture", "screen picture", PICTURES, tuple(whole)))
        panel = under.focused(scene, scene.snap, self._width, self._height)
        captioned = (*panel, caption(scene))
        available.append(Choice("save_panel", "panel picture", PICTURES if panel else "", captioned))
        return [choice for choice in available if choice.text]

    def lines(self, scene: Scene, width: int, height: int) -> list[Line]:
        self._width, self._height, self._at = width, height, scene.snap.at if scene.snap is not None else NAN
        if not self._offered:
            self._offered = tuple(self.choices(scene))
        return super().lines(scene, width, height)

    def over(self, scene: Scene, width: int, height: int) -> list[Line]:  # noqa: ARG002 - the same at all times
        keys = self.host.keymap
        body = [_line(choice, written(keys.keys(choice.action), 1), width - 5) for choice in self._offered]
        return boxes.box("copy", body, width, min(height, len(body) + 2), "its key copies, Esc closes")

    def handlers(self) -> Handlers:
        return {action: partial(self._choose, action) for action in CHOICES}

    def _choose(self, action: str) -> None:
        choice = next((choice for choice in self._offered if choice.action == action), None)
        if choice is None:
            self.host.say("nothing to copy here")
            return
        self.host.close()
        if choice.lines:
            panel = "-panel" if action == "save_panel" else ""
            self._save(choice.lines, f"{self.page_under}{panel}", self._at)
        else:
            self._copy(choice.text, choice.name)


def _line(choice: Choice, key: str, width: int) -> Line:
    """Key, name, start of the text, and its length."""
    size = (
        "picture"
        if choice.lines
        else f"{choice.text.count(chr(10)) + 1} lines"
        if "\n" in choice.text
        else f"{len(choice.text)} characters"
    )
    row = Row().left(3, key, "key").left(16, choice.name, "strong")
    start = choice.text.strip().partition("\n")[0]
    row.add(clip(start, max(4, width - row.width - cells(size) - 2)), "muted")
    return fit(row.right(width, size, "faint").line(), width)
