"""The console: one Textual app around one sheet of lines. It looks at the feed four times a second and paints.

Started by `voicetop URL`, `demo` and `replay` with a FeedHandle. It imports neither numpy nor websockets, so that the
first frame is there before the feed is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.color import ColorSystem
from rich.console import RenderableType
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.binding import Binding, BindingsMap
from textual.driver import Driver
from textual.message import Message

from voicetop.alerts.runbooks import RunbookLibrary
from voicetop.engine.snapshot import Snapshot, View
from voicetop.ui.actions.comparing import CompareActions
from voicetop.ui.actions.copying import CopyActions
from voicetop.ui.actions.keymap import USUAL, Keymap
from voicetop.ui.actions.registry import Place
from voicetop.ui.actions.responding import IncidentActions
from voicetop.ui.actions.scope_actions import ScopeActions
from voicetop.ui.app_chrome import ROOM, AppChrome
from voicetop.ui.feed import FeedHandle
from voicetop.ui.feeds import Feeds, NamedFeed
from voicetop.ui.hidden_columns import HiddenColumns
from voicetop.ui.lines import Line
from voicetop.ui.renderables.footer import MOST_TOLD, message_lines
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.scope import Scope
from voicetop.ui.screens.alerts import AlertsPage
from voicetop.ui.screens.boxes import HelpBox, PaletteBox
from voicetop.ui.screens.calls import CallsPage
from voicetop.ui.screens.overview import OverviewPage
from voicetop.ui.screens.page import Page
from voicetop.ui.screens.segments import SegmentsPage
from voicetop.ui.screens.trends import TrendsPage
from voicetop.ui.stack import Stack
from voicetop.ui.style import theme as themes
from voicetop.ui.style.display_options import DisplayOptions
from voicetop.ui.style.theme import Colours
from voicetop.ui.style.theme_switch import LOOK_S, ThemeSwitch
from voicetop.ui.terminal.driver import driver_for, takes_links
from voicetop.ui.terminal.line_view import Ink, LineView
from voicetop.ui.terminal.output import TerminalOutput
from voicetop.ui.terminal.screen import ConsoleScreen
from voicetop.ui.time.actions import TimeActions
from voicetop.ui.time.bar import Timebar

if TYPE_CHECKING:
    from textual.screen import Screen as AnyScreen

FRAMES_PER_S = 4
RETRY_S = 0.02
SYSTEMS = {"standard": ColorSystem.STANDARD, "256": ColorSystem.EIGHT_BIT, "truecolor": ColorSystem.TRUECOLOR}


class Pictured(Message):
    """A picture for the view that was asked for is ready."""

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, Pictured)


def _bindings(keymap: Keymap) -> BindingsMap:
    """The registry as Textual wants it. Two actions may share a key where no screen has both."""
    return BindingsMap(
        Binding(action.keys, f"do('{action.id}')", action.label, show=False, id=action.id)
        for action in keymap.actions()
        if action.keys
    )


class ConsoleApp(
    AppChrome,
    ScopeActions,
    TimeActions,
    CompareActions,
    IncidentActions,
    CopyActions,
    App[None],
    inherit_bindings=False,
):
    """The console on one feed, or on several with one of them on the screen."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        feed: FeedHandle,
        *,
        theme: str = themes.STANDARD,
        ascii: bool = False,  # noqa: A002 - the option's name
        title: str = "voicetop",
        utc: bool = True,
        keymap: Keymap = USUAL,
        others: Sequence[NamedFeed] = (),
        fps: float = FRAMES_PER_S,
        links: Mapping[str, str] | None = None,
        columns: HiddenColumns | None = None,
        shelf: RunbookLibrary | None = None,
    ) -> None:
        super().__init__()
        self.keymap = keymap
        self._bindings = _bindings(keymap)
        self.title = title
        self.feeds = Feeds([NamedFeed(title, feed), *others])
        self.look = DisplayOptions(utc=utc, ascii=ascii)
        self.templates = links or {}
        self.columns = columns or HiddenColumns()
        self.shelf = shelf or RunbookLibrary()
        self.told = ""
        self.when_painted: Callable[[], None] | None = None
        """Called once after the first frame: what would hold it up begins there."""
        self.outlook = Scope()
        self.timebar = Timebar()
        self.asked: View | None = None
        self.skipped = 0
        self._seen: Snapshot | None = None
        self._behind = False
        self._noted = 0
        self._painted_for = self.size
        self._outlet = TerminalOutput(
            SYSTEMS.get(self.console.color_system or ""), links=takes_links(os.environ), fps=fps
        )
        self.wardrobe = ThemeSwitch(theme, self._colours())
        self.sheet = LineView(Ink(self.wardrobe.theme, ascii_only=ascii), self.frame)
        self._screens: dict[Place, Page] = {
            "overview": OverviewPage(self),
            "calls": CallsPage(self),
            "segments": SegmentsPage(self),
            "alerts": AlertsPage(self),
            "trends": TrendsPage(self),
        }
        self._stack = Stack(self._screens["overview"])

    def get_driver_class(self) -> type[Driver]:
        """Textual's own, unless stderr goes elsewhere."""
        return driver_for(super().get_driver_class())

    def get_default_screen(self) -> ConsoleScreen:
        return ConsoleScreen(id="console")

    def leave(self) -> None:
        """End as on `q`. May be called from a signal handler or another thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.exit)

    # -- frames -------------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Look at the feed from now on."""
        self._ask()
        if self.when_painted is not None:
            self.call_after_refresh(self.when_painted)
        self.set_interval(1 / FRAMES_PER_S, self.tick)
        self.set_interval(LOOK_S, self.look_at_theme)
        self.app_resume_signal.subscribe(self, lambda _: self._outlet.forget())

    def tick(self) -> None:
        """Paint a frame, unless the terminal still has the last one before it or is slow."""
        self.tour_on()
        self.keep_time()
        if self._outlet.due(self._driver):
            self.paint()
        else:
            self.skipped += 1

    def paint(self) -> None:
        """Show the newest picture as the page sees it."""
        width, height = self.sheet.size
        if width and height:
            self._note()
            self.sheet.show(self.frame(width, height))

    def frame(self, width: int, height: int) -> list[Line]:
        """The lines of a screen of that size."""
        scene = self.scene()
        bar = self.strip(scene, width, height) if height > ROOM else self.timebar.hidden()
        strip = [*bar, *self.around(width, height)]
        self.timebar.top = height - 1 - len(strip)
        if scene.snap is not None and scene.snap is not self._seen:
            self._seen = scene.snap
            self._stack.see(scene.snap)
            self.take_mark(scene.snap)
            self._ask()
        lines = self.page.lines(scene, width, height - len(strip))
        above = [*lines[:-1], *strip]
        if not self.told:
            return [*above, lines[-1]]
        told = message_lines(self.told, width, MOST_TOLD if height > ROOM else 1)
        return [*above[: height - len(told)], *told]

    def _note(self) -> None:
        """Tell what the feed has to say besides its figures, once."""
        notes = self.feed.notes
        if len(notes) > self._noted:
            self.told = " · ".join(notes[self._noted :])
        self._noted = len(notes)

    def scene(self) -> Scene:
        """Everything there is to paint, now or in the past."""
        feed, stand = self.feed, self.standpoint
        live = Scene(
            feed.latest, feed.link, self.look, self.asked or View(), feed.error, self._outlet.slowness
        )
        when, shown = self.when(live), stand.shown
        if when is None:
            return live
        return replace(live, snap=stand.picture, link=shown.link, error=shown.error, when=when)

    def resized(self) -> None:
        """The terminal has another size, and who knows what is on it. At the start it has the one it had."""
        if self.size != self._painted_for:
            self._outlet.forget()
        self._painted_for = self.size
        self._ask()
        self.paint()

    def _ask(self) -> None:
        view = self._stack.page.view(self.outlook.base())
        if view != self.asked:
            self.asked = view
            if not self.standpoint.ask(view, self._answered):
                self.told = f"nothing is kept of this feed to show that: {self.key_of('live')} is live again"

    def _answered(self, _: Snapshot) -> None:
        """Called from the feed's thread; posting a message is all that may be done there."""
        self.post_message(Pictured())

    def on_pictured(self) -> None:
        """An answer came: don't wait for the next frame."""
        self.paint()

    def _display(self, screen: AnyScreen[object], renderable: RenderableType | None) -> None:
        """Send what differs, once the terminal has taken what came before; else make it good a little later."""
        if not isinstance(renderable, CompositorUpdate) or self.is_headless or self._driver is None:
            super()._display(screen, renderable)
            return
        update = self._outlet.take(renderable, self._driver)
        if update is not None:
            super()._display(screen, update)
        if self._outlet.owes and not self._behind:
            self._behind = True
            self.set_timer(RETRY_S, self._catch_up)

    def _catch_up(self) -> None:
        self._behind = False
        self.screen.refresh()

    # -- what pages ask for -------------------------------------------------------------------------------------

    @property
    def page(self) -> Page:
        """The uppermost page."""
        return self._stack.top

    def changed(self) -> None:
        """A page's state changed."""
        self._ask()
        self.paint()

    def say(self, text: str) -> None:
        """Tell the person something in the last line, until the next key."""
        self.told = text
        self.paint()

    def go(self, place: Place) -> None:
        """Show a screen, without anything over it."""
        self.came_from = None
        self._stack.go(self._screens[place])
        self._seen = None
        self.changed()

    def lay(self, page: Page) -> None:
        """Lay a page or a box over the screen."""
        self._stack.lay(page)
        if self._seen is not None:
            page.see(self._seen)
        self.changed()

    def close(self) -> None:
        """Take the uppermost away."""
        self._stack.close()
        self.changed()

    # -- actions ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """An action of the registry runs only where it belongs."""
        if action == "do":
            return self.can_do(str(parameters[0]))
        return super().check_action(action, parameters)

    async def press(self, key: str) -> bool:
        """Run what a key is bound to, before the next key is looked at; False where it is bound to nothing."""
        return await self._check_bindings(key)

    def action_do(self, action_id: str) -> None:
        """What a key is bound to."""
        self.do(action_id)

    def do(self, action_id: str) -> None:
        """Run an action: the page's own way, else the console's."""
        if action_id == "back" and self.returned():
            return
        handler = getattr(self.page, f"act_{action_id}", None) or getattr(self, f"act_{action_id}")
        handler()

    def act_overview(self) -> None:
        self.go("overview")

    def act_calls(self) -> None:
        self.go("calls")

    def act_zone(self) -> None:
        self.look = DisplayOptions(utc=not self.look.utc, ascii=self.look.ascii)
        self.say("times in UTC" if self.look.utc else "times as this machine has them")

    def act_repaint(self) -> None:
        """Paint all of it again, whatever the terminal shows."""
        self._outlet.forget()
        self.screen.refresh()

    def act_help(self) -> None:
        self.lay(HelpBox(self))

    def act_palette(self) -> None:
        self.lay(PaletteBox(self))

    def act_back(self) -> None:
        self.close()

    def act_quit(self) -> None:
        self.exit()

    def _colours(self) -> Colours:
        """How many colours this terminal shows."""
        if self.no_color or self.console.color_system is None:
            return "none"
        return "16" if self.console.color_system == "standard" else "full"
