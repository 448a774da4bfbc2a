"""Textual's screen under the console: it holds the sheet, and hands on keys, pastes, clicks and the wheel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen

if TYPE_CHECKING:
    from voicetop.ui.app import ConsoleApp


class ConsoleScreen(Screen[None], inherit_bindings=False):
    """Textual's screen: it holds the sheet and hands keys to whoever takes text before the bindings get them."""

    app: ConsoleApp

    def compose(self) -> ComposeResult:
        """The sheet, and nothing else."""
        yield self.app.sheet

    async def on_key(self, event: events.Key) -> None:
        """Give a key to the page, else to what it is bound to.

        Textual would run a binding from the app's own queue, while this one went on to the next keys: what is typed
        fast or pasted behind `g` would be keys of the screen that the prompt was to be laid over.
        """
        self.app.told = ""
        if self.app.tour is not None:
            self.app.end_tour()
            if event.key == "escape":
                event.stop()
                event.prevent_default()
                return
        if self.app.page.key(event.key, event.character) or await self.app.press(event.key):
            event.stop()
            event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        self.app.page.paste(event.text)

    def on_click(self, event: events.Click) -> None:
        if not self.app.clicked(event.screen_x, event.screen_y):
            self.app.page.click(event.screen_y)

    def on_mouse_scroll_down(self) -> None:
        self.app.page.wheel(1)

    def on_mouse_scroll_up(self) -> None:
        self.app.page.wheel(-1)

    def on_resize(self) -> None:
        self.app.resized()
