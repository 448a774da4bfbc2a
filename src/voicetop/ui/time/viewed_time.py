"""Where in time one feed is looked at: what is now, a moment of its past, or a moment of a replay.

Every feed of a console has one. Pages never know: they are given pictures, and whoever asks for a view asks the feed or
its past, whichever is looked at. Nothing here waits, and no answer blocks: a seek is under way until it is there.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isnan

from voicetop.engine.snapshot import NAN, Snapshot, View
from voicetop.engine.snapshot.timeline import Note, Timeline
from voicetop.ui.feed import FeedHandle, Past, PlaybackPosition
from voicetop.ui.renderables.scene import Kind

OUT_OF_SIGHT = View(limit=0)
"""What is asked of a feed whose picture isn't on the screen: its verdict, and no rows."""
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 125.0, 250.0, 500.0, 1000.0, inf)
CAUGHT_UP_S = 1.0
"""So near to what is now, one who comes from the past is there."""
PATIENCE = 2
"""For so many frames at most the past stays on the screen until the live feed has a picture for it."""
ARRIVED_S = 1.5
"""A moment that was aimed at counts as where one stands, though the picture's is the heartbeat beside it."""


class ViewedTime:
    """One feed and where in time it is looked at.

    `held` is the picture that stands until the past has one of its own; without a past it is all there is. `aim` is the
    moment that was gone to last.
    """

    def __init__(self, feed: FeedHandle) -> None:
        self.feed = feed
        self.held: Snapshot | None = None
        self.aim = NAN
        self._away = False
        self._moved = False
        self._leaving = 0
        self._wanted: View | None = None

    # -- what is looked at ----------------------------------------------------------------------------------------

    @property
    def replay(self) -> bool:
        """Whether the feed is a recording: there is no now in it."""
        return self.feed.past is self.feed

    @property
    def past(self) -> Past | None:
        """What is walked through; None while it is what is now, and where nothing is kept."""
        return self.feed.past if self._away or self.replay else None

    @property
    def kind(self) -> Kind | None:
        """What is looked at; None for what is now."""
        if self.replay:
            return "replay"
        if not self._away:
            return None
        return "past" if self.feed.past is not None else "held"

    @property
    def live(self) -> bool:
        """Whether what is looked at is what is now, or will be with the next picture."""
        return self.kind is None or bool(self._leaving)

    @property
    def shown(self) -> FeedHandle:
        """Whoever has the picture, its link and its error."""
        return self.past or self.feed

    @property
    def position(self) -> PlaybackPosition:
        """Where it stands."""
        past = self.past
        return past.position if past is not None else PlaybackPosition(at=self.held.at if self.held else NAN)

    @property
    def timeline(self) -> Timeline:
        past = self.past
        return past.timeline if past is not None else Timeline()

    @property
    def seeking(self) -> bool:
        return not isnan(self.position.seeking)

    @property
    def picture(self) -> Snapshot | None:
        """What there is to show."""
        latest = self.feed.latest
        if self._leaving and latest is not None and latest.view == self._wanted:
            self._come_home()
        past = self.past
        if past is None:
            return self.held if self._away else latest
        if self.held is not None and past.latest is not None and isnan(past.position.seeking):
            self.held = None
        return self.held or past.latest

    def ask(self, view: View, call: Callable[[Snapshot], None]) -> bool:
        """Ask for a view; False where a held picture is all there is, and it was made for another."""
        if self._leaving:
            self._wanted = view
            self.feed.ask(view, call)
            return True
        if self.kind == "held":
            return self.held is None or self.held.view == view
        self.shown.ask(view, call)
        return True

    def out_of_sight(self) -> None:
        """Another feed is on the screen."""
        self.feed.ask(OUT_OF_SIGHT)
        if self.past is not None:
            self.past.ask(OUT_OF_SIGHT)

    # -- going there ----------------------------------------------------------------------------------------------

    @property
    def here(self) -> float:
        """The moment one stands at, or is on the way to (stamp time)."""
        if self.live:
            return self.feed.latest.at if self.feed.latest is not None else NAN
        position = self.position
        if self.seeking:
            return position.seeking if position.seeking < inf else self.timeline.last_at
        if not position.at > 0:
            return self.picture.at if self.picture is not None else NAN
        on_aim = not position.playing and abs(position.at - self.aim) < ARRIVED_S
        return self.aim if on_aim else position.at

    @property
    def now(self) -> float:
        """What is now, in stamp time; the end of a replay, as far as it is known."""
        if self.replay:
            return self.timeline.last_at
        return self.feed.latest.at if self.feed.latest is not None else NAN

    @property
    def first(self) -> float:
        """Where what is kept begins."""
        past = self.feed.past
        return past.timeline.first_at if past is not None else self.now

    @property
    def notes(self) -> tuple[Note, ...]:
        """The events of note, in the order of time."""
        past = self.feed.past
        return tuple(sorted(past.timeline.notes, key=lambda note: note.at)) if past is not None else ()

    def freeze(self, snap: Snapshot) -> None:
        """Stand still at this picture of what is now."""
        self.held, self._away, self._moved, self._leaving = snap, True, False, 0
        past = self.feed.past
        if past is not None:
            self.feed.ask(OUT_OF_SIGHT)
            past.pause()
            self._seek(past, snap.at)

    def go(self, at: float) -> float:
        """Go to a moment, cut to what is known to be kept; gives that moment. What is now is live again."""
        if self.replay or not at >= self.now - CAUGHT_UP_S:
            if self.live and self.feed.latest is not None:
                self.freeze(self.feed.latest)
            at = self._cut(at)
            past = self.past
            if past is not None:
                self._moved = True
                self._seek(past, at)
            return at
        self.go_live()
        return self.now

    def _cut(self, at: float) -> float:
        line = self.timeline
        at = at if isnan(line.first_at) else max(at, line.first_at)
        return min(at, line.last_at) if line.complete and not isnan(line.last_at) else at

    def _seek(self, past: Past, at: float) -> None:
        self.aim = at
        past.seek(at)

    def go_live(self) -> None:
        """What is now again, with the next picture of it; the end, in a replay."""
        if self.replay and self.past is not None:
            last = self.timeline.last_at
            self._seek(self.past, last if self.timeline.complete and not isnan(last) else inf)
            return
        if self.past is None:
            self._come_home()
        elif not self._leaving:
            self.past.pause()
            self._leaving, self._wanted = PATIENCE, None

    def _come_home(self) -> None:
        self.held, self._away, self._moved, self.aim, self._leaving = None, False, False, NAN, 0

    def tick(self) -> None:
        """A frame has passed: whoever goes live doesn't wait for long."""
        if self._leaving:
            self._leaving -= 1
            if not self._leaving:
                self._come_home()

    def caught_up(self) -> bool:
        """Whether what was played from the past has come to what is now, and is live again."""
        done = self.kind == "past" and self.position.playing and self.position.at >= self.now - CAUGHT_UP_S
        if done:
            self.go_live()
        return done

    # -- how time goes there --------------------------------------------------------------------------------------

    @property
    def thaws(self) -> bool:
        """Whether to go on means to be live again: nobody has moved since it was frozen."""
        return self.kind == "held" or (self.kind == "past" and not self._moved and not self.position.playing)

    def toggle(self) -> None:
        """Go on, or stand still."""
        past = self.past
        if self.thaws:
            self.go_live()
        elif past is not None and past.position.playing:
            past.pause()
        elif past is not None:
            self._moved = True
            past.play()

    def change_speed(self, steps: int) -> float | None:
        """The next speed up or down; None where it is the last one already."""
        past = self.past
        if past is None:
            return None
        faster = [speed for speed in SPEEDS if speed > past.position.speed * 1.001]
        slower = [speed for speed in SPEEDS if speed < past.position.speed * 0.999]
        found = faster[:1] if steps > 0 else slower[-1:]
        for speed in found:
            past.set_speed(speed)
        return found[0] if found else None
