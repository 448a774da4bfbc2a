"""The controls of a playback: what the screen wants of it, and where it stands.

The screen's thread sets them and returns at once; the playback's thread takes them and says where it has come to. A
call takes effect as a whole, under one lock.
"""

from __future__ import annotations

import math
import threading
from typing import NamedTuple

from msgspec import structs

from voicetop.engine.snapshot import NAN, View
from voicetop.formatting.numbers import known
from voicetop.picture_loop import Answer, PictureLoop
from voicetop.replay.options import PlaybackPosition, PlaybackStart
from voicetop.replay.pacing import speed_within


class Wish(NamedTuple):
    """What is wanted now: a moment to go to (None: no other), and whether time is to go on, and how fast.

    `resumed` says that play was pressed since the last wish was taken.
    """

    target: float | None
    playing: bool
    speed: float
    resumed: bool


class Controls:
    """`position` is where the playback stands; `done` says that it stopped by itself, `closing` that it is to end."""

    def __init__(self, start: PlaybackStart) -> None:
        self.pictures = PictureLoop()
        self.closing = False
        self.done = False
        self.position = PlaybackPosition(
            playing=start.playing,
            speed=speed_within(start.speed),
            loop=start.loop,
            seeking=start.at if math.isfinite(start.at) else NAN,
        )
        self._changed = threading.Condition()
        self._target: float | None = start.at if known(start.at) else -math.inf
        self._resumed = False

    # -- the screen's thread ---------------------------------------------------------------------------------------

    def ask(self, view: View, call: Answer | None) -> None:
        """Make snapshots for `view` from now on."""
        self.pictures.ask(view, call)
        with self._changed:
            self._changed.notify()

    def seek(self, at: float, shown: float) -> None:
        """Go to stamp time `at`; `shown` is that moment cut to what there is."""
        with self._changed:
            self.done = False
            self._aim(at, shown)
            self._changed.notify()

    def play(self) -> None:
        """Let time go on."""
        with self._changed:
            self.done, self._resumed = False, True
            self._place(playing=True, why="")
            self._changed.notify()

    def pause(self) -> None:
        """Stand still."""
        with self._changed:
            self._place(playing=False, reached=NAN, why="")
            self._changed.notify()

    def set_speed(self, speed: float) -> None:
        """Go on at `speed` times real time."""
        with self._changed:
            self._place(speed=speed_within(speed), reached=NAN)
            self._changed.notify()

    def set_loop(self, loop: bool) -> None:
        """Begin again at the end."""
        with self._changed:
            self._place(loop=loop)

    def close(self) -> None:
        """End it."""
        with self._changed:
            self.closing = True
            self._changed.notify()

    # -- the playback's thread ---------------------------------------------------------------------------------------

    @property
    def superseded(self) -> bool:
        """Whether something else is wanted than what is being done."""
        return self.closing or self._target is not None

    def take(self) -> Wish:
        """What is wanted now; each target is given out once."""
        with self._changed:
            wish = Wish(self._target, self.position.playing, self.position.speed, self._resumed)
            self._target, self._resumed = None, False
            return wish

    def wait(self, seconds: float | None) -> None:
        """Until somebody wants something, or so long; None: while it stands still."""
        with self._changed:
            wanted = self.superseded or self.pictures.requested
            if not wanted and (seconds is not None or not self.position.playing):
                self._changed.wait(seconds)

    def pass_by(self, at: float, reached: float) -> None:
        """Time has gone on to `at`, at `reached` times real time."""
        with self._changed:
            if self._target is None:
                self._place(at=at, reached=reached if self.position.playing else NAN)

    def arrive(self, at: float, why: str) -> None:
        """A seek has led to `at`; `why` says what can't be read there, and then it stands still."""
        with self._changed:
            if self._target is None:
                self._place(at=at, seeking=NAN, why=why)
            if why:
                self._place(playing=False)

    def begin_again(self, first_at: float) -> None:
        """Go to the beginning, unless somebody wants to go elsewhere."""
        with self._changed:
            if self._target is None:
                self._aim(-math.inf, first_at)

    def stop(self, at: float, why: str) -> None:
        """It stops by itself, and `why`."""
        with self._changed:
            if self._target is None and self.position.playing:
                self._place(at=at, playing=False, reached=NAN, why=why)
                self.done = True

    def _aim(self, at: float, shown: float) -> None:
        self._target = at
        self._place(seeking=shown, why="", reached=NAN)

    def _place(self, **changes: object) -> None:
        self.position = structs.replace(self.position, **changes)
