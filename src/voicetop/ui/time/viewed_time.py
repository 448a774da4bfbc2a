"""The moment at which one feed is viewed: live, a moment of its past, or a moment of a replay.

Every feed of a console has one. Pages never know: they are given pictures, and a view is asked of the feed or of its
past, whichever is viewed. Nothing here waits or blocks: a seek is under way until its picture is there.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isnan

from voicetop.engine.snapshot import NAN, Snapshot, View
from voicetop.engine.snapshot.timeline import Note, Timeline
from voicetop.ui.feed import FeedHandle, Past, PlaybackPosition
from voicetop.ui.renderables.scene import Kind

NOTHING_BUT_VERDICT = View(limit=0)
"""The view asked of a feed that isn't on the screen: its verdict, and no rows."""
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 125.0, 250.0, 500.0, 1000.0, inf)
LIVE_WITHIN_S = 1.0
"""A moment of the past no older than this counts as live."""
FRAMES_TO_LIVE = 2
"""Going live, the past stays on the screen until the live feed has a picture, but no longer than this many frames."""
AT_TARGET_S = 1.5
"""A picture this near to the moment asked for counts as that moment: pictures are made at heartbeats."""


class ViewedTime:
    """One feed and the moment at which it is viewed.

    `held` is the frozen picture, shown until the past has one of its own; without a past it is all there is. `target`
    is the moment that was last asked for.
    """

    def __init__(self, feed: FeedHandle) -> None:
        self.feed = feed
        self.held: Snapshot | None = None
        self.target = NAN
        self._in_past = False
        self._moved = False
        self._frames_to_live = 0
        self._wanted: View | None = None

    # -- what is viewed ------------------------------------------------------------------------------------------

    @property
    def replay(self) -> bool:
        """Whether the feed is a recording, which has no live moment."""
        return self.feed.past is self.feed

    @property
    def past(self) -> Past | None:
        """The past that is viewed; None while live, and where nothing is kept."""
        return self.feed.past if self._in_past or self.replay else None

    @property
    def kind(self) -> Kind | None:
        """What is viewed; None for live."""
        if self.replay:
            return "replay"
        if not self._in_past:
            return None
        return "past" if self.feed.past is not None else "held"

    @property
    def live(self) -> bool:
        """Whether the view is live, or will be with the next picture."""
        return self.kind is None or bool(self._frames_to_live)

    @property
    def shown(self) -> FeedHandle:
        """The feed that has the picture, its link and its error."""
        return self.past or self.feed

    @property
    def position(self) -> PlaybackPosition:
        """Where playback stands."""
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
        """The picture to show."""
        latest = self.feed.latest
        if self._frames_to_live and latest is not None and latest.view == self._wanted:
            self._return_to_live()
        past = self.past
        if past is None:
            return self.held if self._in_past else latest
        if self.held is not None and past.latest is not None and isnan(past.position.seeking):
            self.held = None
        return self.held or past.latest

    def ask(self, view: View, call: Callable[[Snapshot], None]) -> bool:
        """Ask for a view; False where a held picture is all there is, and it was made for another view."""
        if self._frames_to_live:
            self._wanted = view
            self.feed.ask(view, call)
            return True
        if self.kind == "held":
            return self.held is None or self.held.view == view
        self.shown.ask(view, call)
        return True

    def hide(self) -> None:
        """Another feed comes on the screen."""
        self.feed.ask(NOTHING_BUT_VERDICT)
        if self.past is not None:
            self.past.ask(NOTHING_BUT_VERDICT)

    # -- moving --------------------------------------------------------------------------------------------------

    @property
    def here(self) -> float:
        """The moment that is viewed, or is being sought (stamp time)."""
        if self.live:
            return self.feed.latest.at if self.feed.latest is not None else NAN
        position = self.position
        if self.seeking:
            return position.seeking if position.seeking < inf else self.timeline.last_at
        if not position.at > 0:
            return self.picture.at if self.picture is not None else NAN
        on_target = not position.playing and abs(position.at - self.target) < AT_TARGET_S
        return self.target if on_target else position.at

    @property
    def now(self) -> float:
        """The live moment in stamp time; in a replay its end, as far as it is known."""
        if self.replay:
            return self.timeline.last_at
        return self.feed.latest.at if self.feed.latest is not None else NAN

    @property
    def first(self) -> float:
        """The first moment that is kept."""
        past = self.feed.past
        return past.timeline.first_at if past is not None else self.now

    @property
    def notes(self) -> tuple[Note, ...]:
        """The notable events, by time."""
        past = self.feed.past
        return tuple(sorted(past.timeline.notes, key=lambda note: note.at)) if past is not None else ()

    def freeze(self, snap: Snapshot) -> None:
        """Freeze this live picture."""
        self.held, self._in_past, self._moved, self._frames_to_live = snap, True, False, 0
        past = self.feed.past
        if past is not None:
            self.feed.ask(NOTHING_BUT_VERDICT)
            past.pause()
            self._seek(past, snap.at)

    def go(self, at: float) -> float:
        """Go to a moment, clamped to what is kept, and return it. The present moment goes live."""
        if self.replay or not at >= self.now - LIVE_WITHIN_S:
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
        self.target = at
        past.seek(at)

    def go_live(self) -> None:
        """Go live with the next picture; in a replay, go to its end."""
        if self.replay and self.past is not None:
            last = self.timeline.last_at
            self._seek(self.past, last if self.timeline.complete and not isnan(last) else inf)
            return
        if self.past is None:
            self._return_to_live()
        elif not self._frames_to_live:
            self.past.pause()
            self._frames_to_live, self._wanted = FRAMES_TO_LIVE, None

    def _return_to_live(self) -> None:
        self.held, self._in_past, self._moved, self.target, self._frames_to_live = None, False, False, NAN, 0

    def tick(self) -> None:
        """A frame has passed: going live doesn't wait for long."""
        if self._frames_to_live:
            self._frames_to_live -= 1
            if not self._frames_to_live:
                self._return_to_live()

    def catch_up(self) -> bool:
        """Go live where playback from the past has reached the present; whether it has."""
        done = self.kind == "past" and self.position.playing and self.position.at >= self.now - LIVE_WITHIN_S
        if done:
            self.go_live()
        return done

    # -- playing -------------------------------------------------------------------------------------------------

    @property
    def resumes_live(self) -> bool:
        """Whether going on means going live: nobody has moved since the picture was frozen."""
        return self.kind == "held" or (self.kind == "past" and not self._moved and not self.position.playing)

    def play_or_pause(self) -> None:
        """Play, pause, or go live."""
        past = self.past
        if self.resumes_live:
            self.go_live()
        elif past is not None and past.position.playing:
            past.pause()
        elif past is not None:
            self._moved = True
            past.play()

    def change_speed(self, steps: int) -> float | None:
        """Set the next speed up or down; None where there is none."""
        past = self.past
        if past is None:
            return None
        faster = [speed for speed in SPEEDS if speed > past.position.speed * 1.001]
        slower = [speed for speed in SPEEDS if speed < past.position.speed * 0.999]
        found = faster[:1] if steps > 0 else slower[-1:]
        for speed in found:
            past.set_speed(speed)
        return found[0] if found else None
