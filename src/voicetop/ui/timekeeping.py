"""The console's actions on time: freeze, step, jump, play, bookmark. Mixed into the app.

Where one stands is the affair of the feed's `Standpoint`; here are the keys, what is said to the person, and the strip.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isnan
from pathlib import PurePath
from typing import Protocol

from voicetop.engine.snapshot import NAN, Snapshot, View
from voicetop.engine.timeline import Note
from voicetop.errors import UsageError
from voicetop.ui.feeds import Feeds
from voicetop.ui.lines import Line
from voicetop.ui.look import Look
from voicetop.ui.moments import HINT, moment_of
from voicetop.ui.renderables.banner import written_speed
from voicetop.ui.renderables.scene import Hint, Scene, When
from voicetop.ui.renderables.strip import told
from voicetop.ui.screens.page import Host
from voicetop.ui.screens.prompt import PromptBox
from voicetop.ui.stack import Stack
from voicetop.ui.standpoint import Standpoint
from voicetop.ui.timebar import Timebar

STEP_S = 5.0
MINUTE_S = 60.0
LOOK_S = 0.05
"""How often a seek that is under way is looked after, so that its picture is shown as soon as it is there."""
SAME_S = 0.001


class Console(Host, Protocol):
    """What timekeeping needs of the app that it is mixed into."""

    feeds: Feeds
    look: Look
    asked: View | None
    timebar: Timebar
    _stack: Stack
    _watching: bool
    _told_why: str

    @property
    def standpoint(self) -> Standpoint: ...
    def key_of(self, action_id: str) -> str: ...
    def paint(self) -> None: ...
    def set_timer(self, delay: float, callback: Callable[[], None]) -> object: ...
    def watch_seek(self) -> None: ...


class Timekeeping:
    """Where in time the person stands, moved by keys."""

    feeds: Feeds
    _watching = False
    _told_why = ""

    @property
    def standpoint(self) -> Standpoint:
        """Where in time the feed on the screen is looked at."""
        return self.feeds.standpoint

    # -- actions --------------------------------------------------------------------------------------------------

    def act_freeze(self: Console) -> None:
        """Stand still, or go on."""
        stand, snap = self.standpoint, self.standpoint.feed.latest
        if stand.kind is not None:
            stand.toggle()
            _moved(self)
        elif snap is None:
            self.say("there is no picture yet that could be frozen")
        else:
            stand.freeze(snap)
            _moved(self)

    def act_live(self: Console) -> None:
        """What is now; in a replay, its end."""
        stand = self.standpoint
        if stand.kind is None:
            self.say(f"this is live; {self.key_of('freeze')} freezes the picture")
            return
        stand.live()
        _moved(self)

    def act_step_back(self: Console) -> None:
        _step(self, -STEP_S)

    def act_step_on(self: Console) -> None:
        _step(self, STEP_S)

    def act_minute_back(self: Console) -> None:
        _step(self, -MINUTE_S)

    def act_minute_on(self: Console) -> None:
        _step(self, MINUTE_S)

    def act_go_to(self: Console) -> None:
        """Ask for a moment, and go there."""
        if _can_move(self):
            self.lay(PromptBox(self, "go to", HINT, lambda text: _go_to(self, text)))

    def act_event_next(self: Console) -> None:
        _to_note(self, 1)

    def act_event_before(self: Console) -> None:
        _to_note(self, -1)

    def act_faster(self: Console) -> None:
        _speed(self, 1)

    def act_slower(self: Console) -> None:
        _speed(self, -1)

    def act_loop(self: Console) -> None:
        """Begin a replay again at its end, or not."""
        past = self.standpoint.past
        if past is None or not self.standpoint.replay:
            self.say("only a replay can begin again at its end")
            return
        past.set_loop(not past.position.loop)
        self.say("at its end it begins again" if past.position.loop else "at its end it stands still")

    def act_bookmark(self: Console) -> None:
        _keep(self, "bookmark", "")

    def act_note(self: Console) -> None:
        """Ask for the words of a note. A page may have its own, about what its cursor stands on."""
        hint = "a note on this moment   Enter keeps it, Esc doesn't"
        self.lay(PromptBox(self, "note", hint, lambda text: _note(self, text)))

    # -- the screen -----------------------------------------------------------------------------------------------

    def when(self: Console, live: Scene) -> When | None:
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
            hints=_hints(self),
        )

    def strip(self: Console, scene: Scene, width: int, height: int) -> list[Line]:
        """The timeline, where the screen doesn't show what is now."""
        when = scene.when
        if when is None or when.kind == "held":
            return self.timebar.hidden()
        return self.timebar.lines(when.timeline, self.standpoint.here, self.look, width, height)

    def clicked(self: Console, x: int, y: int) -> bool:
        """The pointer was pressed: go there, if it was on the timeline."""
        at, note = self.timebar.under(x, y)
        if isnan(at):
            return False
        _go(self, at)
        if note is not None:
            self.say(told(note, self.look))
        return True

    def keep_time(self: Console) -> None:
        """Look whether what is played has caught up, and tell what stopped it."""
        stand = self.standpoint
        if stand.caught_up():
            _moved(self)
            self.say("this is live again")
        why = stand.position.why
        if why != self._told_why:
            self._told_why = why
            if why and not any(why in note for note in stand.shown.notes):
                self.say(why)

    def watch_seek(self: Console) -> None:
        """Paint as soon as the picture of the moment that was gone to is there."""
        self._watching = self.standpoint.seeking
        self.paint()
        if self._watching:
            self.set_timer(LOOK_S, self.watch_seek)


def _moved(console: Console) -> None:
    """It stands elsewhere: ask for that, paint, and wait for the picture."""
    console.asked = None
    console.changed()
    if console.standpoint.seeking and not console._watching:
        console.watch_seek()


def _can_move(console: Console) -> bool:
    stand = console.standpoint
    if stand.feed.past is None:
        console.say("nothing is kept of this feed yet that could be gone back to")
    elif isnan(stand.here):
        console.say("there is no picture yet to go back from")
    else:
        return True
    return False


def _step(console: Console, seconds: float) -> None:
    stand = console.standpoint
    if not _can_move(console):
        return
    if stand.kind is None and seconds > 0:
        console.say(f"this is live; {console.key_of('step_back')} steps back")
        return
    _go(console, stand.here + seconds)


def _go(console: Console, at: float) -> None:
    """Go to a moment, and say where it can't be had."""
    stand = console.standpoint
    cut = stand.go(at)
    _moved(console)
    clock = console.look.clock
    if stand.kind is None:
        console.say("this is live again")
    elif cut > at + 1:
        console.say(f"nothing is kept before {clock(cut)}")
    elif cut < at - 1:
        console.say(f"the recording ends at {clock(cut)}")


def _go_to(console: Console, text: str) -> str:
    """Go to a moment as it was typed; gives what is wrong with it."""
    stand = console.standpoint
    if not text.strip():
        return ""
    try:
        at = moment_of(text, first=stand.first, last=stand.now, utc=console.look.utc)
    except UsageError as error:
        return str(error)
    _go(console, at)
    return ""


def _to_note(console: Console, steps: int) -> None:
    """To the next event of note, or the one before, and say what it is."""
    stand = console.standpoint
    if not _can_move(console):
        return
    here, notes = stand.here, stand.notes
    if steps > 0:
        found = next((note for note in notes if note.at > here + SAME_S), None)
    else:
        found = next((note for note in reversed(notes) if note.at < here - SAME_S), None)
    if found is None or (stand.kind is None and steps > 0):
        console.say(_nothing_there(console, steps))
        return
    same = [note for note in notes if abs(note.at - found.at) <= SAME_S]
    _go(console, found.at)
    console.say(_told(same, console.look))


def _told(notes: list[Note], look: Look) -> str:
    more = f" · and {len(notes) - 1} more at this moment" if len(notes) > 1 else ""
    return f"{told(notes[0], look)}{more}"


def _nothing_there(console: Console, steps: int) -> str:
    stand = console.standpoint
    if stand.kind is None and steps > 0:
        return f"this is live; {console.key_of('event_before')} goes to the last event of note"
    unread = stand.replay and not stand.timeline.complete
    where = "after this moment" if steps > 0 else "before this moment"
    return f"no event of note {where}" + (" so far: the recording is still being read" if unread else "")


def _speed(console: Console, steps: int) -> None:
    past = console.standpoint.past
    if past is None:
        console.say(f"this is live, and has one speed; {console.key_of('step_back')} steps back")
        return
    speed = console.standpoint.change_speed(steps)
    if speed is None:
        console.say("it can't go faster" if steps > 0 else "it can't go slower")
        return
    later = "" if past.position.playing else f", once {console.key_of('freeze')} lets it go on"
    console.say(("as fast as it goes" if speed == inf else f"{written_speed(speed)} its own pace") + later)


def _note(console: Console, text: str) -> str:
    if not text.strip():
        return "no words yet: Esc leaves without a note"
    _keep(console, "note", text.strip())
    return ""


def _keep(console: Console, act: str, text: str) -> None:
    """Bookmark or note: as of the moment on the screen, about the call that is open."""
    stand = console.standpoint
    at = NAN if stand.kind is None else stand.here
    why = stand.feed.operate(act, text=text, at=at, call_id=console._stack.page.about)
    if why:
        console.say(why)
        return
    shown: Snapshot | None = stand.picture
    moment = at if not isnan(at) else shown.at if shown is not None else NAN
    clock = f" at {console.look.clock(moment)}" if not isnan(moment) else ""
    where = (
        f"kept with {console.feeds.current.name}" if stand.replay else "sent to the hub, for every recording"
    )
    console.say(f"{act}{clock}: {where}")


def _hints(console: Console) -> tuple[Hint, ...]:
    """The keys of the banner, the most needed first."""
    stand, key = console.standpoint, console.key_of
    going = stand.position.playing
    space = "pause" if going else "live" if stand.thaws else "play"
    names: tuple[Hint, ...]
    if stand.kind == "replay":
        names = (("freeze", space), ("step_back", "back"), ("go_to", "go to"), ("event_next", "event"))
    elif stand.kind == "held":
        names = (("live", "live"),)
    else:
        names = (("live", "live"), ("step_back", "back"), ("freeze", space), ("go_to", "go to"))
        if stand.thaws:
            names = (names[0], names[1], names[3])
    return tuple((key(name), label) for name, label in names if key(name))
