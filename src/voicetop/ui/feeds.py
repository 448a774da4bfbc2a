"""The feeds of one console: one is on the screen, and a line shows the verdicts of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from voicetop.ui.feed import FeedHandle
from voicetop.ui.time.viewed_time import ViewedTime
from voicetop.wire.text import safe_label


class NamedFeed(NamedTuple):
    """A feed and the name the user gave it."""

    name: str
    handle: FeedHandle


class Feeds:
    """All feeds in command-line order; `current` is on the screen. Each has its own viewed time."""

    def __init__(self, feeds: Sequence[NamedFeed]) -> None:
        self.all = [NamedFeed(safe_label(name) or "feed", handle) for name, handle in feeds]
        self.index = 0
        self._notes_shown = 0
        self._viewed = [ViewedTime(handle) for _, handle in self.all]
        for viewed in self._viewed[1:]:
            viewed.hide()

    @property
    def several(self) -> bool:
        return len(self.all) > 1

    @property
    def current(self) -> NamedFeed:
        return self.all[self.index]

    @property
    def viewed(self) -> ViewedTime:
        """The viewed time of the current feed."""
        return self._viewed[self.index]

    def new_notes(self) -> list[str]:
        """New messages of the current feed, each returned once."""
        notes = self.current.handle.notes
        new, self._notes_shown = notes[self._notes_shown :], len(notes)
        return new

    def next_feed(self) -> NamedFeed:
        """Switch to the next feed."""
        self.viewed.hide()
        self.index = (self.index + 1) % len(self.all)
        self._notes_shown = 0
        return self.current
