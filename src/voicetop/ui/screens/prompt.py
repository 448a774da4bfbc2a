"""A line that is typed into the place of the footer: a moment to go to, the words of a note."""

from __future__ import annotations

from collections.abc import Callable

from voicetop.ui.lines import Line
from voicetop.ui.renderables.footer import entry_line
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.screens.boxes import Box
from voicetop.ui.screens.page import Host, TextEntry


class PromptBox(Box):
    """Asks for a line. `done` takes it and gives what is wrong with it; empty closes the prompt.

    The screen beneath stays as it is, for it is what the line is about.
    """

    name = "prompt"

    def __init__(self, host: Host, word: str, hint: str, done: Callable[[str], str]) -> None:
        super().__init__(host)
        self.entry = TextEntry()
        self.wrong = ""
        self._word = word
        self._hint = hint
        self._done = done

    def lines(self, scene: Scene, width: int, height: int) -> list[Line]:
        beneath = self.under.lines(scene, width, height) if self.under else []
        said = self.wrong or self._hint
        return [*beneath[:-1], entry_line(self._word, self.entry.text, said, width, bad=bool(self.wrong))]

    def key(self, key: str, character: str | None) -> bool:
        if key == "enter":
            self._finish()
        elif self.entry.key(key, character):
            self.wrong = ""
            self.host.changed()
        else:
            return False
        return True

    def _finish(self) -> None:
        """Close first: what is done may have something to say."""
        self.host.close()
        self.wrong = self._done(self.entry.text)
        if self.wrong:
            self.host.push(self)

    def paste(self, text: str) -> None:
        self.entry.paste(text)
        self.wrong = ""
        self.host.changed()
