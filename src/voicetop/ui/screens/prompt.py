"""A prompt in place of the footer, such as for a time or the text of a note."""

from __future__ import annotations

from collections.abc import Callable

from voicetop.ui.lines import Line
from voicetop.ui.renderables.footer import entry_line
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.screens.boxes import Box
from voicetop.ui.screens.page import Host, TextEntry


class PromptBox(Box):
    """Prompts for a line. `done` gets it and returns an error, or "" to close the prompt."""

    name = "prompt"

    def __init__(self, host: Host, word: str, hint: str, done: Callable[[str], str]) -> None:
        super().__init__(host)
        self.entry = TextEntry()
        self.error = ""
        self._word = word
        self._hint = hint
        self._done = done

    def lines(self, scene: Scene, width: int, height: int) -> list[Line]:
        beneath = self.under.lines(scene, width, height) if self.under else []
        hint = self.error or self._hint
        return [*beneath[:-1], entry_line(self._word, self.entry.text, hint, width, bad=bool(self.error))]

    def key(self, key: str, character: str | None) -> bool:
        if key == "enter":
            self._finish()
        elif self.entry.key(key, character):
            self.error = ""
            self.host.changed()
        else:
            return False
        return True

    def _finish(self) -> None:
        """Close first, since `done` may show a message or another page."""
        self.host.close()
        self.error = self._done(self.entry.text)
        if self.error:
            self.host.push(self)

    def paste(self, text: str) -> None:
        self.entry.paste(text)
        self.error = ""
        self.host.changed()
