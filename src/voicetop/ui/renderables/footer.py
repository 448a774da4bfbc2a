"""The last line: the screens, then what can be done here, out of the registry. Or what somebody types or is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from voicetop.ui.actions.keymap import USUAL, Keymap
from voicetop.ui.actions.registry import Action, Place, written
from voicetop.ui.lines import Line, Row, cells, clip, fit
from voicetop.ui.renderables.wrapping import wrapped

GAP = "  "
MOST_TOLD = 3
NEEDED = 2
"""Screens, help and quit."""
LEAST_NOTE = 12
"""A note that has to be cut shorter says nothing any more."""


def footer(place: Place, page: Place, width: int, keymap: Keymap = USUAL) -> Line:
    """Screens with the current one marked, then the keys.

    Where room is short the least important keys go; where not even help and quit have room, the other screens are
    only their numbers.
    """
    actions = [action for action in keymap.available(place) if action.footer and action.keys]
    needed = [action for action in actions if action.footer <= NEEDED]
    if sum(map(_size, needed)) > width:
        actions = [_bare(action) if action.id != page else action for action in actions]
    kept = _fitting(actions, width - 2)
    row = Row(1)
    for action in kept:
        if action.group == "screens":
            _screen(row.add(GAP if row.width > 1 else ""), action, current=action.id == page)
    tail = Row()
    for action in kept:
        if action.group != "screens":
            tail.add(GAP if tail.width else "").add(written(action.keys, 1), "key").add(
                f" {action.label}", "muted"
            )
    return fit(row.to(width - tail.width - 1).put(tail.line()).line(), width)


def keys_line(place: Place, ids: Sequence[str], width: int, keymap: Keymap, said: Mapping[str, str]) -> Line:
    """The keys of some actions, the first first; what finds no room is left to the help.

    `said` has better words than the registry's where an action means something special here.
    """
    known = {action.id: action for action in keymap.available(place) if action.keys}
    row = Row(1)
    for name in ids:
        if name not in known:
            continue
        action = known[name]._replace(label=said.get(name, known[name].label))
        if row.width + _size(action) > width:
            break
        row.add(GAP if row.width > 1 else "").add(written(action.keys, 1), "key")
        row.add(f" {action.label}", "muted")
    return fit(row.line(), width)


def _bare(action: Action) -> Action:
    """A screen without its name."""
    return action._replace(label="") if action.group == "screens" else action


def _screen(row: Row, action: Action, *, current: bool) -> None:
    row.add(written(action.keys, 1), "accent" if current else "key")
    row.add(f" {action.label}" if action.label else "", "strong" if current else "text")


def _fitting(actions: list[Action], width: int) -> list[Action]:
    kept = list(actions)
    while kept and sum(map(_size, kept)) > width + len(GAP):
        worst = max(action.footer for action in kept)
        kept.remove(next(action for action in reversed(kept) if action.footer == worst))
    return kept


def _size(action: Action) -> int:
    label = 1 + cells(action.label) if action.label else 0
    return cells(written(action.keys, 1)) + label + len(GAP)


def entry_line(
    prompt: str, text: str, note: str, width: int, *, bad: bool = False, typing: bool = True
) -> Line:
    """What is being typed, with its cursor, and what it finds.

    What is typed goes before the note: that is cut, and left out where it would say nothing any more.
    """
    row = Row(1).add(f"{prompt} ", "key")
    most = max(4, width - row.width - 2)
    shown = text if cells(text) <= most else "…" + text[-(most - 1) :]
    row.add(shown, "strong").add("█" if typing else "", "accent")
    room = width - row.width - len(GAP) - 1
    said = clip(note, room) if cells(note) <= room or room >= LEAST_NOTE else ""
    return fit(row.right(width - 1, said, "degraded" if bad else "muted").line(), width)


def message_lines(text: str, width: int, most: int = MOST_TOLD) -> list[Line]:
    """Something to be told, calmly, instead of the keys; in more lines where it would be cut, `most` of them."""
    parts = wrapped(text, width - 2)
    if len(parts) > most:
        parts = [*parts[: most - 1], " ".join(parts[most - 1 :])]
    return [fit(Row(1).add(part, "accent").line(), width) for part in parts]
