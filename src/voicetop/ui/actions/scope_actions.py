"""The console's actions on its outlook: window, narrowing, blame. Mixed into the app."""

from __future__ import annotations

from typing import Protocol

from voicetop.engine.snapshot import Where
from voicetop.ui.actions.registry import Place
from voicetop.ui.scope import Scope
from voicetop.ui.time.viewed_time import ViewedTime


class Console(Protocol):
    """What steering needs of the app that it is mixed into."""

    outlook: Scope

    @property
    def standpoint(self) -> ViewedTime: ...
    def go(self, place: Place) -> None: ...
    def say(self, text: str) -> None: ...
    def changed(self) -> None: ...
    def turn_window(self) -> None: ...


class ScopeActions:
    """Where the person stands, moved by keys."""

    outlook: Scope

    @property
    def where(self) -> Where:
        """What every screen is narrowed to."""
        return self.outlook.where

    def narrow(self: Console, name: str, value: str) -> None:
        """Show every screen for one value only."""
        self.outlook.narrow(name, value)
        self.changed()

    def act_segments(self: Console) -> None:
        self.go("segments")

    def act_trends(self: Console) -> None:
        self.go("trends")

    def act_window(self: Console) -> None:
        """The next window."""
        self.turn_window()

    def turn_window(self: Console) -> None:
        """The same, asked for by a page."""
        self.outlook.next_window()
        self.changed()

    def act_widen(self: Console) -> None:
        """Take the last narrowing back."""
        _then(self, self.outlook.widen())

    def act_blame(self: Console) -> None:
        """Narrow to what the verdict on the screen blames."""
        _then(self, self.outlook.blame(self.standpoint.picture))


def _then(console: Console, said: str) -> None:
    if said:
        console.say(said)
    else:
        console.changed()
