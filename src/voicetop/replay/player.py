"""A recording that plays by itself on a thread of its own, and goes where it is told: what a screen holds of a replay.

The screen's thread only leaves wishes and looks at finished pictures. A seek looks at the wishes before each frame
that it folds: a later one replaces it, and who asks for a picture meanwhile gets one of where it stood before.
"""

from __future__ import annotations

from msgspec.structs import replace

from voicetop.engine.snapshot import NAN, Snapshot, View
from voicetop.engine.snapshot.timeline import Timeline
from voicetop.replay.options import PlaybackPosition
from voicetop.replay.pacing import Pacing, speed_within
from voicetop.replay.playback_thread import Answer, PlaybackThread
from voicetop.sources import Act, LinkState


class Player(PlaybackThread):
    """A `ui.feed.Past`. `open_reel` is called on its own thread, with what makes its sessions.

    `trouble` says what is wrong with what it plays from. `start` begins, `close` ends it. `ended` says that it stopped
    by itself: at the end, or at `until`.
    """

    def start(self) -> None:
        """Begin, once."""
        with self._wish:
            if not self._thread.ident and not self._closing:
                self._thread.start()

    def wait_for_answer(self, seconds: float) -> bool:
        """Wait until the recording is open; False where it can't be."""
        self._opened.wait(seconds)
        return not self._error

    def close(self, timeout: float = 5.0) -> None:
        """End it."""
        with self._wish:
            self._closing = True
            self._wish.notify()
        self._gathering.close()
        if self._thread.ident:
            self._thread.join(timeout)

    # -- what the screen's thread asks ---------------------------------------------------------------------------

    @property
    def latest(self) -> Snapshot | None:
        """The newest picture."""
        return self._latest

    @property
    def link(self) -> LinkState:
        """There is something to show as long as the recording is open."""
        if self._error:
            return LinkState("ended", where=self._where, why=self._error)
        return LinkState("live" if self._reel else "connecting", where=self._where)

    @property
    def error(self) -> str:
        """Why it ended, in one line."""
        return self._error

    @property
    def notes(self) -> list[str]:
        """What could not be read, and that it is over."""
        notes = [self._named(note) for note in self._walk.notes] if self._walk else []
        notes += [trouble] if (trouble := self._trouble()) else []
        why = self._position.why
        if self._done and why:
            notes = [" · ".join([f"{self._where} is {why}", *notes])]
        return [*notes, *self._remarks.failures]

    @property
    def ended(self) -> bool:
        """Whether nothing more comes by itself."""
        return self._done or bool(self._error)

    @property
    def past(self) -> Player:
        """A replay is its own past."""
        return self

    @property
    def position(self) -> PlaybackPosition:
        """Where it stands."""
        return self._position

    @property
    def timeline(self) -> Timeline:
        """What happened when, as far as is known by now."""
        known = self._gathering.timeline
        reel = self._reel
        if known.first_at == known.first_at or reel is None:
            return known
        return Timeline(first_at=reel.first_at or NAN, last_at=reel.last_at or NAN)

    def ask(self, view: View, call: Answer | None = None) -> None:
        """From now on make pictures for `view`; `call` gets the first of them, on the past's own thread."""
        with self._wish:
            self._view = view
            self._wants_picture = True
            if call is not None:
                self._asked.append(call)
            self._wish.notify()

    def play(self) -> None:
        """Let time go on; at the end begin again."""
        with self._wish:
            self._done = self._anchored = self._moved = False
            self._place(playing=True, why="")
            self._wish.notify()

    def pause(self) -> None:
        """Stand still."""
        with self._wish:
            self._place(playing=False, reached=NAN, why="")
            self._wish.notify()

    def set_speed(self, speed: float) -> None:
        """Go on at `speed` times real time."""
        with self._wish:
            self._pacing = Pacing(speed_within(speed))
            self._anchored = False
            self._reached.restart()
            self._place(speed=self._pacing.speed, reached=NAN)
            self._wish.notify()

    def set_loop(self, loop: bool) -> None:
        """Begin again at the end."""
        with self._wish:
            self._place(loop=loop)

    def seek(self, at: float) -> None:
        """Go to stamp time `at`, cut to what there is."""
        if at != at:
            return
        with self._wish:
            self._done = False
            self._aim(at)
            self._wish.notify()
        self.start()

    def operate(self, act: Act) -> str:
        """Keep what a person did; without a moment of its own, as of where it stands. Else why that can't be."""
        return self._remarks.operate(act if act.at == act.at else replace(act, at=self._position.at))
