"""The timeline on the screen: drawn again only where it has changed, and looked up under the pointer."""

from __future__ import annotations

from math import inf

from voicetop.engine.snapshot import NAN
from voicetop.engine.snapshot.timeline import Note, Timeline
from voicetop.ui.lines import Line
from voicetop.ui.renderables.timeline import LEFT, ROOMY, Drawn, drawn, moment_under, room_for, strip_lines
from voicetop.ui.style.display_options import DisplayOptions

TALL = 30
"""From this height on errors have a line of their own, and another says what came last and what comes next."""
SHORT = 16
"""Below this height there is room for one line."""


class Timebar:
    """The timeline as it was last drawn. `top` is its first line on the screen, set by whoever puts it there."""

    def __init__(self) -> None:
        self.top = 0
        self.rows = 0
        self._of: tuple[Timeline, DisplayOptions, int] | None = None
        self._made: Drawn | None = None

    def hidden(self) -> list[Line]:
        """It isn't on the screen."""
        self.rows = 0
        return []

    def lines(self, line: Timeline, at: float, look: DisplayOptions, width: int, height: int) -> list[Line]:
        """The strip for a screen of that size."""
        made = self._drawn(line, look, width)
        rows = ROOMY if height >= TALL else 2 if height >= SHORT else 1
        lines = strip_lines(made, look, width, at=at, rows=rows)
        self.rows = len(lines)
        return lines

    def _drawn(self, line: Timeline, look: DisplayOptions, width: int) -> Drawn:
        """Computed again only where the timeline is another object: timelines are frozen."""
        of = self._of
        if self._made is None or of is None or of[0] is not line or of[1:] != (look, width):
            self._made, self._of = drawn(line, room_for(line, look, width)), (line, look, width)
        return self._made

    def under(self, x: int, y: int) -> tuple[float, Note | None]:
        """The moment at a place of the screen, and its event; NaN where no timeline is."""
        if not self.top <= y < self.top + min(self.rows, ROOMY - 1) or self._made is None:
            return NAN, None
        at, note = moment_under(self._made, x - LEFT)
        return (NAN, None) if at == -inf else (at, note)
