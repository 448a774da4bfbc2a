"""What the console needs from whoever runs the feed: the latest picture, how the link is, and a way to ask.

The session runs on a thread of its own; the console only ever looks at finished, frozen Snapshots.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from voicetop.engine.snapshot import Snapshot, View
from voicetop.engine.snapshot.timeline import Timeline
from voicetop.replay.options import PlaybackPosition
from voicetop.sources import Act, LinkState

__all__ = ["FeedHandle", "Past", "PlaybackPosition", "RunningFeed"]


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

    @property
    def past(self) -> Past | None:
        """What came before, to be walked through: a replay's own, a live feed's spool; None where nothing is kept."""

    def operate(self, act: Act) -> str:
        """Send or keep what a person did (`operator` in the protocol).

        Empty where it is on its way; else why it can't be, in a line.
        """


class RunningFeed(FeedHandle, Protocol):
    """A feed as whoever opens the screen holds it: it begins, and is ended."""

    @property
    def ended(self) -> bool:
        """Whether nothing more comes by itself."""

    def start(self) -> None:
        """Begin, once."""

    def wait_for_answer(self, seconds: float) -> bool:
        """Wait until the other end has said something; False where nothing will ever come."""

    def close(self, timeout: float = 5.0) -> None:
        """End it, and flush what is recorded."""


class Past(FeedHandle, Protocol):
    """A feed that can be walked through: a recording, or what a live feed keeps. All of it returns at once.

    `latest` and `ask` give pictures of the moment at `position`; `link` is "live" as long as there is something to
    show. A replay is its own past: the console knows it by `handle.past is handle`.
    """

    @property
    def position(self) -> PlaybackPosition:
        """Where it stands."""

    @property
    def timeline(self) -> Timeline:
        """What happened when; grows while a recording is gone through, or while a live feed goes on."""

    def play(self) -> None:
        """Let time go on at the speed that was set; at the end of a recording begin again."""

    def pause(self) -> None:
        """Stand still."""

    def set_speed(self, speed: float) -> None:
        """Go on at `speed` times real time, 0.25 to 1000, or inf."""

    def set_loop(self, loop: bool) -> None:
        """Begin again at the end."""

    def seek(self, at: float) -> None:
        """Go to stamp time `at` (inf: the end), cut to what there is; a later seek replaces one that is under way.

        When this returns, `position.seeking` says so already, and it does until `latest` is a picture of that moment.
        Playing goes on there, standing still too.
        """
