"""What every screen is: a name, view state, lines out of a Scene, and handlers for actions of the registry."""

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
    """What pages, and the objects that run the console's own actions, may ask of the console.

    `scope` is what all screens are narrowed to, `link_templates` are the config's links by name, and `columns` says
    which columns of the table of calls are hidden.
    """

    keymap: Keymap
    scope: Scope
    columns: HiddenColumns
    link_templates: Mapping[str, str]

    @property
    def look(self) -> DisplayOptions:
        """How times and characters are shown."""

    def changed(self, *, elsewhere: bool = False) -> None:
        """Ask the feed where the view changed, and paint. `elsewhere`: another feed or moment is looked at now."""

    def say(self, text: str) -> None:
        """Show a message in the last line, until the next key."""

    def go(self, place: Place) -> None:
        """Show another screen."""

    def push(self, page: Page) -> None:
        """Lay a page or a box over the screen."""

    def close(self) -> None:
        """Take the uppermost page or box away."""

    def can_do(self, action_id: str) -> bool:
        """Whether an action is available on the uppermost page."""

    def do(self, action_id: str) -> None:
        """Run an action, as if its key had been pressed."""

    def key_of(self, action_id: str) -> str:
        """An action's first key, as people write it."""


class Page:
    """One screen, or one box over a screen."""

    name: Place = "overview"
    ruled = True

    def __init__(self, host: Host) -> None:
        self.host = host
        self.height = 20

    def handlers(self) -> Handlers:
        """What runs an action on this page; the console's own handlers run the others."""
        return {}

    def view(self, base: View) -> View:
        """What this page wants to see; `base` has window and narrowing."""
        return base

    def see(self, snap: Snapshot) -> None:
        """A new picture has come."""

    def key(self, key: str, character: str | None) -> bool:  # noqa: ARG002 - pages that take text use them
        """A key before the bindings get it; True where it was text for this page."""
        return False

    def paste(self, text: str) -> None:
        """Text from the clipboard."""

    def click(self, y: int) -> None:
        """The pointer was pressed on a line of the screen."""

    def wheel(self, steps: int) -> None:
        """The wheel was turned; down is positive."""

    @property
    def engaged(self) -> bool:
        """Whether Esc has something to end here, ahead of leaving."""
        return False

    @property
    def about(self) -> str:
        """The call that a bookmark or a note made here is about; empty for everybody's."""
        return ""

    @property
    def links(self) -> Sequence[Hyperlink]:
        """Where what the cursor stands on can be looked at elsewhere."""
        return ()

    def row_text(self, scene: Scene) -> str:  # noqa: ARG002 - pages with rows use it
        """What the cursor stands on, as a line to be copied; empty where it stands on nothing."""
        return ""

    def plain(self, scene: Scene, snap: Snapshot, width: int) -> list[Line]:
        """What the screen shows, to be copied."""
        return self.body(scene, snap, width, self.height)

    def focused(self, scene: Scene, snap: Snapshot, width: int, height: int) -> list[Line]:  # noqa: ARG002 - pages with panels
        """The focused panel alone; nothing where none has the focus."""
        return []

    def body(self, scene: Scene, snap: Snapshot, width: int, height: int) -> list[Line]:
        """The lines between header and footer."""
        raise NotImplementedError

    def foot(self, scene: Scene, width: int) -> Line:  # noqa: ARG002 - pages that take text say what it found
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
    """A line that is being typed."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    def key(self, key: str, character: str | None) -> bool:
        """Take a key; False where it is none of an entry's."""
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
    """A cursor that stays on its call, wherever the call moves in the list.

    `index` is where the call stood last. When it is nowhere in sight any more (`lost`) the cursor keeps its place and
    its last picture, and stands on no other call until it is moved.
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
        """Find the call in a new list whose first row is number `offset`.

        `position` is where it stands in the whole list, where the feed was asked for it.
        """
        if self.row is None:
            return
        wanted = self.row.call_id
        for i, row in enumerate(rows):
            if row.call_id == wanted:
                self.row, self.index, self.lost = row, offset + i, False
                return
        self.lost = position < 0
        self.index = self.index if self.lost else position

    def put(self, rows: Sequence[CallRow], index: int, offset: int = 0) -> None:
        """Stand on row number `index`, or on the nearest there is."""
        if rows:
            place = min(max(index - offset, 0), len(rows) - 1)
            self.row, self.index, self.lost = rows[place], offset + place, False

    def move(self, rows: Sequence[CallRow], steps: int, offset: int = 0, first: int = 0) -> None:
        """Move by so many rows; the first move of all goes to the first row in sight."""
        start = first - (1 if steps > 0 else 0) if self.row is None else self.index
        self.put(rows, start + (max(1, steps) if self.row is None and steps > 0 else steps), offset)
