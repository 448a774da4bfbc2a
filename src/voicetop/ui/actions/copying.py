"""Copy texts to the clipboard, and save screens as pictures."""

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
    """The actions that copy texts and save pictures."""

    def __init__(self, host: Host, app: TerminalApp, stack: Stack, appearance: Appearance) -> None:
        self._host = host
        self._app = app
        self._stack = stack
        self._appearance = appearance

    def handlers(self) -> Handlers:
        return {"copy": self._ask, "copy_link": self._copy_link}

    def _ask(self) -> None:
        self._host.push(CopyBox(self._host, self.copy, self.save_picture))

    def _copy_link(self) -> None:
        """Copy the URL of the selected call or incident."""
        links = self._stack.page.links
        if links:
            self.copy(links[0].url, f"{links[0].name} link")
        else:
            self._host.say("no link here: open a call, and set [links] in the config")

    def copy(self, text: str, what: str) -> None:
        """Copy a text to the clipboard, and report it."""
        self._app.run_worker(self._copy(text, what))

    async def _copy(self, text: str, what: str) -> None:
        how = await clipboard.copy(text, self._app.write, os.environ)
        self._host.say(f"copied the {what}, {len(text):,} characters, {how}")

    def save_picture(self, lines: Sequence[Line], name: str, at: float) -> None:
        """Save a screen of time `at` (epoch s) as a picture, report its path, and copy the path."""
        options = self._host.options
        title = f"voicetop · {name} · {options.clock(at)} {options.zone(at)}" if known(at) else name
        svg = picture(lines, self._appearance.theme, title=title, ascii_only=options.ascii)
        self._app.run_worker(self._save(svg, name, at))

    async def _save(self, svg: str, name: str, at: float) -> None:
        saved = await pictures.save(svg, name, at)
        if saved.best is None:
            self._host.say(saved.why)
            return
        await clipboard.copy(str(saved.best), self._app.write, os.environ)
        self._host.say(f"picture in {pictures.shown(saved.best)} · {saved.why or 'and as SVG beside it'}")
