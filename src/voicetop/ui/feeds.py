"""The feeds of one console: one is on the screen, the others' verdicts stay in sight in a line of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from voicetop.engine.snapshot import View
from voicetop.ui.feed import FeedHandle
from voicetop.wire.text import safe_label

OUT_OF_SIGHT = View(limit=0)
"""What is asked of a feed that isn't on the screen: its verdict, and no rows."""


class NamedFeed(NamedTuple):
    """A feed as a person calls it."""

    name: str
    handle: FeedHandle


class Feeds:
    """All feeds in the order in which they were typed; `current` is on the screen."""

    def __init__(self, feeds: Sequence[NamedFeed]) -> None:
        self.all = [NamedFeed(safe_label(name) or "feed", handle) for name, handle in feeds]
        self.index = 0
        for _, handle in self.all[1:]:
            handle.ask(OUT_OF_SIGHT)

    @property
    def several(self) -> bool:
        return len(self.all) > 1

    @property
    def current(self) -> NamedFeed:
        return self.all[self.index]

    def turn(self) -> NamedFeed:
        """Bring the next one on the screen."""
        self.current.handle.ask(OUT_OF_SIGHT)
        self.index = (self.index + 1) % len(self.all)
        return self.current
