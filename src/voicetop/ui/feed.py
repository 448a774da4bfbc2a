"""The console's interface to a feed: the latest snapshot, the state of the connection, and requests.

The session runs on its own thread; the console only reads frozen Snapshots.
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
    """One feed. All methods return at once and may be called from the screen's thread."""

    @property
    def latest(self) -> Snapshot | None:
        """The newest snapshot, for the view that was requested last; None before the first."""

    @property
    def link(self) -> LinkState:
        """State of the connection."""

    @property
    def error(self) -> str:
        """Why the feed failed, in one line; empty if it didn't."""

    @property
    def notes(self) -> list[str]:
        """Messages for the user that don't end the feed, such as a recording that stopped."""

    def ask(self, view: View, call: Callable[[Snapshot], None] | None = None) -> None:
        """Make snapshots for `view` from now on; `call` gets the first of them, on the feed's thread."""

    @property
    def past(self) -> Past | None:
        """The navigable past: a replay itself, or a live feed's history; None without one."""

    def operate(self, act: Act) -> str:
        """Send or store a user's action (`operator` in the protocol).

        Returns "" once it is on its way, else a one-line reason.
        """


class RunningFeed(FeedHandle, Protocol):
    """A feed that its owner starts and closes."""

    @property
    def ended(self) -> bool:
        """Whether the feed is over."""

    def start(self) -> None:
        """Start; later calls do nothing."""

    def wait_for_answer(self, seconds: float) -> bool:
        """Wait until the other end has answered; False if it refused or failed."""

    def close(self, timeout: float = 5.0) -> None:
        """Stop, and flush the recording."""


class Past(FeedHandle, Protocol):
    """A feed with time navigation: a recording, or a live feed's history. All methods return at once.

    `latest` and `ask` give snapshots at `position`; `link` is "live" as long as there is something to show. A replay is
    its own past: `handle.past is handle`.
    """

    @property
    def position(self) -> PlaybackPosition:
        """The playback position."""

    @property
    def timeline(self) -> Timeline:
        """What happened when; grows while a recording is scanned or a live feed runs."""

    def play(self) -> None:
        """Play at the current speed; at the end of a recording, from its start."""

    def pause(self) -> None:
        """Pause."""

    def set_speed(self, speed: float) -> None:
        """Play at `speed` times real time, 0.25 to 1000, or inf."""

    def set_loop(self, loop: bool) -> None:
        """Start again at the end, or stop there."""

    def seek(self, at: float) -> None:
        """Go to stamp time `at` (inf: the end), clamped to the past; a new seek replaces one in progress.

        `position.seeking` is set when this returns, until `latest` shows that time. Playing or pausing continues there.
        """
