"""The registry of all actions. Key bindings, footer, help and palette are made from it.

An action's `id` is its key in `handlers()` of the page or of the console, and in keymaps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

Place: TypeAlias = Literal[
    "overview",
    "calls",
    "segments",
    "alerts",
    "trends",
    "call",
    "alert",
    "compare",
    "feed",
    "help",
    "palette",
    "copy",
    "columns",
    "prompt",
]

EVERYWHERE: tuple[Place, ...] = (
    "overview",
    "calls",
    "segments",
    "alerts",
    "trends",
    "call",
    "alert",
    "compare",
    "feed",
)
LISTS: tuple[Place, ...] = ("overview", "calls")
SIDEWAYS: tuple[Place, ...] = ("overview", "calls", "segments", "alerts", "trends", "compare")
CHARTS: tuple[Place, ...] = ("overview", "trends")
SCROLLS: tuple[Place, ...] = (*EVERYWHERE, "help", "palette", "columns")
ALERTS: tuple[Place, ...] = ("alerts", "alert")
MARKABLE: tuple[Place, ...] = ("overview", "calls", "segments", "trends", "call", "compare")
BOXES: tuple[Place, ...] = ("help", "palette", "copy", "columns", "prompt")
SORTED: tuple[Place, ...] = ("calls", "segments")
ANYWHERE: tuple[Place, ...] = (*EVERYWHERE, *BOXES)


Handlers: TypeAlias = dict[str, Callable[[], None]]
"""Callbacks by action id."""


class Action(NamedTuple):
    """One action: its keys (Textual's names), a short label, and a sentence for the help.

    `footer` is its priority in the footer (0: not shown; larger numbers are dropped first on narrow screens).
    """

    id: str
    keys: str
    label: str
    help: str
    group: str
    places: tuple[Place, ...] = EVERYWHERE
    footer: int = 0


ACTIONS: tuple[Action, ...] = (
    Action("overview", "1", "Overview", "is everything working right now?", "screens", ANYWHERE, 1),
    Action("calls", "2", "Calls", "all live and ended calls", "screens", ANYWHERE, 1),
    Action(
        "segments",
        "3",
        "Segments",
        "each value of a dimension compared with its normal",
        "screens",
        ANYWHERE,
        1,
    ),
    Action("alerts", "4", "Alerts", "incidents and their runbooks", "screens", ANYWHERE, 1),
    Action("trends", "5", "Trends", "24 hours, with deploys and other changes", "screens", ANYWHERE, 1),
    Action(
        "feed",
        "H",
        "Feed",
        "feed health: each source, what is wrong and what to do",
        "screens",
        ANYWHERE,
        6,
    ),
    Action("filter", "slash", "filter", "show only matching calls, as you type", "calls", LISTS, 4),
    Action(
        "open",
        "enter,o",
        "open",
        "a call in full: turns, transcript, tools, errors; there, a full turn",
        "calls",
        (*LISTS, "call"),
        5,
    ),
    Action("next_call", "J,tab", "next call", "the next call in the list", "calls", ("call",), 3),
    Action(
        "previous_call", "K,shift+tab", "previous call", "the previous call in the list", "calls", ("call",)
    ),
    Action(
        "open_alert",
        "enter,o",
        "open",
        "an incident with its runbook; there, the panel of a runbook item",
        "alerts",
        ALERTS,
        4,
    ),
    Action(
        "acknowledge", "a", "acknowledge", "acknowledge or unacknowledge the incident", "alerts", ALERTS, 5
    ),
    Action("silence", "s", "silence", "silence it for a while, or end a silence", "alerts", ALERTS, 5),
    Action("resolve", "R", "resolve", "resolve it by hand", "alerts", ALERTS, 8),
    Action("tick", "x", "done", "mark this runbook item as done or not done", "alerts", ("alert",), 5),
    Action("ended", "t", "ended", "switch between live and ended calls", "calls", ("calls",), 6),
    Action("follow", "f", "follow", "keep the selected call in view", "calls", ("calls",), 8),
    Action("columns", "c", "columns", "choose the columns of the table", "calls", ("calls",), 8),
    Action("sort_left", "less_than_sign", "sort column", "sort by the column to the left", "calls", SORTED),
    Action("sort_right", "greater_than_sign", "sort", "sort by the column to the right", "calls", SORTED, 6),
    Action("reverse", "r", "reverse", "reverse the order", "calls", SORTED, 8),
    Action(
        "narrow",
        "enter",
        "filter",
        "filter every screen to this value",
        "filtering",
        ("segments", "compare"),
        4,
    ),
    Action("widen", "backspace", "widen", "remove the last filter", "filtering", EVERYWHERE, 7),
    Action(
        "blame",
        "b",
        "affected",
        "filter every screen to the affected segment of the verdict or incident",
        "filtering",
        EVERYWHERE,
        4,
    ),
    Action(
        "source",
        "enter,o",
        "remedies",
        "all that is wrong with a source, and what to do",
        "moving",
        ("feed",),
        4,
    ),
    Action("left", "left", "left", "previous column, dimension, panel, tab or moment", "moving", SIDEWAYS),
    Action(
        "right",
        "right",
        "right",
        "next column, dimension, panel, tab or moment",
        "moving",
        SIDEWAYS,
    ),
    Action("next_panel", "tab", "next panel", "focus the next panel", "panels", CHARTS, 7),
    Action("previous_panel", "shift+tab", "previous panel", "focus the previous panel", "panels", CHARTS),
    Action("maximise", "z", "zoom", "enlarge the focused panel, or show all again", "panels", CHARTS, 7),
    Action("read", "v", "values", "read values off the chart with a cursor", "panels", CHARTS, 7),
    Action("freeze", "space", "freeze", "freeze or resume the screen; the feed continues", "time", footer=5),
    Action("step_back", "left_square_bracket", "back", "5 seconds back", "time"),
    Action("step_on", "right_square_bracket", "forward", "5 seconds forward", "time"),
    Action("minute_back", "left_curly_bracket", "minute back", "a minute back", "time"),
    Action("minute_on", "right_curly_bracket", "minute forward", "a minute forward", "time"),
    Action("go_to", "g", "go to", "go to a time: 14:05, 3m ago, 2026-11-22T14:05Z", "time"),
    Action("event_next", "e", "next event", "next problem, alert, marker or bookmark", "time"),
    Action("event_before", "E", "previous event", "previous problem, alert, marker or bookmark", "time"),
    Action("live", "L", "live", "return to live; in a replay, go to the end", "time"),
    Action("faster", "plus,equals_sign", "faster", "play a replay or the past faster", "time"),
    Action("slower", "minus", "slower", "play slower: 0.25 to 1000 times the original speed, or max", "time"),
    Action("loop", "l", "loop", "start a replay again at its end, or not", "time"),
    Action("bookmark", "m", "bookmark", "bookmark this moment and the open call", "time"),
    Action("note", "n", "note", "add a note to this moment, or to the open call or incident", "time"),
    Action("mark", "a", "mark A", "mark this moment as A, to compare another with it", "comparing", MARKABLE),
    Action(
        "compare", "C", "compare", "compare A with this moment: every figure, changes and noise", "comparing"
    ),
    Action(
        "before_after",
        "d",
        "before/after",
        "compare before and after the last deploy or marker; again: the previous one",
        "comparing",
    ),
    Action("down", "j,down", "down", "the next row", "moving", SCROLLS),
    Action("up", "k,up", "up", "the previous row", "moving", SCROLLS),
    Action("page_down", "pagedown,ctrl+f", "page down", "a page down", "moving", SCROLLS),
    Action("page_up", "pageup,ctrl+b", "page up", "a page up", "moving", SCROLLS),
    Action("first", "home", "first", "the first row", "moving", SCROLLS),
    Action("last", "G,end", "last", "the last row", "moving", SCROLLS),
    Action("window", "w", "window", "5 minutes, 30 minutes, 24 hours", "view", footer=5),
    Action("zone", "u", "UTC/local", "times in UTC or local time", "view", footer=9),
    Action("theme", "T", "theme", "the next theme", "view", ANYWHERE),
    Action("next_feed", "F", "next feed", "switch to the next open feed", "view", ANYWHERE),
    Action("repaint", "ctrl+l", "repaint", "redraw the whole screen", "view", ANYWHERE),
    Action("suspend", "ctrl+z", "suspend", "return to the shell; `fg` there returns here", "view", ANYWHERE),
    Action("copy", "y", "copy", "copy a row, a panel or a status line, for a chat", "view", footer=8),
    Action("copy_row", "r", "row", "the selected call, in a line", "copying", ("copy",), 1),
    Action("copy_panel", "p", "panel", "what the screen shows, as plain text", "copying", ("copy",), 1),
    Action("copy_status", "s", "status line", "the overall status, in a line", "copying", ("copy",), 1),
    Action("copy_url", "u", "URL", "the link of the call", "copying", ("copy",)),
    Action("save_picture", "i", "picture", "save the screen as a picture", "copying", ("copy",), 1),
    Action("save_panel", "I", "panel picture", "save the focused panel as a picture", "copying", ("copy",)),
    Action(
        "toggle", "space,x", "show or hide", "show or hide the selected column", "columns", ("columns",), 1
    ),
    Action(
        "copy_link",
        "Y",
        "copy link",
        "copy the link of a call's trace",
        "view",
        ("overview", "calls", "call"),
    ),
    Action("help", "question_mark,f1", "help", "symbols and keys of this screen", "view", footer=2),
    Action("palette", "ctrl+p", "palette", "find a command by name", "view"),
    Action("back", "escape", "back", "clear the filter, or close what is open", "view", ANYWHERE),
    Action("quit", "q,ctrl+c,ctrl+q", "quit", "leave", "view", ANYWHERE, 2),
)
BY_ID = {action.id: action for action in ACTIONS}

WRITTEN = {
    "slash": "/",
    "question_mark": "?",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "plus": "+",
    "equals_sign": "=",
    "minus": "-",
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
    "tab": "Tab",
    "shift+tab": "⇧Tab",
    "space": "space",
    "backspace": "Bksp",
    "right": "→",
}


def written(keys: str, most: int = 9) -> str:
    """Keys as shown to the user: "question_mark,f1" is "? F1"."""
    return " ".join(WRITTEN.get(key, key) for key in keys.split(",")[:most])


def available(place: Place) -> list[Action]:
    """The actions available there, in the registry's order."""
    return [action for action in ACTIONS if place in action.places]
