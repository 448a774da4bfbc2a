"""A line of tabs: the current one is marked and always visible, the others as far as they fit."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from voicetop.ui.lines import Line, Row, cells, clip, fit

LONGEST = 24


def tabs(names: Sequence[str], current: str, width: int, note: str, bright: Collection[str] = ()) -> Line:
    """▸intent   language   hour                worst first ▾. `bright` are those that are in sight; empty: all."""
    row = Row(1)
    room = width - cells(note) - 4
    labels = [clip(name, LONGEST) for name in names]
    sizes = [cells(label) + 3 for label in labels]
    at = names.index(current) if current in names else 0
    first = 0
    while first < at and sum(sizes[first : at + 1]) + (2 if first else 0) > room:
        first += 1
    row.add("‹ " if first else "", "faint")
    for index in range(first, len(names)):
        if row.width + sizes[index] > room + 1:
            row.add("…", "faint")
            break
        chosen = index == at
        tone = "accent" if chosen else "text" if not bright or names[index] in bright else "faint"
        row.add(f"{'▸' if chosen else ' '}{labels[index]}", tone).add("  ")
    return fit(row.right(width - 1, note, "muted").line(), width)
