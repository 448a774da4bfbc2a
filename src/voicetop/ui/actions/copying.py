"""What is taken out of the terminal: texts to the clipboard, pictures to files."""

from __future__ import annotations

import os
from collections.abc import Sequence

from voicetop.formatting.numbers import known
from voicetop.ui import pictures
from voicetop.ui.actions.appearance import Appearance
from voicetop.ui.actions.registry import Handlers
from voicetop.ui.lines import Line
from voicetop.ui.screens.copy_box import CopyBox
from voicetop.ui.screens.page import Host
from voicetop.ui.stack import Stack
from voicetop.ui.svg import picture
from voicetop.ui.terminal import clipboard
from voicetop.ui.terminal.app import TerminalApp


class CopyActions:
    """Copies and pictures."""

    def __init__(self, host: Host, app: TerminalApp, stack: Stack, appearance: Appearance) -> None:
        self._host = host
        self._app = app
        self._stack = stack
        self._appearance = appearance

    def handlers(self) -> Handlers:
        return {"copy": self._ask, "copy_link": self._copy_link}

    def _ask(self) -> None:
        self._host.lay(CopyBox(self._host, self.copy, self.save_picture))

    def _copy_link(self) -> None:
        """The address of what the cursor stands on."""
        links = self._stack.page.links
        if links:
            self.copy(links[0].url, f"{links[0].name} link")
        else:
            self._host.say("no link here: open a call, and set [links] in the config")

    def copy(self, text: str, what: str) -> None:
        """Copy a text out of the terminal, and say so."""
        self._app.run_worker(self._copy(text, what))

    async def _copy(self, text: str, what: str) -> None:
        how = await clipboard.copy(text, self._app.write, os.environ)
        self._host.say(f"copied the {what}, {len(text):,} characters, {how}")

    def save_picture(self, lines: Sequence[Line], name: str, at: float) -> None:
        """Write what was on the screen at `at` (epoch s) as a picture, and say where; its path is copied."""
        look = self._host.look
        title = f"voicetop · {name} · {look.clock(at)} {look.zone(at)}" if known(at) else name
        drawn = picture(lines, self._appearance.theme, title=title, ascii_only=look.ascii)
        self._app.run_worker(self._save(drawn, name, at))

    async def _save(self, drawn: str, name: str, at: float) -> None:
        saved = await pictures.save(drawn, name, at)
        if saved.best is None:
            self._host.say(saved.why)
            return
        await clipboard.copy(str(saved.best), self._app.write, os.environ)
        self._host.say(f"picture in {pictures.shown(saved.best)} · {saved.why or 'and as SVG beside it'}")
