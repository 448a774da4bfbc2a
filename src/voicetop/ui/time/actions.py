"""The console's actions on time: freeze, step, jump, play, bookmark. Mixed into the app.

Where one stands is the affair of the feed's `ViewedTime`; `journey` goes there; here are the keys and the strip.
"""

from __future__ import annotations

from math import isnan
from pathlib import PurePath

from voicetop.engine.snapshot import NAN, Snapshot
from voicetop.sources import Act
from voicetop.ui.feeds import Feeds
from voicetop.ui.lines import Line
from voicetop.ui.renderables.scene import Scene, When
from voicetop.ui.renderables.timeline import told
from voicetop.ui.screens.prompt import PromptBox
from voicetop.ui.time.entry import HINT
from voicetop.ui.time.navigation import (
    Traveller,
    can_move,
    change_speed,
    go,
    go_to,
    hints,
    moved,
    step,
    to_note,
)
from voicetop.ui.time.viewed_time import ViewedTime

STEP_S = 5.0
MINUTE_S = 60.0
LOOK_S = 0.05
"""How often a seek that is under way is looked after, so that its picture is shown as soon as it is there."""


class TimeActions:
    """Where in time the person stands, moved by keys."""

    feeds: Feeds
    _watching = False
    _told_why = ""

    @property
    def standpoint(self) -> ViewedTime:
        """Where in time the feed on the screen is looked at."""
        return self.feeds.standpoint

    # -- actions --------------------------------------------------------------------------------------------------

    def act_freeze(self: Traveller) -> None:
        """Stand still, or go on."""
        stand, snap = self.standpoint, self.standpoint.feed.latest
        if not stand.live:
            stand.toggle()
            moved(self)
        elif snap is None:
            self.say("there is no picture yet that could be frozen")
        else:
            stand.freeze(snap)
            moved(self)

    def act_live(self: Traveller) -> None:
        """What is now; in a replay, its end."""
        stand = self.standpoint
        if stand.live:
            self.say(f"this is live; {self.key_of('freeze')} freezes the picture")
            return
        stand.go_live()
        moved(self)

    def act_step_back(self: Traveller) -> None:
        step(self, -STEP_S)

    def act_step_on(self: Traveller) -> None:
        step(self, STEP_S)

    def act_minute_back(self: Traveller) -> None:
        step(self, -MINUTE_S)

    def act_minute_on(self: Traveller) -> None:
        step(self, MINUTE_S)

    def act_go_to(self: Traveller) -> None:
        """Ask for a moment, and go there."""
        if can_move(self):
            self.lay(PromptBox(self, "go to", HINT, lambda text: go_to(self, text)))

    def act_event_next(self: Traveller) -> None:
        to_note(self, 1)

    def act_event_before(self: Traveller) -> None:
        to_note(self, -1)

    def act_faster(self: Traveller) -> None:
        change_speed(self, 1)

    def act_slower(self: Traveller) -> None:
        change_speed(self, -1)

    def act_loop(self: Traveller) -> None:
        """Begin a replay again at its end, or not."""
        past = self.standpoint.past
        if past is None or not self.standpoint.replay:
            self.say("only a replay can begin again at its end")
            return
        past.set_loop(not past.position.loop)
        self.say("it begins again at its end" if past.position.loop else "it stops at its end")

    def act_bookmark(self: Traveller) -> None:
        _keep(self, "bookmark", "")

    def act_note(self: Traveller) -> None:
        """Ask for the words of a note. A page may have its own, about what its cursor stands on."""
        subject = "this call" if self._stack.page.about else "this moment"
        hint = f"a note on {subject}   Enter keeps it, Esc doesn't"
        self.lay(PromptBox(self, "note", hint, lambda text: _note(self, text)))

    # -- the screen -----------------------------------------------------------------------------------------------

    def when(self: Traveller, live: Scene) -> When | None:
        """Where in time the screen stands; None for what is now. `live` is the scene of what is now."""
        stand = self.standpoint
        kind = stand.kind
        if kind is None:
            return None
        return When(
            kind=kind,
            position=stand.position,
            timeline=stand.timeline,
            name=PurePath(self.feeds.current.name).name,
            live=None if kind == "replay" else live,
            hints=hints(self),
        )

    def strip(self: Traveller, scene: Scene, width: int, height: int) -> list[Line]:
        """The timeline, where the screen doesn't show what is now."""
        when = scene.when
        if when is None or when.kind == "held":
            return self.timebar.hidden()
        return self.timebar.lines(when.timeline, self.standpoint.here, self.look, width, height)

    def clicked(self: Traveller, x: int, y: int) -> bool:
        """The pointer was pressed: go there, if it was on the timeline."""
        at, note = self.timebar.under(x, y)
        if isnan(at):
            return False
        go(self, at)
        if note is not None:
            self.say(told(note, self.look))
        return True

    def keep_time(self: Traveller) -> None:
        """Look whether what is played has caught up, and tell what stopped it."""
        stand = self.standpoint
        stand.tick()
        if stand.caught_up():
            moved(self)
            self.say("this is live again")
        why = stand.position.why
        if why != self._told_why:
            self._told_why = why
            if why and not any(why in note for note in stand.shown.notes):
                self.say(why)

    def watch_seek(self: Traveller) -> None:
        """Paint as soon as the picture of the moment that was gone to is there."""
        self._watching = self.standpoint.seeking
        self.paint()
        if self._watching:
            self.set_timer(LOOK_S, self.watch_seek)


def _note(console: Traveller, text: str) -> str:
    if not text.strip():
        return "no words yet: Esc leaves without a note"
    _keep(console, "note", text.strip())
    return ""


def _keep(console: Traveller, act: str, text: str) -> None:
    """Bookmark or note: as of the moment on the screen, about the call that is open."""
    stand = console.standpoint
    at = NAN if stand.live else stand.here
    why = stand.feed.operate(Act(act, text=text, at=at, call_id=console._stack.page.about))
    if why:
        console.say(why)
        return
    shown: Snapshot | None = stand.picture
    moment = at if not isnan(at) else shown.at if shown is not None else NAN
    clock = f" at {console.look.clock(moment)}" if not isnan(moment) else ""
    where = (
        f"kept with {PurePath(console.feeds.current.name).name}"
        if stand.replay
        else "sent to the hub, for every recording"
    )
    console.say(f"{act}{clock}: {where}")
