"""The stack of pages: a screen, optionally a call or incident over it, optionally a box on top."""

from __future__ import annotations

from voicetop.engine.snapshot import Snapshot
from voicetop.ui.screens.boxes import Box
from voicetop.ui.screens.page import Page


class Stack:
    """Pages, the top one last, with at most one box. The feed provides the view of the top page below the box."""

    def __init__(self, bottom: Page) -> None:
        self._pages = [bottom]
        self._seen: Snapshot | None = None

    @property
    def bottom(self) -> Page:
        """The screen at the bottom."""
        return self._pages[0]

    @property
    def top(self) -> Page:
        """The page or box that gets the keys."""
        return self._pages[-1]

    @property
    def page(self) -> Page:
        """The top page that isn't a box."""
        return [page for page in self._pages if not isinstance(page, Box)][-1]

    def go(self, bottom: Page) -> None:
        """Show a screen with nothing over it."""
        self._pages = [bottom]
        self._seen = None

    def push(self, page: Page) -> None:
        """Open a page or a box on top; a box replaces an open one."""
        if isinstance(page, Box):
            page.under = self.page
        self._pages = [*(below for below in self._pages if not isinstance(below, Box)), page]
        if self._seen is not None:
            page.see(self._seen)

    def close(self) -> None:
        """Close the top page; the screen itself stays."""
        self._pages = self._pages[:-1] or self._pages

    def see(self, snap: Snapshot) -> bool:
        """Pass a snapshot to all pages; False if they already have it."""
        if snap is self._seen:
            return False
        self._seen = snap
        for page in self._pages:
            page.see(snap)
        return True
