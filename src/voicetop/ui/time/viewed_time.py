"""The time at which a feed is viewed: live, a time in its past, or a time in a replay.

Every feed of a console has one. Pages don't depend on it: they get snapshots, from the feed or from its past. Nothing
here blocks: a seek is in progress until its snapshot arrives.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isnan

from voicetop.engine.snapshot import NAN, Snapshot, View
from voicetop.engine.snapshot.timeline import Note, Timeline
from voicetop.ui.feed import FeedHandle, Past, PlaybackPosition
from voicetop.ui.renderables.scene import Kind

VERDICT_ONLY = View(limit=0)
"""The view of a feed that isn't on the screen: its verdict, and no rows."""
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 125.0, 250.0, 500.0, 1000.0, inf)
LIVE_WITHIN_S = 1.0
"""A past time no older than this counts as live."""
FRAMES_TO_LIVE = 2
"""When going live, the past stays on the screen until a live snapshot arrives, for at most this many frames."""
AT_TARGET_S = 1.5
"""A snapshot this close to the target counts as the target: snapshots are made at heartbeats."""


class ViewedTime:
    """One feed and the time at which it is viewed.

    `frozen` is the snapshot shown until the past has one of its own, or for good without a past. `target` is the last
    requested time.
    """

    def __init__(self, feed: FeedHandle) -> None:
        self.feed = feed
        self.frozen: Snapshot | None = None
        self.target = NAN
        self._in_past = False
        self._moved = False
        self._frames_to_live = 0
        self._live_view: View | None = None

    # -- state ---------------------------------------------------------------------------------------------------

    @property
    def replay(self) -> bool:
        """Whether the feed is a recording, which is never live."""
        return self.feed.past is self.feed

    @property
    def past(self) -> Past | None:
        """The viewed past; None while live, and without history."""
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
        """The feed that provides snapshot, link and error."""
        return self.past or self.feed

    @property
    def position(self) -> PlaybackPosition:
        """The playback position."""
        past = self.past
        return (
            past.position if past is not None else PlaybackPosition(at=self.frozen.at if self.frozen else NAN)
        )

    @property
    def timeline(self) -> Timeline:
        past = self.past
        return past.timeline if past is not None else Timeline()

    @property
    def seeking(self) -> bool:
        return not isnan(self.position.seeking)

    @property
    def picture(self) -> Snapshot | None:
        """The snapshot to show."""
        latest = self.feed.latest
        if self._frames_to_live and latest is not None and latest.view == self._live_view:
            self._return_to_live()
        past = self.past
        if past is None:
            return self.frozen if self._in_past else latest
        if self.frozen is not None and past.latest is not None and isnan(past.position.seeking):
            self.frozen = None
        return self.frozen or past.latest

    def ask(self, view: View, call: Callable[[Snapshot], None]) -> bool:
        """Request a view; False if only a frozen snapshot of another view is available."""
        if self._frames_to_live:
            self._live_view = view
            self.feed.ask(view, call)
            return True
        if self.kind == "held":
            return self.frozen is None or self.frozen.view == view
        self.shown.ask(view, call)
        return True

    def hide(self) -> None:
        """Reduce the view: another feed is shown."""
        self.feed.ask(VERDICT_ONLY)
        if self.past is not None:
            self.past.ask(VERDICT_ONLY)

    # -- moving --------------------------------------------------------------------------------------------------

    @property
    def here(self) -> float:
        """The viewed time, or the target of a seek in progress (stamp time)."""
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
        """The present in stamp time; in a replay its end, as far as it is known."""
        if self.replay:
            return self.timeline.last_at
        return self.feed.latest.at if self.feed.latest is not None else NAN

    @property
    def first(self) -> float:
        """The start of the history."""
        past = self.feed.past
        return past.timeline.first_at if past is not None else self.now

    @property
    def notes(self) -> tuple[Note, ...]:
        """The notable events, by time."""
        past = self.feed.past
        return tuple(sorted(past.timeline.notes, key=lambda note: note.at)) if past is not None else ()

    def freeze(self, snap: Snapshot) -> None:
        """Freeze this live snapshot."""
        self.frozen, self._in_past, self._moved, self._frames_to_live = snap, True, False, 0
        past = self.feed.past
        if past is not None:
            self.feed.ask(VERDICT_ONLY)
            past.pause()
            self._seek(past, snap.at)

    def go(self, at: float) -> float:
        """Go to a time, clamped to the history, and return it. The present goes live."""
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
        """Go live with the next snapshot; in a replay, go to its end."""
        if self.replay and self.past is not None:
            last = self.timeline.last_at
            self._seek(self.past, last if self.timeline.complete and not isnan(last) else inf)
            return
        if self.past is None:
            self._return_to_live()
        elif not self._frames_to_live:
            self.past.pause()
            self._frames_to_live, self._live_view = FRAMES_TO_LIVE, None

    def _return_to_live(self) -> None:
        self.frozen, self._in_past, self._moved, self.target, self._frames_to_live = (
            None,
            False,
            False,
            NAN,
            0,
        )

    def tick(self) -> None:
        """Called once a frame: limit the wait for a live snapshot."""
        if self._frames_to_live:
            self._frames_to_live -= 1
            if not self._frames_to_live:
                self._return_to_live()

    def catch_up(self) -> bool:
        """Go live if playback has reached the present; returns whether it has."""
        done = self.kind == "past" and self.position.playing and self.position.at >= self.now - LIVE_WITHIN_S
        if done:
            self.go_live()
        return done

    # -- playing -------------------------------------------------------------------------------------------------

    @property
    def resumes_live(self) -> bool:
        """Whether resuming goes live: the time hasn't been moved since the freeze."""
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
        """Set the next higher or lower speed; None if there is none."""
        past = self.past
        if past is None:
            return None
        faster = [speed for speed in SPEEDS if speed > past.position.speed * 1.001]
        slower = [speed for speed in SPEEDS if speed < past.position.speed * 0.999]
        candidates = faster[:1] if steps > 0 else slower[-1:]
        for speed in candidates:
            past.set_speed(speed)
        return candidates[0] if candidates else None
