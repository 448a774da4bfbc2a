"""The controls of a playback: the screen's requests and the playback position.

The screen's thread sets them and returns at once; the playback thread takes requests and reports the position. Each
call is atomic, under one lock.
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
from voicetop.replay.pacing import clamp_speed


class Request(NamedTuple):
    """What the screen wants: a seek target (None: no seek), whether to play, and how fast.

    `resumed` means that play was pressed since the last request was taken.
    """

    target: float | None
    playing: bool
    speed: float
    resumed: bool


class Controls:
    """`position` is where playback is; `ended` means that it stopped by itself, `closing` that the thread must end."""

    def __init__(self, start: PlaybackStart) -> None:
        self.pictures = PictureLoop()
        self.closing = False
        self.ended = False
        self.position = PlaybackPosition(
            playing=start.playing,
            speed=clamp_speed(start.speed),
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
        """Seek to stamp time `at`; `shown` is that clamped to the recording."""
        with self._changed:
            self.ended = False
            self._set_target(at, shown)
            self._changed.notify()

    def play(self) -> None:
        """Play."""
        with self._changed:
            self.ended, self._resumed = False, True
            self._update(playing=True, why="")
            self._changed.notify()

    def pause(self) -> None:
        """Pause."""
        with self._changed:
            self._update(playing=False, actual_speed=NAN, why="")
            self._changed.notify()

    def set_speed(self, speed: float) -> None:
        """Play at `speed` times real time."""
        with self._changed:
            self._update(speed=clamp_speed(speed), actual_speed=NAN)
            self._changed.notify()

    def set_loop(self, loop: bool) -> None:
        """Whether to restart at the end."""
        with self._changed:
            self._update(loop=loop)

    def close(self) -> None:
        """Tell the playback thread to end."""
        with self._changed:
            self.closing = True
            self._changed.notify()

    # -- the playback's thread ---------------------------------------------------------------------------------------

    @property
    def superseded(self) -> bool:
        """Whether a new request replaces what is being done."""
        return self.closing or self._target is not None

    def take(self) -> Request:
        """The current request; each target is returned only once."""
        with self._changed:
            request = Request(self._target, self.position.playing, self.position.speed, self._resumed)
            self._target, self._resumed = None, False
            return request

    def wait(self, seconds: float | None) -> None:
        """Wait for a request, or so long; None: for as long as it is paused."""
        with self._changed:
            wanted = self.superseded or self.pictures.requested
            if not wanted and (seconds is not None or not self.position.playing):
                self._changed.wait(seconds)

    def advance(self, at: float, actual_speed: float) -> None:
        """Playback has advanced to `at`, at `actual_speed` times real time."""
        with self._changed:
            if self._target is None:
                self._update(at=at, actual_speed=actual_speed if self.position.playing else NAN)

    def arrived(self, at: float, why: str) -> None:
        """A seek has arrived at `at`; with `why`, what can't be read there, it also pauses."""
        with self._changed:
            if self._target is None:
                self._update(at=at, seeking=NAN, why=why)
            if why:
                self._update(playing=False)

    def restart(self, first_at: float) -> None:
        """Go to the beginning, unless another seek is requested."""
        with self._changed:
            if self._target is None:
                self._set_target(-math.inf, first_at)

    def stop(self, at: float, why: str) -> None:
        """Playback stops by itself, for the reason `why`."""
        with self._changed:
            if self._target is None and self.position.playing:
                self._update(at=at, playing=False, actual_speed=NAN, why=why)
                self.ended = True

    def _set_target(self, at: float, shown: float) -> None:
        self._target = at
        self._update(seeking=shown, why="", actual_speed=NAN)

    def _update(self, **changes: object) -> None:
        self.position = structs.replace(self.position, **changes)
