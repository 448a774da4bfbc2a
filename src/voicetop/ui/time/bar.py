"""The timeline strip: redrawn only when it changes, and searched on clicks."""

from __future__ import annotations

from math import inf

from voicetop.engine.snapshot import NAN
from voicetop.engine.snapshot.timeline import Note, Timeline
from voicetop.ui.lines import Line
from voicetop.ui.renderables.timeline import LEFT, ROOMY, Drawn, drawn, room_for, strip_lines, time_under
from voicetop.ui.style.display_options import DisplayOptions

TALL = 30
"""From this height, errors get their own line, and another names the previous and next event."""
SHORT = 16
"""Below this height, the strip is one line."""


class Timebar:
    """The timeline as last drawn. `top`, its first line on the screen, is set by the caller."""

    def __init__(self) -> None:
        self.top = 0
        self.rows = 0
        self._cached_for: tuple[Timeline, DisplayOptions, int] | None = None
        self._cached: Drawn | None = None

    def hidden(self) -> list[Line]:
        """Leave the timeline out."""
        self.rows = 0
        return []

    def lines(
        self, line: Timeline, at: float, options: DisplayOptions, width: int, height: int
    ) -> list[Line]:
        """The strip for a screen of this size."""
        strip = self._draw(line, options, width)
        rows = ROOMY if height >= TALL else 2 if height >= SHORT else 1
        lines = strip_lines(strip, options, width, at=at, rows=rows)
        self.rows = len(lines)
        return lines

    def _draw(self, line: Timeline, options: DisplayOptions, width: int) -> Drawn:
        """Recomputed only for another timeline object: timelines are frozen."""
        key = self._cached_for
        if self._cached is None or key is None or key[0] is not line or key[1:] != (options, width):
            self._cached, self._cached_for = (
                drawn(line, room_for(line, options, width)),
                (line, options, width),
            )
        return self._cached

    def under(self, x: int, y: int) -> tuple[float, Note | None]:
        """The time at a screen position, and its event; NaN outside the timeline."""
        if not self.top <= y < self.top + min(self.rows, ROOMY - 1) or self._cached is None:
            return NAN, None
        at, note = time_under(self._cached, x - LEFT)
        return (NAN, None) if at == -inf else (at, note)
