"""The console's part in an incident: it sends what people do, and goes where a runbook leads. Mixed into the app."""

from __future__ import annotations

from typing import Protocol, cast

from msgspec.structs import replace

from voicetop.alerts.runbooks import PANELS, Runbook, RunbookLibrary, RunbookLink
from voicetop.engine.snapshot import NAN, Where
from voicetop.sources import Act
from voicetop.ui.actions.registry import Place
from voicetop.ui.scope import Scope
from voicetop.ui.screens.calls import CallsPage
from voicetop.ui.screens.chart_page import PanelPage
from voicetop.ui.screens.page import Page
from voicetop.ui.screens.segments import SegmentsPage
from voicetop.ui.stack import Stack
from voicetop.ui.style.display_options import DisplayOptions
from voicetop.ui.time.viewed_time import ViewedTime

PANEL_OF = {"mood": "sentiment", "markers": "latency", "escalation": "escalation"}
"""What the screens call a panel where runbooks call it otherwise."""


class Console(Protocol):
    """What this needs of the app that it is mixed into."""

    outlook: Scope
    look: DisplayOptions
    shelf: RunbookLibrary
    came_from: tuple[Page, Where] | None
    _screens: dict[Place, Page]
    _stack: Stack

    @property
    def standpoint(self) -> ViewedTime: ...
    def key_of(self, action_id: str) -> str: ...
    def go(self, place: Place) -> None: ...
    def lay(self, page: Page) -> None: ...
    def say(self, text: str) -> None: ...
    def changed(self) -> None: ...
    def act_note(self) -> None: ...


class IncidentActions:
    """What people do about incidents."""

    came_from: tuple[Page, Where] | None = None
    """The runbook that led here, and how the screens were narrowed before; None once somebody went on elsewhere."""

    def act_alerts(self: Console) -> None:
        self.go("alerts")

    @property
    def utc(self: Console) -> bool:
        """Whether times are typed and shown in UTC."""
        return self.look.utc

    def operate(self: Console, act: Act, *, said: str) -> None:
        """Send an act to the hub. What is over can't be changed: in the past only notes are kept."""
        stand = self.standpoint
        if stand.kind is not None and act.act != "note":
            now = "a replay" if stand.kind == "replay" else f"the past; {self.key_of('live')} is live again"
            self.say(f"this is {now}: nothing was sent")
            return
        at = NAN if stand.kind is None else stand.here
        self.say(stand.feed.operate(replace(act, at=at)) or said)

    def note(self: Console) -> None:
        """Ask for a note on this moment."""
        self.act_note()

    def runbook(self: Console, name: str, family: str = "") -> Runbook:
        """The runbook of that name, or one that says that there is none, with the steps of the family's."""
        return self.shelf.find(name, family)

    def enter(self: Console, door: RunbookLink, where: Where) -> None:
        """Go where a step leads, with its filter, dimension or panel, for the incident's segment."""
        place = cast("Place | None", PANELS.get(door.panel))
        if place is None:
            self.say(f"there is no panel {door.panel!r}: known are {', '.join(PANELS)}")
            return
        page, before = self._stack.page, self.outlook.where
        self.outlook.where = () if door.everybody else where
        _set(self._screens[place], door)
        self.go(place)
        if page is not self._stack.bottom and page.name == "alert":
            self.came_from = page, before
            self.say(f"{self.key_of('back')} is back at the runbook")

    def returned(self: Console) -> bool:
        """Back to the runbook that led here, as it was left; False where none did."""
        screen = self._stack.bottom
        if self.came_from is None or self._stack.top is not screen or screen.engaged:
            return False
        page, self.outlook.where = self.came_from
        self.go("alerts")
        self.lay(page)
        return True

    def narrow_to(self: Console, where: Where) -> None:
        """Show every screen for this segment only."""
        self.outlook.where = where
        self.changed()


def _set(page: Page, door: RunbookLink) -> None:
    """The page shows what the door leads to."""
    if isinstance(page, CallsPage):
        page.look_for(door.filter)
    elif isinstance(page, SegmentsPage) and door.by:
        page.show(door.by)
    elif isinstance(page, PanelPage):
        name = PANEL_OF.get(door.panel, door.panel)
        page.focus = name if name in page.panels else page.focus
