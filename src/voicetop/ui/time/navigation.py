"""Going through time, and saying where one is: what the keys of `timekeeping` do.

Where one stands is the affair of the feed's `ViewedTime`; here are its limits in words.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isnan
from typing import Protocol

from voicetop.engine.snapshot import View
from voicetop.engine.snapshot.timeline import Note
from voicetop.errors import UsageError
from voicetop.ui.feeds import Feeds
from voicetop.ui.renderables.banner import written_speed
from voicetop.ui.renderables.scene import Hint
from voicetop.ui.renderables.timeline import read_up_to, told
from voicetop.ui.screens.page import Host
from voicetop.ui.stack import Stack
from voicetop.ui.style.display_options import DisplayOptions
from voicetop.ui.time.bar import Timebar
from voicetop.ui.time.entry import moment_of
from voicetop.ui.time.viewed_time import ViewedTime

SAME_S = 0.001


class Traveller(Host, Protocol):
    """What going through time needs of the console."""

    feeds: Feeds
    look: DisplayOptions
    asked: View | None
    timebar: Timebar
    _stack: Stack
    _watching: bool
    _told_why: str

    @property
    def standpoint(self) -> ViewedTime: ...
    def key_of(self, action_id: str) -> str: ...
    def paint(self) -> None: ...
    def set_timer(self, delay: float, callback: Callable[[], None]) -> object: ...
    def watch_seek(self) -> None: ...


def moved(console: Traveller) -> None:
    """It stands elsewhere: ask for that, paint, and wait for the picture."""
    console.asked = None
    console.changed()
    if console.standpoint.seeking and not console._watching:
        console.watch_seek()


def can_move(console: Traveller) -> bool:
    stand = console.standpoint
    if stand.feed.past is None:
        console.say("nothing is kept of this feed yet that could be gone back to")
    elif isnan(stand.here):
        console.say("there is no picture yet to go back from")
    else:
        return True
    return False


def step(console: Traveller, seconds: float) -> None:
    stand = console.standpoint
    if not can_move(console):
        return
    if stand.live and seconds > 0:
        console.say(f"this is live; {console.key_of('step_back')} steps back")
        return
    go(console, stand.here + seconds)


def go(console: Traveller, at: float) -> None:
    """Go to a moment, and say where it can't be had."""
    stand = console.standpoint
    cut = stand.go(at)
    moved(console)
    clock = console.look.clock
    if stand.live:
        console.say("this is live again")
    elif cut > at + 1:
        console.say(f"nothing is kept before {clock(cut)}")
    elif cut < at - 1:
        console.say(f"the recording ends at {clock(cut)}")


def go_to(console: Traveller, text: str) -> str:
    """Go to a moment as it was typed; gives what is wrong with it."""
    stand = console.standpoint
    if not text.strip():
        return ""
    try:
        at = moment_of(text, first=stand.first, last=stand.now, utc=console.look.utc)
    except UsageError as error:
        return str(error)
    go(console, at)
    return ""


def to_note(console: Traveller, steps: int) -> None:
    """To the next event of note, or the one before, and say what it is."""
    stand = console.standpoint
    if not can_move(console):
        return
    here, notes = stand.here, stand.notes
    if steps > 0:
        found = next((note for note in notes if note.at > here + SAME_S), None)
    else:
        found = next((note for note in reversed(notes) if note.at < here - SAME_S), None)
    if found is None or (stand.live and steps > 0):
        console.say(_nothing_there(console, steps))
        return
    same = [note for note in notes if abs(note.at - found.at) <= SAME_S]
    go(console, found.at)
    unread = steps > 0 and stand.replay and found.at > read_up_to(stand.timeline)
    console.say(
        _in_words(same, console.look) + (" · what is before it is still being read" if unread else "")
    )


def _in_words(notes: list[Note], look: DisplayOptions) -> str:
    more = f" · and {len(notes) - 1} more at this moment" if len(notes) > 1 else ""
    return f"{told(notes[0], look)}{more}"


def _nothing_there(console: Traveller, steps: int) -> str:
    stand = console.standpoint
    if stand.live and steps > 0:
        return f"this is live; {console.key_of('event_before')} goes to the last event of note"
    unread = stand.replay and not stand.timeline.complete
    where = "after this moment" if steps > 0 else "before this moment"
    return f"no event of note {where}" + (" so far: the recording is still being read" if unread else "")


def change_speed(console: Traveller, steps: int) -> None:
    past = console.standpoint.past
    if past is None:
        console.say(f"this is live, and has one speed; {console.key_of('step_back')} steps back")
        return
    speed = console.standpoint.change_speed(steps)
    if speed is None:
        console.say("it can't go faster" if steps > 0 else "it can't go slower")
        return
    later = "" if past.position.playing else ", once it goes on"
    console.say(("as fast as it goes" if speed == inf else f"{written_speed(speed)} its own pace") + later)


def hints(console: Traveller) -> tuple[Hint, ...]:
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
