"""Actions on what all screens show: the time window and the segment."""

from __future__ import annotations

from voicetop.ui.actions.registry import Handlers
from voicetop.ui.feeds import Feeds
from voicetop.ui.screens.page import Host


class ScopeActions:
    """Window, widening, and narrowing to what the verdict blames; pages narrow to their own rows."""

    def __init__(self, host: Host, feeds: Feeds) -> None:
        self._host = host
        self._feeds = feeds

    def handlers(self) -> Handlers:
        return {"window": self._next_window, "widen": self._widen, "blame": self._blame}

    def _next_window(self) -> None:
        self._host.scope.next_window()
        self._host.changed()

    def _widen(self) -> None:
        """Undo the last narrowing."""
        self._show(self._host.scope.widen())

    def _blame(self) -> None:
        """Narrow to what the verdict on the screen blames."""
        self._show(self._host.scope.blame(self._feeds.viewed.picture))

    def _show(self, why_not: str) -> None:
        if why_not:
            self._host.say(why_not)
        else:
            self._host.changed()
