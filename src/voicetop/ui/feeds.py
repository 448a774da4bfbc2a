"""The feeds of one console: one is on the screen, the others' verdicts stay in sight in a line of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from voicetop.ui.feed import FeedHandle
from voicetop.ui.time.viewed_time import ViewedTime
from voicetop.wire.text import safe_label


class NamedFeed(NamedTuple):
    """A feed as a person calls it."""

    name: str
    handle: FeedHandle


class Feeds:
    """All feeds in the order in which they were typed; `current` is on the screen. Each has a past of its own."""

    def __init__(self, feeds: Sequence[NamedFeed]) -> None:
        self.all = [NamedFeed(safe_label(name) or "feed", handle) for name, handle in feeds]
        self.index = 0
        self._noted = 0
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
        """Where in time the current one is looked at."""
        return self._viewed[self.index]

    def new_notes(self) -> list[str]:
        """What the current feed has to say besides its figures, each line once."""
        notes = self.current.handle.notes
        new, self._noted = notes[self._noted :], len(notes)
        return new

    def turn(self) -> NamedFeed:
        """Bring the next one on the screen."""
        self.viewed.hide()
        self.index = (self.index + 1) % len(self.all)
        self._noted = 0
        return self.current
