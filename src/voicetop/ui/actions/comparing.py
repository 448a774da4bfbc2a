"""The console's actions on two moments: mark one, compare it with another, compare before and after a deploy."""

from __future__ import annotations

from typing import Protocol

from voicetop.engine.snapshot import Snapshot
from voicetop.ui.scope import Scope
from voicetop.ui.screens.compare import ComparePage, MarkedTime, markers_until
from voicetop.ui.screens.page import Host, Page
from voicetop.ui.style.display_options import DisplayOptions
from voicetop.ui.time.viewed_time import ViewedTime


class Console(Host, Protocol):
    """What comparing needs of the app that it is mixed into."""

    look: DisplayOptions
    outlook: Scope
    mark: MarkedTime | None
    told: str

    @property
    def page(self) -> Page: ...
    @property
    def standpoint(self) -> ViewedTime: ...
    def key_of(self, action_id: str) -> str: ...


class CompareActions:
    """The moment A that was marked, and where it leads. A mark outlives whatever is looked at later."""

    mark: MarkedTime | None = None

    def act_mark(self: Console) -> None:
        """Keep the moment on the screen as A."""
        if self.standpoint.picture is None:
            self.say("there is no picture yet that could be marked")
            return
        self.outlook.marking = True
        self.changed()

    def take_mark(self: Console, snap: Snapshot) -> None:
        """A picture that was asked for with its moment came; on the way to another moment it isn't that one's yet."""
        if snap.moment is None or not self.outlook.marking or self.standpoint.seeking:
            return
        self.outlook.marking = False
        self.mark = MarkedTime(snap.moment, snap.deployment)
        page = self.page
        if isinstance(page, ComparePage) and page.mark is not None:
            page.mark = self.mark
        key = self.key_of("compare")
        self.told = f"A is {self.look.clock(snap.at)}: go to another moment, {key} compares it with A"

    def act_compare(self: Console) -> None:
        """A against the moment on the screen."""
        if self.mark is None:
            keys = f"{self.key_of('mark')} marks this moment as A, {self.key_of('before_after')} compares"
            self.say(f"nothing to compare with yet: {keys} before and after the last deploy")
            return
        _open(self, ComparePage(self, mark=self.mark))

    def act_before_after(self: Console) -> None:
        """Before and after the last marker before the moment on the screen."""
        self.before_after()

    def before_after(self: Console) -> None:
        """The same, asked for by a page."""
        snap = self.standpoint.picture
        markers = markers_until(snap) if snap is not None else ()
        if not markers:
            self.say(
                f"no deploy or other marker before this moment: {self.key_of('mark')} marks one of your own"
            )
            return
        _open(self, ComparePage(self, marker=markers[-1]))


def _open(console: Console, page: ComparePage) -> None:
    if isinstance(console.page, ComparePage):
        console.close()
    console.lay(page)
