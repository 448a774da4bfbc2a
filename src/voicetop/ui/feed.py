"""What the console needs from whoever runs the feed: the latest picture, how the link is, and a way to ask.

The session runs on a thread of its own; the console only ever looks at finished, frozen Snapshots.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from voicetop.engine.snapshot import Snapshot, View
from voicetop.sources import LinkState


class FeedHandle(Protocol):
    """One feed, seen from the screen. Everything here returns at once and may be called from the screen's thread."""

    @property
    def latest(self) -> Snapshot | None:
        """The newest picture, made for the view that was asked for last; None before the first."""

    @property
    def link(self) -> LinkState:
        """How the connection is doing."""

    @property
    def error(self) -> str:
        """Why the feed's thread ended, or empty: one line for a person."""

    @property
    def notes(self) -> list[str]:
        """What a person should know though the feed goes on, a line each: a recording that stopped, a torn replay."""

    def ask(self, view: View, call: Callable[[Snapshot], None] | None = None) -> None:
        """From now on make pictures for `view`. `call` gets the first of them, from the feed's own thread."""
