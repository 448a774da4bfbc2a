"""The one registry of what a person can do. Keys, footer, help and palette are all made from it.

An action's `id` is its key in the `handlers()` of the page on the screen, or of the console, and its entry in a keymap.
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
"""What runs an action, by the action's id."""


class Action(NamedTuple):
    """One thing to do: its keys (Textual's names), its short label, and a sentence for the help.

    `footer` orders it in the footer (0: not there; the larger go first where room is short).
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
    Action("calls", "2", "Calls", "every live call, and those that ended", "screens", ANYWHERE, 1),
    Action(
        "segments", "3", "Segments", "every value of a dimension against its normal", "screens", ANYWHERE, 1
    ),
    Action("alerts", "4", "Alerts", "what fired, and its runbook", "screens", ANYWHERE, 1),
    Action("trends", "5", "Trends", "24 hours with what changed", "screens", ANYWHERE, 1),
    Action("filter", "slash", "filter", "show only the calls that match, as you type", "calls", LISTS, 4),
    Action(
        "open",
        "enter,o",
        "open",
        "a call in full: its turns, words, tools, errors; there, all of a turn",
        "calls",
        (*LISTS, "call"),
        5,
    ),
    Action("next_call", "J,tab", "next call", "the next call of the list", "calls", ("call",), 3),
    Action(
        "previous_call", "K,shift+tab", "call before", "the one before it in the list", "calls", ("call",)
    ),
    Action(
        "open_alert",
        "enter,o",
        "open",
        "an incident with its runbook; there, the panel that a step speaks of",
        "alerts",
        ALERTS,
        4,
    ),
    Action("acknowledge", "a", "take", "acknowledge the incident, or give it back", "alerts", ALERTS, 5),
    Action("silence", "s", "silence", "keep it quiet until an end; or end a silence", "alerts", ALERTS, 5),
    Action("resolve", "R", "resolve", "it is over, whatever its signal says", "alerts", ALERTS, 8),
    Action(
        "tick", "x", "tick", "this step of the runbook is done, or not after all", "alerts", ("alert",), 5
    ),
    Action("ended", "t", "ended", "live calls or ended ones", "calls", ("calls",), 6),
    Action("follow", "f", "follow", "scroll with the call under the cursor", "calls", ("calls",), 8),
    Action("columns", "c", "columns", "choose the columns of the table", "calls", ("calls",), 8),
    Action("sort_left", "less_than_sign", "sort column", "sort by the column at the left", "calls", SORTED),
    Action("sort_right", "greater_than_sign", "sort", "sort by the column at the right", "calls", SORTED, 6),
    Action("reverse", "r", "reverse", "turn the order round", "calls", SORTED, 8),
    Action(
        "narrow",
        "enter",
        "narrow",
        "show every screen for this value only",
        "narrowing",
        ("segments", "compare"),
        4,
    ),
    Action("widen", "backspace", "widen", "take the last narrowing back", "narrowing", EVERYWHERE, 7),
    Action(
        "blame",
        "b",
        "blame",
        "narrow every screen to what the verdict blames, or the incident",
        "narrowing",
        EVERYWHERE,
        4,
    ),
    Action(
        "left", "left", "left", "sort column, dimension, panel, tab or moment at the left", "moving", SIDEWAYS
    ),
    Action(
        "right",
        "right",
        "right",
        "sort column, dimension, panel, tab or moment at the right",
        "moving",
        SIDEWAYS,
    ),
    Action("next_panel", "tab", "next panel", "the focus to the next panel", "panels", CHARTS, 7),
    Action("previous_panel", "shift+tab", "panel before", "the focus to the panel before", "panels", CHARTS),
    Action("maximise", "z", "zoom", "the focused panel alone, or all of them again", "panels", CHARTS, 7),
    Action("read", "v", "values", "a cursor that reads values off the chart", "panels", CHARTS, 7),
    Action("freeze", "space", "freeze", "stand still, or go on; the feed goes on anyway", "time", footer=5),
    Action("step_back", "left_square_bracket", "back", "5 seconds back", "time"),
    Action("step_on", "right_square_bracket", "on", "5 seconds on", "time"),
    Action("minute_back", "left_curly_bracket", "minute back", "a minute back", "time"),
    Action("minute_on", "right_curly_bracket", "minute on", "a minute on", "time"),
    Action("go_to", "g", "go to", "a moment: 14:05, 3m ago, 2026-11-22T14:05Z", "time"),
    Action("event_next", "e", "next event", "to the next trouble, alert, marker, bookmark", "time"),
    Action("event_before", "E", "event back", "to the last one before this moment", "time"),
    Action("live", "L", "live", "back to what is now; in a replay, to its end", "time"),
    Action("faster", "plus,equals_sign", "faster", "a replay, or the past that is played", "time"),
    Action("slower", "minus", "slower", "0.25 to 1000 times its own pace, or max", "time"),
    Action("loop", "l", "loop", "a replay begins again at its end, or not", "time"),
    Action("bookmark", "m", "bookmark", "this moment, with the call that is open", "time"),
    Action("note", "n", "note", "words on this moment, or on the call or incident that is open", "time"),
    Action("mark", "a", "mark A", "keep this moment as A, to compare another with it", "comparing", MARKABLE),
    Action("compare", "C", "compare", "A with this moment: every figure, noise told from news", "comparing"),
    Action(
        "before_after",
        "d",
        "before/after",
        "compare before and after the last deploy or marker; again: the one before",
        "comparing",
    ),
    Action("down", "j,down", "down", "the next row", "moving", SCROLLS),
    Action("up", "k,up", "up", "the row before", "moving", SCROLLS),
    Action("page_down", "pagedown,ctrl+f", "page down", "a page on", "moving", SCROLLS),
    Action("page_up", "pageup,ctrl+b", "page up", "a page back", "moving", SCROLLS),
    Action("first", "home", "first", "the first row", "moving", SCROLLS),
    Action("last", "G,end", "last", "the last row", "moving", SCROLLS),
    Action("window", "w", "window", "5 minutes, 30 minutes, 24 hours", "view", footer=5),
    Action("zone", "u", "UTC/local", "times in UTC or as this machine has them", "view", footer=9),
    Action("theme", "T", "theme", "the next theme", "view", ANYWHERE),
    Action("next_feed", "F", "next feed", "where the console has several", "view", ANYWHERE),
    Action("repaint", "ctrl+l", "repaint", "paint the whole screen again", "view", ANYWHERE),
    Action("copy", "y", "copy", "a row, a panel or a status line, for a chat", "view", footer=8),
    Action("copy_row", "r", "row", "the call under the cursor, in a line", "copying", ("copy",), 1),
    Action("copy_panel", "p", "panel", "what the screen shows, as plain text", "copying", ("copy",), 1),
    Action("copy_status", "s", "status line", "how everything stands, in a line", "copying", ("copy",), 1),
    Action("copy_url", "u", "URL", "where the call can be looked at", "copying", ("copy",)),
    Action("save_picture", "i", "picture", "the screen as a picture, in a file", "copying", ("copy",), 1),
    Action("save_panel", "I", "panel's picture", "the focused panel as a picture", "copying", ("copy",)),
    Action("toggle", "space,x", "show or hide", "the column under the cursor", "columns", ("columns",), 1),
    Action(
        "copy_link", "Y", "copy link", "the address of a call's trace", "view", ("overview", "calls", "call")
    ),
    Action("help", "question_mark,f1", "help", "what is on screen and what the keys do", "view", footer=2),
    Action("palette", "ctrl+p", "palette", "find an action by its name", "view"),
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
    """Keys as people read them: "question_mark,f1" is "? F1"."""
    return " ".join(WRITTEN.get(key, key) for key in keys.split(",")[:most])


def available(place: Place) -> list[Action]:
    """What can be done there, in the registry's order."""
    return [action for action in ACTIONS if place in action.places]
