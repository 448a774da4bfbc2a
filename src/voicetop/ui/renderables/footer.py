"""The last line: screens and keys from the registry, a text entry, or a message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from voicetop.ui.actions.keymap import USUAL, Keymap
from voicetop.ui.actions.registry import Action, Place, written
from voicetop.ui.lines import Line, Row, cells, clip, fit
from voicetop.ui.renderables.wrapping import wrapped

GAP, WIDE_GAP = "  ", "   "
MAX_MESSAGE_LINES = 3
NEEDED = 2
"""Screens, help and quit."""
LEAST_NOTE = 12
"""Notes are left out rather than cut shorter than this."""


def footer(place: Place, page: Place, width: int, keymap: Keymap = USUAL) -> Line:
    """Screens with the current one marked, then the keys.

    Where room is short the least important keys go; where not even help and quit have room, the other screens are
    only their numbers.
    """
    actions = [
        action._replace(footer=1) if action.id == page else action
        for action in keymap.available(place)
        if action.footer and action.keys
    ]
    needed = [action for action in actions if action.footer <= NEEDED]
    if sum(map(_size, needed)) > width:
        actions = [_bare(action) if action.id != page else action for action in actions]
    fitting = _fitting(actions, width - 2)
    row = Row(1)
    for action in fitting:
        if action.group == "screens":
            _screen(row.add(GAP if row.width > 1 else ""), action, current=action.id == page)
    tail = Row()
    for action in fitting:
        if action.group != "screens":
            tail.add(GAP if tail.width else "").add(written(action.keys, 1), "key").add(
                f" {action.label}", "muted"
            )
    return fit(row.to(width - tail.width - 1).put(tail.line()).line(), width)


def keys_line(
    place: Place, ids: Sequence[str], width: int, keymap: Keymap, labels: Mapping[str, str]
) -> Line:
    """The keys of these actions, the most important first, as far as they fit; then help and quit.

    `labels` has better words than the registry's where an action means something special here.
    """
    known = {action.id: action for action in keymap.available(place) if action.keys}
    actions = [
        known[name]._replace(label=labels.get(name, known[name].label)) for name in ids if name in known
    ]
    sizes = accumulate(map(_size, actions), initial=1 - len(GAP))
    fitting = [action for action, size in zip(actions, sizes, strict=False) if size + _size(action) <= width]
    row = Row(1)
    for action in sorted(fitting, key=lambda action: action.footer == NEEDED):
        row.add(GAP if row.width > 1 else "").add(written(action.keys, 1), "key")
        row.add(f" {action.label}", "muted")
    return fit(row.line(), width)


def _bare(action: Action) -> Action:
    """The action without its label if it is a screen."""
    return action._replace(label="") if action.group == "screens" else action


def _screen(row: Row, action: Action, *, current: bool) -> None:
    row.add(written(action.keys, 1), "accent" if current else "key")
    row.add(f" {action.label}" if action.label else "", "strong" if current else "text")


def _fitting(actions: list[Action], width: int) -> list[Action]:
    sizes = [_size(action) for action in actions]
    by_importance = sorted(range(len(actions)), key=lambda n: (actions[n].footer, n))
    while by_importance and sum(sizes[n] for n in by_importance) > width + len(GAP):
        by_importance.pop()
    return [actions[n] for n in sorted(by_importance)]


def _size(action: Action) -> int:
    label = 1 + cells(action.label) if action.label else 0
    return cells(written(action.keys, 1)) + label + len(GAP)


def entry_line(
    prompt: str, text: str, note: str, width: int, *, bad: bool = False, typing: bool = True
) -> Line:
    """The typed text with its cursor, and a note.

    The typed text takes precedence: of the note, what stands before a gap goes first, such as examples before the keys;
    then it is cut, or left out if too short.
    """
    row = Row(1).add(f"{prompt} ", "key")
    most = max(4, width - row.width - 2)
    shown = text if cells(text) <= most else "…" + text[-(most - 1) :]
    row.add(shown, "strong").add("█" if typing else "", "accent")
    room = width - row.width - len(GAP) - 1
    if cells(note) > room:
        note = note.rpartition(WIDE_GAP)[2]
    labels = clip(note, room) if cells(note) <= room or room >= LEAST_NOTE else ""
    return fit(row.right(width - 1, labels, "degraded" if bad else "muted").line(), width)


def message_lines(text: str, width: int, most: int = MAX_MESSAGE_LINES) -> list[Line]:
    """A message in place of the keys, in at most `most` lines."""
    parts = wrapped(text, width - 2)
    if len(parts) > most:
        parts = [*parts[: most - 1], " ".join(parts[most - 1 :])]
    return [fit(Row(1).add(part, "accent").line(), width) for part in parts]
