"""The caption of the tour: always two lines above the footer."""

from __future__ import annotations

from voicetop.ui.lines import Line, Row, cells, clip, fit
from voicetop.ui.renderables.header import wrap

ROWS = 2


def tour_lines(caption: str, place: str, width: int) -> list[Line]:
    """The caption, and how to end the tour."""
    rest = f"tour {place} · any key ends it"
    parts = wrap(caption, max(10, width - 4), ROWS)
    last = clip(parts[1], max(1, width - 6 - cells(rest))) if len(parts) > 1 else ""
    first = Row(1).add("▸ ", "accent").add(parts[0], "strong")
    second = Row(3).add(last, "strong").right(width - 1, rest, "muted")
    return [fit(first.line(), width), fit(second.line(), width)]
