"""What is taken out of the terminal: texts to the clipboard, pictures to files. Mixed into the app."""

from __future__ import annotations

import os
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from voicetop.ui import pictures
from voicetop.ui.lines import Line
from voicetop.ui.screens.copy_box import CopyBox
from voicetop.ui.screens.page import Host
from voicetop.ui.stack import Stack
from voicetop.ui.style.display_options import DisplayOptions
from voicetop.ui.style.theme_switch import ThemeSwitch
from voicetop.ui.svg import picture
from voicetop.ui.terminal import clipboard
from voicetop.ui.terminal.driver import send


class Console(Host, Protocol):
    """What taking needs of the app that it is mixed into."""

    look: DisplayOptions
    wardrobe: ThemeSwitch
    _stack: Stack
    _driver: Any

    def run_worker(self, work: Coroutine[None, None, None]) -> object: ...
    def _copy(self, text: str, what: str) -> Coroutine[None, None, None]: ...
    def _save(self, drawn: str, name: str, at: float) -> Coroutine[None, None, None]: ...


class CopyActions:
    """Copies and pictures."""

    def copy(self: Console, text: str, what: str) -> None:
        """Copy a text out of the terminal, and say so."""
        self.run_worker(self._copy(text, what))

    async def _copy(self: Console, text: str, what: str) -> None:
        how = await clipboard.copy(text, lambda data: send(self._driver, data), os.environ)
        self.say(f"copied the {what}, {len(text):,} characters, {how}")

    def save_picture(self: Console, lines: Sequence[Line], name: str, at: float) -> None:
        """Write what was on the screen as a picture; its path is copied."""
        title = f"voicetop · {name} · {self.look.clock(at)} {self.look.zone(at)}" if at == at else name
        drawn = picture(lines, self.wardrobe.theme, title=title, ascii_only=self.look.ascii)
        self.run_worker(self._save(drawn, name, at))

    async def _save(self: Console, drawn: str, name: str, at: float) -> None:
        saved = await pictures.save(drawn, name, at)
        if saved.best is None:
            self.say(saved.why)
            return
        await clipboard.copy(str(saved.best), lambda data: send(self._driver, data), os.environ)
        self.say(f"picture in {pictures.shown(saved.best)} · {saved.why or 'and as SVG beside it'}")

    def act_copy(self: Console) -> None:
        self.lay(CopyBox(self))

    def act_copy_link(self: Console) -> None:
        """The address of what the cursor stands on."""
        links = self._stack.page.links
        if links:
            self.copy(links[0].url, f"{links[0].name} link")
        else:
            self.say("no link here: open a call; [links] in the config says where its trace is to be found")
