"""What lies on what: a screen, perhaps one call over it, perhaps a box over both."""

from __future__ import annotations

from voicetop.engine.snapshot import Snapshot
from voicetop.ui.screens.boxes import Box
from voicetop.ui.screens.page import Page


class Stack:
    """Pages, the uppermost last. Boxes lie over pages, one at a time; the feed is asked for the uppermost page."""

    def __init__(self, bottom: Page) -> None:
        self._pages = [bottom]
        self._seen: Snapshot | None = None

    @property
    def bottom(self) -> Page:
        """The screen."""
        return self._pages[0]

    @property
    def top(self) -> Page:
        """What takes the keys."""
        return self._pages[-1]

    @property
    def page(self) -> Page:
        """The uppermost page that isn't a box: what the feed is asked for."""
        return [page for page in self._pages if not isinstance(page, Box)][-1]

    def go(self, bottom: Page) -> None:
        """A screen with nothing over it; it sees the next picture, whichever that is."""
        self._pages = [bottom]
        self._seen = None

    def lay(self, page: Page) -> None:
        """Lay a page or a box over what is there; a box takes the place of another."""
        if isinstance(page, Box):
            page.under = self.page
        self._pages = [*(kept for kept in self._pages if not isinstance(kept, Box)), page]
        if self._seen is not None:
            page.see(self._seen)

    def close(self) -> None:
        """Take the uppermost away; the screen itself stays."""
        self._pages = self._pages[:-1] or self._pages

    def see(self, snap: Snapshot) -> bool:
        """Show a picture to all of them; False where they have seen it already."""
        if snap is self._seen:
            return False
        self._seen = snap
        for page in self._pages:
            page.see(snap)
        return True
