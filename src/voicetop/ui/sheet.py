"""The widget that shows lines: it fills its screen, holds nothing else, and refreshes only lines that changed."""

from __future__ import annotations

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from voicetop.ui.lines import Line
from voicetop.ui.look import to_ascii
from voicetop.ui.theme import Theme
from voicetop.wire.text import safe_text


class Ink:
    """Turns lines into strips: tones into the theme's styles, signs into ASCII where asked for."""

    def __init__(self, theme: Theme, *, ascii_only: bool = False) -> None:
        self.theme = theme
        self.ascii_only = ascii_only

    def strip(self, line: Line, width: int) -> Strip:
        """One line in exactly `width` cells. Nothing that a terminal could act upon gets through."""
        style = self.theme.style
        segments = [Segment(self._safe(text), style(tone)) for text, tone in line if text]
        strip = Strip(segments)
        return strip.adjust_cell_length(width, style("text")) if strip.cell_length != width else strip

    def _safe(self, text: str) -> str:
        if not text.isprintable():  # the session cleans every text; this is the last door
            text = safe_text(text)
        return to_ascii(text) if self.ascii_only and not text.isascii() else text


class Sheet(Widget):
    """A sheet of lines. `show` takes new ones; the paint path below sends what changed in them."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "Sheet { width: 100%; height: 100%; }"

    def __init__(self, ink: Ink) -> None:
        super().__init__()
        self.ink = ink
        self._lines: list[Line] = []
        self._strips: list[Strip] = []
        self._width = 0

    @property
    def lines(self) -> list[Line]:
        """What is shown."""
        return self._lines

    def show(self, lines: list[Line]) -> int:
        """Show these lines; gives how many of them changed."""
        width = self.size.width
        if width != self._width or len(lines) != len(self._lines):
            self._lines, self._width = [], width
        if not self._lines:
            self._lines = lines
            self._strips = [self.ink.strip(line, width) for line in lines]
            self.refresh()
            return len(lines)
        changed = [y for y, line in enumerate(lines) if line != self._lines[y]]
        for y in changed:
            self._strips[y] = self.ink.strip(lines[y], width)
        self._lines = lines
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))
        return len(changed)

    def wear(self, ink: Ink) -> None:
        """The same lines in another ink."""
        self.ink = ink
        self._lines = []

    def render_lines(self, crop: Region) -> list[Strip]:
        """The strips as they are: no border, no padding, no styles of Textual's own."""
        strips = self._strips[crop.y : crop.bottom]
        missing = crop.height - len(strips)
        if missing:
            strips = strips + [Strip.blank(self._width or crop.width, self.ink.theme.style("text"))] * missing
        if crop.x or crop.width != self._width:
            return [strip.crop_extend(crop.x, crop.right, self.ink.theme.style("text")) for strip in strips]
        return strips
