"""The Textual app and screen of the console: one widget of lines, our own output path, plain events.

All uses of Textual's private API are in this package.
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

from voicetop.clock import WallClock
from voicetop.ui.style.theme import Colours
from voicetop.ui.terminal.driver import (
    ConsoleDriver,
    driver_for,
    has_job_control,
    has_taken_all,
    send,
    takes_links,
)
from voicetop.ui.terminal.line_view import LineView
from voicetop.ui.terminal.output import TerminalOutput

RETRY_S = 0.02
SYSTEMS = {"standard": ColorSystem.STANDARD, "256": ColorSystem.EIGHT_BIT, "truecolor": ColorSystem.TRUECOLOR}


class PaintRequest(Message):
    """Asks the app to paint."""

    def can_replace(self, message: Message) -> bool:
        """Merge queued requests."""
        return isinstance(message, PaintRequest)


class TerminalApp(App[None], inherit_bindings=False):
    """An app with one widget and no Textual bindings: input arrives at the methods below."""

    ENABLE_COMMAND_PALETTE = False
    sheet: LineView

    def __init__(self, fps: float) -> None:
        super().__init__()
        self._output = TerminalOutput(
            SYSTEMS.get(self.console.color_system or ""), links=takes_links(os.environ), fps=fps
        )
        self._retrying = False
        self._painted_for = self.size
        self._resumed_at = 0.0

    def get_driver_class(self) -> type[Driver]:
        """Our driver, in a Unix terminal."""
        return driver_for(super().get_driver_class())

    def get_default_screen(self) -> Screen[None]:
        return TerminalScreen(id="console")

    # -- input --------------------------------------------------------------------------------------------------

    def key_pressed(self, key: str, character: str | None) -> bool:
        """A key (Textual's name) and the character it types; returns False if unused."""
        raise NotImplementedError

    def pasted(self, text: str) -> None:
        """Text from the clipboard."""
        raise NotImplementedError

    def clicked(self, x: int, y: int) -> None:
        """A click on a cell of the screen."""
        raise NotImplementedError

    def wheel_turned(self, steps: int) -> None:
        """A turn of the wheel; down is positive."""
        raise NotImplementedError

    def paint(self) -> None:
        """Paint a frame."""
        raise NotImplementedError

    def request_paint(self) -> None:
        """Paint before the next frame is due; from any thread."""
        self.post_message(PaintRequest())

    def on_paint_request(self) -> None:
        self.paint()

    def resized(self) -> None:
        """After a change of size, the terminal's content is unknown. The first event reports the initial size."""
        if self.size != self._painted_for:
            self._output.forget()
        self._painted_for = self.size

    # -- the terminal -------------------------------------------------------------------------------------------

    @property
    def colours(self) -> Colours:
        """How many colours this terminal shows."""
        if self.no_color or self.console.color_system is None:
            return "none"
        return "16" if self.console.color_system == "standard" else "full"

    @property
    def slowness(self) -> str:
        """The reduced frame rate of a slow terminal, in words; else empty."""
        return self._output.slowness

    def frame_is_due(self) -> bool:
        """Whether the terminal has received the last frame and the next is due."""
        return self._output.due(self._driver)

    def repaint(self) -> None:
        """Repaint the whole screen."""
        self._output.forget()
        self.screen.refresh()

    def take_terminal_again(self) -> None:
        """Repaint after a suspension: other programs have written to the terminal."""
        self._output.resume()
        self.screen.refresh()

    def has_taken_all(self) -> bool:
        """Whether the terminal has received everything that was sent."""
        return has_taken_all(self._driver)

    def write(self, data: str) -> None:
        """Send an escape sequence to the terminal, in order with the frames."""
        send(self._driver, data)

    def suspend_process(self) -> str:
        """Stop and give the terminal back to the shell until it continues us; returns why that is impossible, or "".

        Keys typed before the shell had the terminal are dropped, as the system does for other programs.
        """
        if not isinstance(self._driver, ConsoleDriver) or not has_job_control():
            return "no shell started voicetop, so none could bring it back"
        self._driver.suspend_process()
        self._resumed_at = WallClock().monotonic()
        return ""

    def typed_before_suspension(self, event: events.Key) -> bool:
        return event.time < self._resumed_at

    def call_soon(self, call: Callable[[], object]) -> None:
        """Run `call` on the app's thread, from any thread or a signal handler. Ignored once the app has exited."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the app has exited
                self._loop.call_soon_threadsafe(call)

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Override of Textual's output: send only differences, and only when the terminal is ready; else retry soon."""
        if not isinstance(renderable, CompositorUpdate) or self.is_headless or self._driver is None:
            super()._display(screen, renderable)
            return
        update = self._output.take(renderable, self._driver)
        if update is not None:
            super()._display(screen, update)
        if self._output.pending and not self._retrying:
            self._retrying = True
            self.set_timer(RETRY_S, self._retry)

    def _retry(self) -> None:
        self._retrying = False
        self.screen.refresh()


class TerminalScreen(Screen[None], inherit_bindings=False):
    """Contains the widget, and passes events to the app."""

    app: TerminalApp

    def compose(self) -> ComposeResult:
        """The only widget."""
        yield self.app.sheet

    def on_key(self, event: events.Key) -> None:
        """Handle each key before the next one: keys typed right after `g` belong to its prompt."""
        if self.app.typed_before_suspension(event) or self.app.key_pressed(event.key, event.character):
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
