"""The base of all screens: a name, view state, lines from a Scene, and action handlers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from voicetop.engine.snapshot import CallRow, Snapshot, View
from voicetop.ui.actions.keymap import Keymap
from voicetop.ui.actions.registry import Handlers, Place
from voicetop.ui.hidden_columns import HiddenColumns
from voicetop.ui.lines import Line
from voicetop.ui.links import Hyperlink
from voicetop.ui.renderables.footer import footer
from voicetop.ui.renderables.header import header
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.renderables.waiting import waiting_screen
from voicetop.ui.scope import Scope
from voicetop.ui.style.display_options import DisplayOptions
from voicetop.wire.text import safe_label

HEAD, FOOT = 3, 1


class Host(Protocol):
    """The console's interface for pages and actions.

    `scope` is the scope of all screens, `link_templates` are the config's links by name, and `columns` are the hidden
    columns of the call table.
    """

    keymap: Keymap
    scope: Scope
    columns: HiddenColumns
    link_templates: Mapping[str, str]

    @property
    def options(self) -> DisplayOptions:
        """Time zone and character set."""

    def changed(self, *, elsewhere: bool = False) -> None:
        """Request the view if it changed, and paint. `elsewhere`: the feed or the viewed time has changed."""

    def say(self, text: str) -> None:
        """Show a message in the last line, until the next key."""

    def go(self, place: Place) -> None:
        """Show another screen."""

    def push(self, page: Page) -> None:
        """Open a page or a box on top."""

    def close(self) -> None:
        """Close the top page or box."""

    def can_do(self, action_id: str) -> bool:
        """Whether an action is available on the top page."""

    def do(self, action_id: str) -> None:
        """Run an action, as if its key had been pressed."""

    def key_of(self, action_id: str) -> str:
        """An action's first key, as shown to the user."""


class Page:
    """One screen, or one box over a screen."""

    name: Place = "overview"
    ruled = True

    def __init__(self, host: Host) -> None:
        self.host = host
        self.height = 20

    def handlers(self) -> Handlers:
        """The page's own action handlers, which take precedence over the console's."""
        return {}

    def view(self, base: View) -> View:
        """The view this page needs; `base` has window and segment."""
        return base

    def see(self, snap: Snapshot) -> None:
        """Take a new snapshot."""

    def key(self, key: str, character: str | None) -> bool:  # noqa: ARG002 - pages that take text use them
        """Handle a key before the bindings; True if the page's text entry took it."""
        return False

    def paste(self, text: str) -> None:  # noqa: ARG002 - pages that take text use it
        """Text from the clipboard."""
        self.host.say("paste ignored: there is nothing open to paste it into")

    def click(self, y: int) -> None:
        """A click on a line of the screen."""

    def wheel(self, steps: int) -> None:
        """A turn of the wheel; down is positive."""

    @property
    def engaged(self) -> bool:
        """Whether Esc ends something on this page before leaving it."""
        return False

    @property
    def about(self) -> str:
        """The call id for bookmarks and notes made here; empty for none."""
        return ""

    @property
    def links(self) -> Sequence[Hyperlink]:
        """Links for the selected row."""
        return ()

    def row_text(self, scene: Scene) -> str:  # noqa: ARG002 - pages with rows use it
        """The selected row as a line for copying; empty without a selection."""
        return ""

    def plain(self, scene: Scene, snap: Snapshot, width: int) -> list[Line]:
        """The page's content for copying."""
        return self.body(scene, snap, width, self.height)

    def focused(self, scene: Scene, snap: Snapshot, width: int, height: int) -> list[Line]:  # noqa: ARG002 - pages with panels
        """The focused panel alone; empty without a focus."""
        return []

    def body(self, scene: Scene, snap: Snapshot, width: int, height: int) -> list[Line]:
        """The lines between header and footer."""
        raise NotImplementedError

    def foot(self, scene: Scene, width: int) -> Line:  # noqa: ARG002 - pages with a text entry use it
        """The last line."""
        return footer(self.name, self.name, width, self.host.keymap)

    def lines(self, scene: Scene, width: int, height: int) -> list[Line]:
        """The whole screen, exactly `height` lines."""
        self.height = max(1, height - HEAD - FOOT)
        head = header(scene, width, ruled=self.ruled or scene.snap is None)
        if scene.snap is None:
            body = waiting_screen(scene, width, self.height)
        else:
            body = self.body(scene, scene.snap, width, self.height)
        return [*head, *body, self.foot(scene, width)][-height:] if height > HEAD else head[:height]


class TextEntry:
    """A single-line text entry."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    def key(self, key: str, character: str | None) -> bool:
        """Handle a key; False if it isn't an editing key."""
        if key in ("backspace", "ctrl+h"):
            self.text = self.text[:-1]
        elif key == "ctrl+u":
            self.text = ""
        elif key == "ctrl+w":
            self.text = self.text.rstrip().rpartition(" ")[0]
        elif character and len(character) == 1 and character.isprintable():
            self.text += character
        else:
            return False
        return True

    def paste(self, text: str) -> None:
        self.text += safe_label(text)


class Cursor:
    """A cursor that follows its call in the list.

    `index` is the call's last position. When the call is no longer in the list (`lost`), the cursor keeps its position
    and last row, and selects no other call until it is moved.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.row: CallRow | None = None
        self.index = 0
        self.lost = False

    @property
    def call_id(self) -> str:
        return self.row.call_id if self.row and not self.lost else ""

    def follow(self, rows: Sequence[CallRow], offset: int = 0, position: int = -1) -> None:
        """Find the call in a new list whose first row has index `offset`.

        `position` is its index in the whole list if the feed has located it, else -1.
        """
        if self.row is None:
            return
        call_id = self.row.call_id
        for i, row in enumerate(rows):
            if row.call_id == call_id:
                self.row, self.index, self.lost = row, offset + i, False
                return
        self.lost = position < 0
        self.index = self.index if self.lost else position

    def put(self, rows: Sequence[CallRow], index: int, offset: int = 0) -> None:
        """Select the row at `index`, or the nearest one."""
        if rows:
            place = min(max(index - offset, 0), len(rows) - 1)
            self.row, self.index, self.lost = rows[place], offset + place, False

    def move(self, rows: Sequence[CallRow], steps: int, offset: int = 0, first: int = 0) -> None:
        """Move by `steps` rows; the first move selects the first visible row."""
        start = first - (1 if steps > 0 else 0) if self.row is None else self.index
        self.put(rows, start + (max(1, steps) if self.row is None and steps > 0 else steps), offset)
