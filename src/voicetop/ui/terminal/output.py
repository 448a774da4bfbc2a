"""The way out to the terminal: what differs is sent, no faster than the terminal takes it, and the rest is owed.

The app asks `due` before it paints by itself, and sends every update of Textual's through `take`. What a slow terminal
could not get is made good by painting everything again a little later, which costs only what is still lacking.
"""

from __future__ import annotations

from typing import Any

from rich.color import ColorSystem
from textual._compositor import CompositorUpdate

from voicetop.clock import Clock, WallClock
from voicetop.ui.terminal.driver import has_taken_all
from voicetop.ui.terminal.frame_rate import RATES, FrameRate
from voicetop.ui.terminal.painter import FrameUpdate, Painter


class TerminalOutput:
    """One terminal. `owes` says that it lacks something which it could not be sent."""

    def __init__(
        self,
        colours: ColorSystem | None,
        clock: Clock | None = None,
        *,
        links: bool = True,
        fps: float = RATES[0],
    ) -> None:
        self.painter = Painter(colours, links=links)
        self.pace = FrameRate(fps)
        self.owes = False
        self._clock = clock or WallClock()

    @property
    def slowness(self) -> str:
        """How slow the terminal is, in words; empty where it isn't."""
        return self.pace.slowness

    def ready(self, driver: Any) -> bool:
        """Whether the terminal has taken all that it was sent."""
        now = self._clock.monotonic()
        if not has_taken_all(driver):
            self.pace.full()
            return False
        self.pace.taken(now)
        return self.pace.free(now)

    def due(self, driver: Any) -> bool:
        """Whether a frame may be painted now that nobody asked for."""
        if not self.ready(driver) or self.owes:
            return False
        now = self._clock.monotonic()
        self.pace.whole(now)
        return self.pace.due(now)

    def take(self, made: CompositorUpdate, driver: Any) -> FrameUpdate | None:
        """What to send of an update; None for nothing. What could not be sent is owed."""
        if not self.painter.blank and not self.ready(driver):
            self.owes = True
            return None
        update = self.painter.update(made, self.pace.part)
        self.owes = self.painter.owes
        if update is not None:
            self.pace.sent(len(update.data.encode()), self._clock.monotonic())
        return update

    def forget(self) -> None:
        """Nobody knows what the terminal shows."""
        self.painter.forget()
