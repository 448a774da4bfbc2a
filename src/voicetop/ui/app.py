"""The console: one Textual app with a single widget of lines, painted four times a second.

Started by `voicetop URL`, `demo` and `replay` with a FeedHandle. It imports neither numpy nor websockets, so that the
first frame appears before the feed starts.

Key handling: `key_pressed` → the page's text entry, or the keymap's action → `do` → the `handlers()` of the page or of
the console: those below, and those of the objects in `ui/actions` and `ui/time`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import isnan

from voicetop.alerts.runbooks import RunbookLibrary
from voicetop.clock import Clock, WallClock
from voicetop.engine.snapshot import View
from voicetop.ui.actions.annotating import AnnotationActions
from voicetop.ui.actions.appearance import Appearance
from voicetop.ui.actions.comparing import CompareActions
from voicetop.ui.actions.copying import CopyActions
from voicetop.ui.actions.keymap import USUAL, Keymap
from voicetop.ui.actions.registry import BY_ID, Handlers, Place, written
from voicetop.ui.actions.responding import IncidentActions
from voicetop.ui.actions.scope_actions import ScopeActions
from voicetop.ui.feed import FeedHandle
from voicetop.ui.feeds import Feeds, NamedFeed
from voicetop.ui.frame import Frame, with_message
from voicetop.ui.hidden_columns import HiddenColumns
from voicetop.ui.lines import Line
from voicetop.ui.scope import Scope
from voicetop.ui.screens.alerts import AlertsPage
from voicetop.ui.screens.boxes import HelpBox, PaletteBox
from voicetop.ui.screens.calls import CallsPage
from voicetop.ui.screens.feed_health import FeedHealthPage
from voicetop.ui.screens.overview import OverviewPage
from voicetop.ui.screens.page import Page
from voicetop.ui.screens.segments import SegmentsPage
from voicetop.ui.screens.trends import TrendsPage
from voicetop.ui.stack import Stack
from voicetop.ui.style import theme as themes
from voicetop.ui.style.display_options import DisplayOptions
from voicetop.ui.style.theme_switch import POLL_S, ThemeSwitch
from voicetop.ui.terminal.app import TerminalApp
from voicetop.ui.terminal.line_view import Ink, LineView
from voicetop.ui.time.navigation import TimeNavigation
from voicetop.ui.tour import Tour

FRAMES_PER_S = 4
SEEK_POLL_S = 0.05
"""Polling interval during a seek, to show its snapshot without delay."""


class ConsoleApp(TerminalApp):
    """The console for one or several feeds, one of them on the screen."""

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
        runbooks: RunbookLibrary | None = None,
    ) -> None:
        super().__init__(fps)
        self.title = title
        self.keymap = keymap
        self.link_templates = links or {}
        self.columns = columns or HiddenColumns()
        self.scope = Scope()
        self.feeds = Feeds([NamedFeed(title, feed), *others])
        self.message = ""
        self.on_first_paint: Callable[[], None] | None = None
        """Called once after the first frame, to start slow work."""
        self.tour: Tour | None = None
        self.clock: Clock = WallClock()
        self.requested_view: View | None = None
        self.skipped = 0
        self._awaiting_seek = False
        switch, options = ThemeSwitch(theme, self.colours), DisplayOptions(utc=utc, ascii=ascii)
        self.sheet = LineView(Ink(switch.theme, ascii_only=ascii), self.frame)
        self.screens: dict[Place, Page] = {
            "overview": OverviewPage(self),
            "calls": CallsPage(self),
            "segments": SegmentsPage(self),
            "trends": TrendsPage(self),
            "feed": FeedHealthPage(self),
        }
        self.stack = Stack(self.screens["overview"])
        self.appearance = Appearance(self, switch, options, self.sheet)
        self.comparing = CompareActions(self, self.feeds, self.stack)
        self.time = TimeNavigation(self, self.feeds)
        self.incidents = IncidentActions(
            self, self.feeds, self.stack, self.screens, runbooks or RunbookLibrary()
        )
        self.screens["alerts"] = AlertsPage(self, self.incidents)
        self._frame = Frame(self, self.feeds)
        self._own_handlers = self._handlers()

    def _handlers(self) -> Handlers:
        return {
            **{place: partial(self.go, place) for place in self.screens},
            **self.time.handlers(),
            **AnnotationActions(self, self.feeds, self.stack).handlers(),
            **ScopeActions(self, self.feeds).handlers(),
            **self.comparing.handlers(),
            **CopyActions(self, self, self.stack, self.appearance).handlers(),
            **self.appearance.handlers(),
            "next_feed": self._next_feed,
            "repaint": self.repaint,
            "suspend": self._suspend,
            "help": lambda: self.push(HelpBox(self)),
            "palette": lambda: self.push(PaletteBox(self)),
            "back": self.close,
            "quit": self.exit,
        }

    def leave(self) -> None:
        """Quit as with `q`. May be called from a signal handler or another thread."""
        self.call_soon(self.exit)

    # -- frames -------------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Start painting."""
        self._ask()
        if self.on_first_paint is not None:
            self.call_after_refresh(self.on_first_paint)
        self.set_interval(1 / FRAMES_PER_S, self.tick)
        self.set_interval(POLL_S, self.appearance.check_theme_file)
        self.app_resume_signal.subscribe(self, lambda _: self.take_terminal_again())

    def tick(self) -> None:
        """Paint a frame, unless the terminal is still busy with the last one."""
        if self.tour is not None and not self.tour.step(self.clock.monotonic(), self.feed.latest):
            self._end_tour()
        self.time.tick()
        if self.frame_is_due():
            self.paint()
        else:
            self.skipped += 1

    def paint(self) -> None:
        """Show the newest snapshot on the current page."""
        width, height = self.sheet.size
        if width and height:
            self.message = " · ".join(self.feeds.new_notes()) or self.message
            self.sheet.show(self.frame(width, height))

    def frame(self, width: int, height: int) -> list[Line]:
        """The lines of a screen of this size."""
        scene = self._frame.scene(self.requested_view, self.slowness)
        strips = self._frame.strips(scene, self.tour, width, height)
        if scene.snap is not None and self.stack.see(scene.snap):
            self.message = self.comparing.record_mark(scene.snap) or self.message
            self._ask()
        *body, footer = self.page.lines(scene, width, height - len(strips))
        return with_message([*body, *strips, footer], self.message, width)

    def resized(self) -> None:
        super().resized()
        self.changed()

    def _ask(self) -> None:
        view = self.stack.page.view(self.scope.base())
        if view != self.requested_view:
            self.requested_view = view
            if not self.feeds.viewed.ask(view, lambda _: self.request_paint()):
                live = self.key_of("live")
                self.message = f"no data kept for that moment: {live} returns to live"

    def _await_seek(self) -> None:
        """Repaint until the seek's snapshot arrives."""
        self._awaiting_seek = self.feeds.viewed.seeking
        self.paint()
        if self._awaiting_seek:
            self.set_timer(SEEK_POLL_S, self._await_seek)

    # -- called by pages and actions (`Host`) --------------------------------------------------------------------

    @property
    def options(self) -> DisplayOptions:
        return self.appearance.options

    @property
    def page(self) -> Page:
        """The top page."""
        return self.stack.top

    @property
    def feed(self) -> FeedHandle:
        """The feed on the screen."""
        return self.feeds.current.handle

    def changed(self, *, elsewhere: bool = False) -> None:
        if elsewhere:
            self.requested_view = None
        self._ask()
        self.paint()
        if elsewhere and self.feeds.viewed.seeking and not self._awaiting_seek:
            self._await_seek()

    def say(self, text: str) -> None:
        self.message = text
        self.paint()

    def go(self, place: Place) -> None:
        """Show a screen, with nothing over it."""
        self.incidents.came_from = None
        self.stack.go(self.screens[place])
        self.changed()

    def push(self, page: Page) -> None:
        self.stack.push(page)
        self.changed()

    def close(self) -> None:
        self.stack.close()
        self.changed()

    def key_of(self, action_id: str) -> str:
        return written(self.keymap.keys(action_id), 1)

    def can_do(self, action_id: str) -> bool:
        return self.page.name in BY_ID[action_id].places

    def do(self, action_id: str) -> None:
        self.handlers()[action_id]()

    def handlers(self) -> Handlers:
        """The handlers in effect: the console's, overridden by the page's, then by the way back to a runbook."""
        return {**self._own_handlers, **self.page.handlers(), **self.incidents.handlers()}

    def _suspend(self) -> None:
        if why_not := self.suspend_process():
            self.say(f"cannot suspend: {why_not}")

    def _next_feed(self) -> None:
        if not self.feeds.several:
            self.say("only one feed is open; start `voicetop URL URL`, or names from the config, for several")
            return
        name, _ = self.feeds.next_feed()
        self.changed(elsewhere=True)
        self.say(f"feed {name}")

    # -- the tour -----------------------------------------------------------------------------------------------

    def begin_tour(self) -> None:
        """Start the tour; any key ends it."""
        self.tour = Tour(self)

    def _end_tour(self) -> None:
        self.tour = None
        self.paint()

    # -- input from the terminal --------------------------------------------------------------------------------

    def key_pressed(self, key: str, character: str | None) -> bool:
        """Pass a key to the page's text entry, else run its action. A key ends the tour; Esc does nothing else then."""
        self.message = ""
        if self.tour is not None:
            self._end_tour()
            if key == "escape":
                return True
        if self.page.key(key, character):
            return True
        action_id = self.keymap.action_for(key, self.page.name)
        if action_id:
            self.do(action_id)
        return bool(action_id)

    def pasted(self, text: str) -> None:
        self.page.paste(text)

    def clicked(self, x: int, y: int) -> None:
        """A click on the timeline goes to that time; the page handles all others."""
        at, note = self._frame.timebar.under(x, y)
        if isnan(at):
            self.page.click(y)
        else:
            self.time.go_to_click(at, note)

    def wheel_turned(self, steps: int) -> None:
        self.page.wheel(steps)
