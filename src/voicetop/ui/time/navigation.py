"""Time navigation: freeze, step, jump and play, with messages about the result.

These actions move the feed's `ViewedTime`.
"""

from __future__ import annotations

from functools import partial
from math import inf, isnan

from voicetop.engine.snapshot.timeline import Note
from voicetop.errors import UsageError
from voicetop.ui.actions.registry import Handlers
from voicetop.ui.feeds import Feeds
from voicetop.ui.renderables.banner import written_speed
from voicetop.ui.renderables.timeline import note_text, scanned_until
from voicetop.ui.screens.page import Host
from voicetop.ui.screens.prompt import PromptBox
from voicetop.ui.time.entry import HINT, parse_time_entry
from voicetop.ui.time.viewed_time import ViewedTime

STEP_S = 5.0
MINUTE_S = 60.0
SAME_S = 0.001
"""Events within this time of each other count as simultaneous."""


class TimeNavigation:
    """Moves the viewed time of the feed on the screen."""

    def __init__(self, host: Host, feeds: Feeds) -> None:
        self._host = host
        self._feeds = feeds
        self._last_why = ""

    @property
    def _viewed(self) -> ViewedTime:
        return self._feeds.viewed

    def handlers(self) -> Handlers:
        return {
            "freeze": self._freeze_or_play,
            "live": self._go_live,
            "step_back": partial(self._step, -STEP_S),
            "step_on": partial(self._step, STEP_S),
            "minute_back": partial(self._step, -MINUTE_S),
            "minute_on": partial(self._step, MINUTE_S),
            "go_to": self._ask_where_to,
            "event_next": partial(self._go_to_event, 1),
            "event_before": partial(self._go_to_event, -1),
            "faster": partial(self._change_speed, 1),
            "slower": partial(self._change_speed, -1),
            "loop": self._switch_loop,
        }

    def _freeze_or_play(self) -> None:
        """Freeze, play or pause."""
        viewed, snap = self._viewed, self._viewed.feed.latest
        if not viewed.live:
            viewed.play_or_pause()
        elif snap is None:
            self._host.say("nothing to freeze yet")
            return
        else:
            viewed.freeze(snap)
        self._host.changed(elsewhere=True)

    def _go_live(self) -> None:
        """Go to the present; in a replay, to its end."""
        if self._viewed.live:
            self._host.say(f"this is live; {self._host.key_of('freeze')} freezes the screen")
            return
        self._viewed.go_live()
        self._host.changed(elsewhere=True)

    def _can_move(self) -> bool:
        if self._viewed.feed.past is None:
            self._host.say("no data kept yet to go back to")
        elif isnan(self._viewed.here):
            self._host.say("nothing to go back from yet")
        else:
            return True
        return False

    def _step(self, seconds: float) -> None:
        if not self._can_move():
            return
        if self._viewed.live and seconds > 0:
            self._host.say(f"this is live; {self._host.key_of('step_back')} goes back")
            return
        self._go(self._viewed.here + seconds)

    def _go(self, at: float) -> None:
        """Go to a time, with a message if it is out of range."""
        reached = self._viewed.go(at)
        self._host.changed(elsewhere=True)
        clock = self._host.options.clock
        if self._viewed.live:
            self._host.say("this returns to live")
        elif reached > at + 1:
            self._host.say(f"no data before {clock(reached)}")
        elif reached < at - 1:
            self._host.say(f"the recording ends at {clock(reached)}")

    def go_to_click(self, at: float, note: Note | None) -> None:
        """Go to a clicked time, and name the clicked event."""
        self._go(at)
        if note is not None:
            self._host.say(note_text(note, self._host.options))

    def _ask_where_to(self) -> None:
        """Prompt for a time, and go there."""
        if self._can_move():
            self._host.push(PromptBox(self._host, "go to", HINT, self._go_to))

    def _go_to(self, text: str) -> str:
        """Go to a typed time; returns what is wrong with it, or ""."""
        viewed = self._viewed
        if not text.strip():
            return ""
        try:
            at = parse_time_entry(text, first=viewed.first, last=viewed.now, utc=self._host.options.utc)
        except UsageError as error:
            return str(error)
        self._go(at)
        return ""

    def _go_to_event(self, steps: int) -> None:
        """Go to the next or previous notable event, and name it."""
        viewed = self._viewed
        if not self._can_move():
            return
        here, notes = viewed.here, viewed.notes
        if steps > 0:
            target = next((note for note in notes if note.at > here + SAME_S), None)
        else:
            target = next((note for note in reversed(notes) if note.at < here - SAME_S), None)
        if target is None or (viewed.live and steps > 0):
            self._host.say(self._no_event(steps))
            return
        simultaneous = [note for note in notes if abs(note.at - target.at) <= SAME_S]
        self._go(target.at)
        more = f" · and {len(simultaneous) - 1} more at this moment" if len(simultaneous) > 1 else ""
        unscanned = steps > 0 and viewed.replay and target.at > scanned_until(viewed.timeline)
        later = " · earlier data is still loading" if unscanned else ""
        self._host.say(f"{note_text(simultaneous[0], self._host.options)}{more}{later}")

    def _no_event(self, steps: int) -> str:
        viewed = self._viewed
        if viewed.live and steps > 0:
            return f"this is live; {self._host.key_of('event_before')} goes to the previous event"
        unscanned = viewed.replay and not viewed.timeline.complete
        where = "after this moment" if steps > 0 else "before this moment"
        return f"no notable event {where}" + (" so far: the recording is still loading" if unscanned else "")

    def _change_speed(self, steps: int) -> None:
        past = self._viewed.past
        if past is None:
            self._host.say(f"live has only one speed; {self._host.key_of('step_back')} goes back")
            return
        speed = self._viewed.change_speed(steps)
        if speed is None:
            self._host.say("already at the highest speed" if steps > 0 else "already at the lowest speed")
            return
        later = "" if past.position.playing else ", once it pending"
        pace = "as fast as possible" if speed == inf else f"{written_speed(speed)} original speed"
        self._host.say(pace + later)

    def _switch_loop(self) -> None:
        """Switch looping of a replay on or off."""
        past = self._viewed.past
        if past is None or not self._viewed.replay:
            self._host.say("only a replay can loop")
            return
        past.set_loop(not past.position.loop)
        self._host.say("loop is on" if past.position.loop else "loop is off")

    def tick(self) -> None:
        """Called once a frame: go live if playback has caught up, and report why it stopped."""
        viewed = self._viewed
        viewed.tick()
        if viewed.catch_up():
            self._host.changed(elsewhere=True)
            self._host.say("this returns to live")
        why = viewed.position.why
        if why != self._last_why:
            self._last_why = why
            if why and not any(why in note for note in viewed.shown.notes):
                self._host.say(why)
