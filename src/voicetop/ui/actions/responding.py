"""Incident response: sends operator actions, and follows a runbook's links to screens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from msgspec.structs import replace

from voicetop.alerts.runbooks import PANELS, Runbook, RunbookLibrary, RunbookLink
from voicetop.engine.snapshot import NAN, Where
from voicetop.sources import Act
from voicetop.ui.actions.registry import Handlers, Place
from voicetop.ui.feeds import Feeds
from voicetop.ui.screens.calls import CallsPage
from voicetop.ui.screens.chart_page import PanelPage
from voicetop.ui.screens.page import Host, Page
from voicetop.ui.screens.segments import SegmentsPage
from voicetop.ui.stack import Stack

PANEL_OF = {"markers": "latency", "escalation": "escalation"}
"""Panel names of the screens, where runbooks use another name."""


class IncidentActions:
    """Operator actions on incidents, and navigation from a runbook to a screen and back."""

    def __init__(
        self,
        host: Host,
        feeds: Feeds,
        stack: Stack,
        screens: Mapping[Place, Page],
        runbooks: RunbookLibrary,
    ) -> None:
        self.came_from: tuple[Page, Where] | None = None
        """The incident page that led here and the segment before that; None after other navigation."""
        self._host = host
        self._feeds = feeds
        self._stack = stack
        self._screens = screens
        self._runbooks = runbooks

    def handlers(self) -> Handlers:
        """On a screen opened from a runbook, Esc returns to the runbook."""
        screen = self._stack.bottom
        if self.came_from is None or self._stack.top is not screen or screen.engaged:
            return {}
        return {"back": self._return}

    def operate(self, act: Act, *, message: str) -> None:
        """Send an action and show `message`, or why it can't be sent. Only notes can be added in the past."""
        viewed = self._feeds.viewed
        if viewed.kind is not None and act.act != "note":
            live = self._host.key_of("live")
            now = "a replay" if viewed.kind == "replay" else f"the past; {live} returns to live"
            self._host.say(f"this is {now}: nothing was sent")
            return
        at = NAN if viewed.kind is None else viewed.here
        self._host.say(viewed.feed.operate(replace(act, at=at)) or message)

    def runbook(self, name: str, family: str = "") -> Runbook:
        """The runbook of that name; if missing, a placeholder with the items of the family's runbook."""
        return self._runbooks.find(name, family)

    def enter(self, link: RunbookLink, where: Where) -> None:
        """Open a runbook item's screen, with its filter, dimension or panel, for the segment `where`."""
        place = cast("Place | None", PANELS.get(link.panel))
        if place is None:
            self._host.say(f"unknown panel {link.panel!r}; valid panels: {', '.join(PANELS)}")
            return
        page, scope = self._stack.page, self._host.scope
        before = scope.where
        scope.where = () if link.everybody else where
        _prepare(self._screens[place], link)
        self._host.go(place)
        if page is not self._stack.bottom and page.name == "alert":
            self.came_from = page, before
            self._host.say(f"{self._host.key_of('back')} returns to the runbook")

    def _return(self) -> None:
        """Return to the runbook that led here."""
        if self.came_from is not None:
            page, self._host.scope.where = self.came_from
            self._host.go("alerts")
            self._host.push(page)


def _prepare(page: Page, link: RunbookLink) -> None:
    """Apply the link's filter, dimension or panel to the page."""
    if isinstance(page, CallsPage):
        page.set_filter(link.filter)
    elif isinstance(page, SegmentsPage) and link.by:
        page.show(link.by)
    elif isinstance(page, PanelPage):
        name = PANEL_OF.get(link.panel, link.panel)
        page.focus = name if name in page.panels else page.focus
