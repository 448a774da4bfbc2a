"""The one registry of what a person can do. Bindings, footer, help and palette are all made from it.

An action's `id` names its method (`act_<id>` on the page, else on the app) and its entry in a keymap.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Place: TypeAlias = Literal["overview", "calls", "help", "palette", "summary"]

EVERYWHERE: tuple[Place, ...] = ("overview", "calls")
LISTS: tuple[Place, ...] = ("overview", "calls")
SCROLLS: tuple[Place, ...] = ("overview", "calls", "help", "palette")
BOXES: tuple[Place, ...] = ("help", "palette", "summary")


class Action(NamedTuple):
    """One thing to do: its keys (Textual's names), its short label, and a sentence for the help.

    `footer` orders it in the footer (0: not there; the larger go first where room is short); a `door` leads to
    a screen that isn't there.
    """

    id: str
    keys: str
    label: str
    help: str
    group: str
    places: tuple[Place, ...] = EVERYWHERE
    footer: int = 0
    door: bool = False


ACTIONS: tuple[Action, ...] = (
    Action(
        "overview", "1", "Overview", "is everything working right now?", "screens", (*EVERYWHERE, *BOXES), 1
    ),
    Action(
        "calls", "2", "Calls", "every live call, and those that ended", "screens", (*EVERYWHERE, *BOXES), 1
    ),
    Action(
        "segments",
        "3",
        "Segments",
        "every value of a dimension against its normal",
        "screens",
        footer=1,
        door=True,
    ),
    Action("alerts", "4", "Alerts", "what fired, and its runbook", "screens", footer=3, door=True),
    Action("trends", "5", "Trends", "24 hours with what changed", "screens", footer=3, door=True),
    Action("review", "6", "Review", "the week", "screens", footer=3, door=True),
    Action("filter", "slash", "filter", "show only the calls that match, as you type", "calls", LISTS, 4),
    Action("open", "enter", "open", "what this row knows about the call", "calls", LISTS, 5),
    Action("ended", "t", "ended", "live calls or ended ones", "calls", ("calls",), 6),
    Action(
        "sort_left",
        "less_than_sign,left",
        "sort column",
        "sort by the column at the left",
        "calls",
        ("calls",),
    ),
    Action(
        "sort_right",
        "greater_than_sign,right",
        "sort",
        "sort by the column at the right",
        "calls",
        ("calls",),
        6,
    ),
    Action("reverse", "r", "reverse", "turn the order round", "calls", ("calls",), 8),
    Action("down", "j,down", "down", "the next row", "moving", SCROLLS),
    Action("up", "k,up", "up", "the row before", "moving", SCROLLS),
    Action("page_down", "pagedown,ctrl+f", "page down", "a page on", "moving", SCROLLS),
    Action("page_up", "pageup,ctrl+b", "page up", "a page back", "moving", SCROLLS),
    Action("first", "g,home", "first", "the first row", "moving", SCROLLS),
    Action("last", "G,end", "last", "the last row", "moving", SCROLLS),
    Action("window", "w", "window", "5 minutes, 30 minutes, 24 hours", "view", footer=5),
    Action("zone", "u", "UTC/local", "times in UTC or as this machine has them", "view", footer=9),
    Action("theme", "T", "theme", "the next theme", "view", (*EVERYWHERE, *BOXES)),
    Action("next_feed", "F", "next feed", "where the console has several", "view", (*EVERYWHERE, *BOXES)),
    Action("repaint", "ctrl+l", "repaint", "paint the whole screen again", "view", (*EVERYWHERE, *BOXES)),
    Action("help", "question_mark,f1", "help", "what is on screen and what the keys do", "view", footer=2),
    Action("palette", "ctrl+p", "palette", "find an action by its name", "view"),
    Action(
        "back", "escape", "back", "clear the filter, or close what is open", "view", (*EVERYWHERE, *BOXES)
    ),
    Action("quit", "q,ctrl+c,ctrl+q", "quit", "leave", "view", (*EVERYWHERE, *BOXES), 2),
)
BY_ID = {action.id: action for action in ACTIONS}

WRITTEN = {
    "slash": "/",
    "question_mark": "?",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "enter": "Enter",
    "escape": "Esc",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "home": "Home",
    "end": "End",
    "f1": "F1",
    "down": "↓",
    "up": "↑",
    "left": "←",
    "right": "→",
}


def written(keys: str, most: int = 9) -> str:
    """Keys as people read them: "question_mark,f1" is "? F1"."""
    return " ".join(WRITTEN.get(key, key) for key in keys.split(",")[:most])


def available(place: Place) -> list[Action]:
    """What can be done there, in the registry's order."""
    return [action for action in ACTIONS if place in action.places]
