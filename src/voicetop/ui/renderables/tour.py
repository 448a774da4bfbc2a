"""The caption of the tour: two lines above the footer, always two, so that nothing jumps."""

from __future__ import annotations

from voicetop.ui.lines import Line, Row, cells, fit
from voicetop.ui.renderables.top import wrap

ROWS = 2
REST = "any key takes over"


def tour_lines(caption: str, place: str, width: int) -> list[Line]:
    """What is to be seen, and how to take over."""
    head = f"▸ tour {place}"
    indent = 1 + cells(head) + 2
    parts = wrap(caption, max(10, width - indent - cells(REST) - 3), ROWS)
    first = Row(1).add(head, "accent").to(indent).add(parts[0], "strong").right(width - 1, REST, "muted")
    second = Row(indent).add(parts[1] if len(parts) > 1 else "", "strong")
    return [fit(first.line(), width), fit(second.line(), width)]
