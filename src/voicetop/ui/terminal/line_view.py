"""The widget that shows lines: it fills the screen, and refreshes only changed lines."""

from __future__ import annotations

from collections.abc import Callable

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from voicetop.ui.lines import Line
from voicetop.ui.style.display_options import line_to_ascii
from voicetop.ui.style.theme import Theme
from voicetop.wire.text import safe_text


class Ink:
    """Renders lines as strips: tones become the theme's styles, and optionally characters become ASCII."""

    def __init__(self, theme: Theme, *, ascii_only: bool = False) -> None:
        self.theme = theme
        self.ascii_only = ascii_only

    def strip(self, line: Line, width: int) -> Strip:
        """One line in exactly `width` cells, without control characters."""
        style = self.theme.style
        line = tuple((_safe(text), tone) for text, tone in line if text)
        if self.ascii_only:
            line = line_to_ascii(line)
        segments = [Segment(text, style(tone)) for text, tone in line]
        strip = Strip(segments)
        return strip.adjust_cell_length(width, style("text")) if strip.cell_length != width else strip


def _safe(text: str) -> str:
    """The session cleans every text; this is a last safeguard."""
    return text if text.isprintable() else safe_text(text)


class LineView(Widget):
    """Shows lines. `show` sets new ones and refreshes those that changed.

    On the first frame and after a resize it gets lines from `make`, so that no frame is blank.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = "LineView { width: 100%; height: 100%; }"

    def __init__(self, ink: Ink, make: Callable[[int, int], list[Line]]) -> None:
        super().__init__()
        self.ink = ink
        self._make = make
        self._lines: list[Line] = []
        self._strips: list[Strip] = []
        self._width = 0

    @property
    def lines(self) -> list[Line]:
        """The lines on the screen."""
        return self._lines

    def show(self, lines: list[Line]) -> int:
        """Show these lines; returns how many changed."""
        if self.size.width != self._width or len(lines) != len(self._lines):
            self._set_lines(lines)
            self.refresh()
            return len(lines)
        changed = [y for y, line in enumerate(lines) if line != self._lines[y]]
        for y in changed:
            self._strips[y] = self.ink.strip(lines[y], self._width)
        self._lines = lines
        if changed:
            self.refresh(*(Region(0, y, self._width, 1) for y in changed))
        return len(changed)

    def set_ink(self, ink: Ink) -> None:
        """Render all lines anew with another ink."""
        self.ink = ink
        self._lines = []

    def _set_lines(self, lines: list[Line]) -> None:
        self._lines, self._width = lines, self.size.width
        self._strips = [self.ink.strip(line, self._width) for line in lines]

    def render_lines(self, crop: Region) -> list[Strip]:
        """The strips unchanged: no border, padding or styles from Textual."""
        width, height = self.size
        if width != self._width or height != len(self._lines):
            self._set_lines(self._make(width, height))
        strips = self._strips[crop.y : crop.bottom]
        if crop.x or crop.width != width:
            return [strip.crop_extend(crop.x, crop.right, self.ink.theme.style("text")) for strip in strips]
        return strips
