"""Compare two times: mark one, compare it with another, or compare before and after a deploy."""

from __future__ import annotations

from voicetop.engine.snapshot import Snapshot
from voicetop.ui.actions.registry import Handlers
from voicetop.ui.feeds import Feeds
from voicetop.ui.screens.compare import ComparePage, MarkedTime, markers_until
from voicetop.ui.screens.page import Host
from voicetop.ui.stack import Stack


class CompareActions:
    """The marked time A, and the comparisons with it. A mark stays when other times or feeds are viewed."""

    def __init__(self, host: Host, feeds: Feeds, stack: Stack) -> None:
        self.mark: MarkedTime | None = None
        self._host = host
        self._feeds = feeds
        self._stack = stack

    def handlers(self) -> Handlers:
        return {
            "mark": self._mark,
            "compare": self._compare,
            "before_after": self._compare_around_marker,
        }

    def _mark(self) -> None:
        """Mark the time on the screen as A."""
        if self._feeds.viewed.picture is None:
            self._host.say("nothing to mark yet")
            return
        self._host.scope.marking = True
        self._host.changed()

    def record_mark(self, snap: Snapshot) -> str:
        """Store the requested mark from a new snapshot and return a message; "" if no mark was requested.

        During a seek it waits: the snapshot still shows the previous time.
        """
        scope = self._host.scope
        if snap.moment is None or not scope.marking or self._feeds.viewed.seeking:
            return ""
        scope.marking = False
        self.mark = MarkedTime(snap.moment, snap.deployment)
        page = self._stack.top
        if isinstance(page, ComparePage) and page.mark is not None:
            page.mark = self.mark
        key = self._host.key_of("compare")
        return f"A is {self._host.options.clock(snap.at)}: go to another moment, {key} compares it with A"

    def _compare(self) -> None:
        """Compare A with the time on the screen."""
        if self.mark is None:
            mark, around = self._host.key_of("mark"), self._host.key_of("before_after")
            keys = f"{mark} marks this moment as A, {around} compares"
            self._host.say(f"nothing to compare with yet: {keys} before and after the last deploy")
            return
        self._open(ComparePage(self._host, mark=self.mark))

    def _compare_around_marker(self) -> None:
        """Compare before and after the last marker before the time on the screen."""
        snap = self._feeds.viewed.picture
        markers = markers_until(snap) if snap is not None else ()
        if markers:
            self._open(ComparePage(self._host, marker=markers[-1]))
            return
        key = self._host.key_of("mark")
        self._host.say(f"no deploy or other marker before this moment: {key} marks one of your own")

    def _open(self, page: ComparePage) -> None:
        if isinstance(self._stack.top, ComparePage):
            self._host.close()
        self._host.push(page)
