"""Textual's app and screen as the console uses them: one sheet of lines, frames sent by our own output, plain events.

Whatever the console needs of Textual's private parts is here and in this package, behind names of our own.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from rich.color import ColorSystem
from rich.console import RenderableType
from textual import events
from textual._compositor import CompositorUpdate
from textual.app import App, ComposeResult
from textual.driver import Driver
from textual.message import Message
from textual.screen import Screen

from voicetop.ui.style.theme import Colours
from voicetop.ui.terminal.driver import driver_for, has_taken_all, send, takes_links
from voicetop.ui.terminal.line_view import LineView
from voicetop.ui.terminal.output import TerminalOutput

RETRY_S = 0.02
SYSTEMS = {"standard": ColorSystem.STANDARD, "256": ColorSystem.EIGHT_BIT, "truecolor": ColorSystem.TRUECOLOR}


class PaintRequest(Message):
    """There is something new to paint."""

    def can_replace(self, message: Message) -> bool:
        """Of several that wait, one is enough."""
        return isinstance(message, PaintRequest)


class TerminalApp(App[None], inherit_bindings=False):
    """An app of one sheet. It has no bindings of Textual's: keys, clicks and the rest arrive at the methods below."""

    ENABLE_COMMAND_PALETTE = False
    sheet: LineView

    def __init__(self, fps: float) -> None:
        super().__init__()
        self._output = TerminalOutput(
            SYSTEMS.get(self.console.color_system or ""), links=takes_links(os.environ), fps=fps
        )
        self._retrying = False
        self._painted_for = self.size

    def get_driver_class(self) -> type[Driver]:
        """Textual's own, unless stderr goes elsewhere."""
        return driver_for(super().get_driver_class())

    def get_default_screen(self) -> Screen[None]:
        return TerminalScreen(id="console")

    # -- what arrives -------------------------------------------------------------------------------------------

    def key_pressed(self, key: str, character: str | None) -> bool:
        """A key, by Textual's name, and what it types; False where it does nothing."""
        raise NotImplementedError

    def pasted(self, text: str) -> None:
        """Text from the clipboard."""
        raise NotImplementedError

    def clicked(self, x: int, y: int) -> None:
        """The pointer was pressed on a cell of the screen."""
        raise NotImplementedError

    def wheel_turned(self, steps: int) -> None:
        """The wheel was turned; down is positive."""
        raise NotImplementedError

    def paint(self) -> None:
        """Show what is new."""
        raise NotImplementedError

    def request_paint(self) -> None:
        """Paint before the next frame is due; from any thread."""
        self.post_message(PaintRequest())

    def on_paint_request(self) -> None:
        self.paint()

    def resized(self) -> None:
        """The terminal has another size, and who knows what is on it. At the start it has the one it had."""
        if self.size != self._painted_for:
            self._output.forget()
        self._painted_for = self.size

    # -- what the terminal is, takes and gets -------------------------------------------------------------------

    @property
    def colours(self) -> Colours:
        """How many colours this terminal shows."""
        if self.no_color or self.console.color_system is None:
            return "none"
        return "16" if self.console.color_system == "standard" else "full"

    @property
    def slowness(self) -> str:
        """How slow the terminal is, in words; empty where it isn't."""
        return self._output.slowness

    def frame_is_due(self) -> bool:
        """Whether the terminal has the last frame, and it is time for another."""
        return self._output.due(self._driver)

    def repaint(self) -> None:
        """Paint all of the screen again, whatever the terminal shows."""
        self.forget_screen()
        self.screen.refresh()

    def forget_screen(self) -> None:
        """Somebody else has written to the terminal."""
        self._output.forget()

    def has_taken_all(self) -> bool:
        """Whether the terminal has taken all that it was sent."""
        return has_taken_all(self._driver)

    def write(self, data: str) -> None:
        """Send a sequence of our own to the terminal, in order with the frames."""
        send(self._driver, data)

    def call_soon(self, call: Callable[[], object]) -> None:
        """Run something on the app's thread; from any thread, or a signal handler. Nothing where it has left."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has left meanwhile
                self._loop.call_soon_threadsafe(call)

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Textual's way to the driver: send what differs, once the terminal has taken what came before; or soon."""
        if not isinstance(renderable, CompositorUpdate) or self.is_headless or self._driver is None:
            super()._display(screen, renderable)
            return
        update = self._output.take(renderable, self._driver)
        if update is not None:
            super()._display(screen, update)
        if self._output.owes and not self._retrying:
            self._retrying = True
            self.set_timer(RETRY_S, self._retry)

    def _retry(self) -> None:
        self._retrying = False
        self.screen.refresh()


class TerminalScreen(Screen[None], inherit_bindings=False):
    """Holds the sheet, and hands events to the app."""

    app: TerminalApp

    def compose(self) -> ComposeResult:
        """The sheet, and nothing else."""
        yield self.app.sheet

    def on_key(self, event: events.Key) -> None:
        """Handle a key before the next is looked at: what is typed fast behind `g` belongs to its prompt."""
        if self.app.key_pressed(event.key, event.character):
            event.stop()
            event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        self.app.pasted(event.text)

    def on_click(self, event: events.Click) -> None:
        self.app.clicked(event.screen_x, event.screen_y)

    def on_mouse_scroll_down(self) -> None:
        self.app.wheel_turned(1)

    def on_mouse_scroll_up(self) -> None:
        self.app.wheel_turned(-1)

    def on_resize(self) -> None:
        self.app.resized()
