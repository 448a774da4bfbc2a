"""Output to the terminal: only differences are sent, no faster than the terminal receives them.

The app checks `due` before a periodic frame, and passes every Textual update through `take`. What a slow terminal could
not get yet is sent by repainting everything a little later, which transmits only what is still missing.
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
    """One terminal. `pending` is set while part of a frame could not be sent yet."""

    def __init__(
        self,
        colours: ColorSystem | None,
        clock: Clock | None = None,
        *,
        links: bool = True,
        fps: float = RATES[0],
    ) -> None:
        self.painter = Painter(colours, links=links)
        self.frame_rate = FrameRate(fps)
        self.pending = False
        self._clock = clock or WallClock()

    @property
    def slowness(self) -> str:
        """The reduced frame rate of a slow terminal, in words; else empty."""
        return self.frame_rate.slowness

    def ready(self, driver: Any) -> bool:
        """Whether the terminal has received everything that was sent."""
        now = self._clock.monotonic()
        if not has_taken_all(driver):
            self.frame_rate.set_blocked()
            return False
        self.frame_rate.drained(now)
        return self.frame_rate.caught_up(now)

    def due(self, driver: Any) -> bool:
        """Whether a periodic frame may be painted now."""
        if not self.ready(driver) or self.pending:
            return False
        now = self._clock.monotonic()
        self.frame_rate.frame_complete(now)
        return self.frame_rate.due(now)

    def take(self, painted: CompositorUpdate, driver: Any) -> FrameUpdate | None:
        """The part of an update to send now; None for nothing. `pending` is set if something is left out."""
        if not self.painter.blank and not self.ready(driver):
            self.pending = True
            return None
        update = self.painter.update(painted, self.frame_rate.part)
        self.pending = self.painter.pending
        if update is not None:
            self.frame_rate.sent(len(update.data.encode()), self._clock.monotonic())
        return update

    def forget(self) -> None:
        """Assume nothing about the terminal's content."""
        self.painter.forget()

    def resume(self) -> None:
        """Start anew after a suspension, which says nothing about the terminal's speed."""
        self.frame_rate = FrameRate(self.frame_rate.rates[0])
        self.painter.forget()
