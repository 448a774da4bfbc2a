"""The console's actions on its outlook: window, narrowing, blame, freeze. Mixed into the app."""

from __future__ import annotations

from typing import Protocol

from voicetop.engine.snapshot import Snapshot, View, Where
from voicetop.ui.actions import Place
from voicetop.ui.feed import FeedHandle
from voicetop.ui.look import Look
from voicetop.ui.outlook import Outlook
from voicetop.ui.screens.page import Page
from voicetop.ui.screens.segments import SegmentsPage
from voicetop.ui.stack import Stack


class Console(Protocol):
    """What steering needs of the app that it is mixed into."""

    outlook: Outlook
    look: Look
    asked: View | None
    _stack: Stack
    _screens: dict[Place, Page]

    @property
    def feed(self) -> FeedHandle: ...
    def go(self, place: Place) -> None: ...
    def say(self, text: str) -> None: ...
    def changed(self) -> None: ...
    def _answered(self, snap: Snapshot) -> None: ...


class Steering:
    """Where the person stands, moved by keys."""

    outlook: Outlook

    @property
    def where(self) -> Where:
        """What every screen is narrowed to."""
        return self.outlook.where

    @property
    def frozen(self) -> bool:
        """Whether the picture is held."""
        return self.outlook.held is not None

    def narrow(self: Console, name: str, value: str) -> None:
        """Show every screen for one value only."""
        self.outlook.narrow(name, value)
        self.changed()

    def act_segments(self: Console) -> None:
        page, held = self._screens["segments"], self.outlook.held
        if isinstance(page, SegmentsPage) and held is not None and held.segments is not None:
            page.dimension = held.segments.dimension
        self.go("segments")

    def act_trends(self: Console) -> None:
        self.go("trends")

    def act_window(self: Console) -> None:
        """The next window."""
        if not _told(self):
            self.outlook.next_window()
            self.changed()

    def act_widen(self: Console) -> None:
        """Take the last narrowing back."""
        if not _told(self):
            _then(self, self.outlook.widen())

    def act_blame(self: Console) -> None:
        """Narrow to what the verdict blames."""
        if not _told(self):
            _then(self, self.outlook.blame(self.feed.latest))

    def act_freeze(self: Console) -> None:
        """Hold the picture, or let it go on."""
        snap = self.feed.latest
        if self.outlook.held is not None:
            thaw(self)
        elif snap is None:
            self.say("there is no picture yet that could be frozen")
        else:
            freeze(self, snap)

    def act_live(self: Console) -> None:
        """Show what is now."""
        if self.outlook.held is None:
            self.say("this is live; space freezes the picture")
        else:
            thaw(self)


def freeze(console: Console, snap: Snapshot) -> None:
    """Hold this picture, and soon a fuller one of the same moment, so that the other screens have theirs."""
    console.outlook.freeze(snap)
    console.asked = None
    whole = console.outlook.whole(console._stack.page.view(console.outlook.base()), snap)
    console.feed.ask(whole, lambda made: _keep(console, made))
    console.changed()


def thaw(console: Console) -> None:
    """Show live pictures again."""
    console.outlook.thaw()
    console.asked = None
    console.changed()


def _keep(console: Console, snap: Snapshot) -> None:
    """Called on the feed's thread with the fuller picture of the frozen moment."""
    console.outlook.keep_whole(snap)
    console._answered(snap)


def _told(console: Console) -> bool:
    """Whether the picture is frozen, and so can't be made for anything else."""
    if console.outlook.held is None:
        return False
    console.say("the picture is frozen: space or L is live again, then this works")
    return True


def _then(console: Console, said: str) -> None:
    if said:
        console.say(said)
    else:
        console.changed()
