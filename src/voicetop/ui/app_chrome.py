"""What is around a page: the theme it wears, the verdicts of other feeds, the caption of a tour. Mixed into the app."""

from __future__ import annotations

from typing import Protocol

from voicetop.clock import Clock, WallClock
from voicetop.engine.snapshot import Snapshot, View
from voicetop.ui.actions.keymap import Keymap
from voicetop.ui.actions.registry import BY_ID, written
from voicetop.ui.feed import FeedHandle
from voicetop.ui.feeds import Feeds
from voicetop.ui.lines import Line
from voicetop.ui.renderables.feeds import feeds_line
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.renderables.tour import tour_lines
from voicetop.ui.screens.page import Page
from voicetop.ui.style.display_options import DisplayOptions
from voicetop.ui.style.theme_switch import ThemeSwitch
from voicetop.ui.terminal.line_view import Ink, LineView
from voicetop.ui.tour import Tour

ROOM = 10
"""A screen with fewer lines has none for anything but its page."""


class Console(Protocol):
    """What the surroundings need of the app that they are mixed into."""

    keymap: Keymap
    feeds: Feeds
    look: DisplayOptions
    wardrobe: ThemeSwitch
    sheet: LineView
    tour: Tour | None
    clock: Clock
    asked: View | None
    _seen: Snapshot | None
    _noted: int

    @property
    def feed(self) -> FeedHandle: ...
    @property
    def page(self) -> Page: ...
    def can_do(self, action_id: str) -> bool: ...
    def do(self, action_id: str) -> None: ...
    def key_of(self, action_id: str) -> str: ...
    def say(self, text: str) -> None: ...
    def paint(self) -> None: ...
    def changed(self) -> None: ...
    def end_tour(self) -> None: ...
    def wear(self, said: str) -> None: ...


class AppChrome:
    """Theme, feeds and tour."""

    feeds: Feeds
    tour: Tour | None = None
    clock: Clock = WallClock()
    asked: View | None
    _seen: Snapshot | None

    @property
    def feed(self) -> FeedHandle:
        """The feed on the screen."""
        return self.feeds.current.handle

    def around(self: Console, width: int, height: int) -> list[Line]:
        """What stands above the footer: the tour's caption, the verdicts of all feeds."""
        if height <= ROOM:
            return []
        caption = tour_lines(self.tour.caption, self.tour.place, width) if self.tour else []
        if not self.feeds.several:
            return caption
        shown = [
            (name, Scene(handle.latest, handle.link, self.look, error=handle.error))
            for name, handle in self.feeds.all
        ]
        return [*caption, feeds_line(shown, self.feeds.index, width, self.key_of("next_feed"))]

    def act_next_feed(self: Console) -> None:
        """The next feed."""
        if not self.feeds.several:
            self.say("there is one feed here; `voicetop URL URL` or names from the config show several")
            return
        name, _ = self.feeds.turn()
        self.asked = self._seen = None
        self._noted = 0
        self.changed()
        self.say(f"feed {name}")

    # -- the theme ----------------------------------------------------------------------------------------------

    def act_theme(self: Console) -> None:
        """The next theme."""
        self.wear(self.wardrobe.change())

    def look_at_theme(self: Console) -> None:
        """A theme that is being written is worn as it is saved."""
        said = self.wardrobe.look_again()
        if said is not None:
            self.wear(said)

    def wear(self: Console, said: str) -> None:
        """Put on what the wardrobe holds, and say so."""
        self.sheet.wear(Ink(self.wardrobe.theme, ascii_only=self.look.ascii))
        self.say(said)

    # -- the tour -----------------------------------------------------------------------------------------------

    def begin_tour(self: Console) -> None:
        """Go through the screens by itself, until a key is pressed."""
        self.tour = Tour(self)

    def end_tour(self: Console) -> None:
        """The person takes over."""
        self.tour = None
        self.paint()

    def tour_on(self: Console) -> None:
        """Let the tour go on where it is time to."""
        if self.tour is not None and not self.tour.step(self.clock.monotonic(), self.feed.latest):
            self.end_tour()

    def can_do(self: Console, action_id: str) -> bool:
        """Whether an action belongs where the person is."""
        return self.page.name in BY_ID[action_id].places

    def key_of(self: Console, action_id: str) -> str:
        """An action's first key, as people write it."""
        return written(self.keymap.keys(action_id), 1)
