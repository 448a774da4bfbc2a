"""A past that a test walks through: pictures made for any moment of ten minutes, and seeks that arrive when told to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import inf, isnan

from msgspec.structs import replace

from ui import synthetic
from ui.fake_feed import FakeFeed, Maker
from voicetop.engine.snapshot import NAN, Snapshot, View
from voicetop.engine.snapshot.timeline import GRAVITY, Note, Timeline
from voicetop.sources import Act, LinkState
from voicetop.ui.feed import PlaybackPosition

FIRST, LAST = synthetic.AT, synthetic.AT + 600.0
TICKS_PER_S = 4


def note(at: float, kind: str, label: str, severity: str = "ok", by: str = "") -> Note:
    """An event of note, so many seconds after the beginning."""
    return Note(FIRST + at, kind, label, severity, by)  # type: ignore[arg-type]


NOTES = (
    note(60, "marker", "v42"),
    note(120, "trouble", "P95 response 3,910 ms = 2.4× normal", "degraded"),
    note(125, "alert", "latency, billing × es × v42", "degraded"),
    note(240, "trouble", "83 of 97 waiting callers stuck", "down"),
    note(300, "bookmark", "", by="ana"),
    note(300, "note", "acme-llm told us", by="ana"),
    note(420, "cleared", "P95 response 3,910 ms = 2.4× normal"),
    note(480, "gap", "12 events are missing"),
)


def timeline(
    notes: tuple[Note, ...] = NOTES, *, last: float = LAST, step: float = 5.0, complete: bool = True
) -> Timeline:
    """Traffic in a calm wave, errors in the middle and once later; trouble as the notes tell."""
    slots = int((last - FIRST) / step)
    return Timeline(
        first_at=FIRST,
        last_at=last,
        start=FIRST,
        step=step,
        turns=tuple(40 + (i * 7) % 13 for i in range(slots)),
        errors=tuple(9 if 0.2 < i / slots < 0.6 or 0.85 < i / slots < 0.9 else 0 for i in range(slots)),
        gravity=tuple(_gravity(i / slots) for i in range(slots)),
        notes=notes,
        complete=complete,
    )


def _gravity(share: float) -> int:
    """Degraded for a fifth of the time, then down for three tenths."""
    return GRAVITY.index("degraded" if 0.2 <= share < 0.4 else "down" if 0.4 <= share < 0.7 else "ok")


class FakePast:
    """A Past. `instant` seeks are there at once; others when `arrive` is called."""

    def __init__(self, make: Maker = synthetic.incident, *, instant: bool = True, at: float = FIRST) -> None:
        self.make = make
        self.instant = instant
        self.link = LinkState("live", where="outage.vtr")
        self.error = ""
        self.notes: list[str] = []
        self.timeline = timeline()
        self.position = PlaybackPosition(at=at)
        self.view = View()
        self.asked: list[View] = []
        self.kept: list[tuple[str, str, float, str]] = []
        self.why_not = ""
        self.latest: Snapshot | None = None

    @property
    def past(self) -> FakePast | None:
        return self

    def look(self) -> None:
        """A picture of the moment where it stands."""
        ticks = int((self.position.at - synthetic.AT) * TICKS_PER_S)
        self.latest = replace(self.make(self.view, ticks), at=self.position.at, view=self.view)

    def ask(self, view: View, call: Callable[[Snapshot], None] | None = None) -> None:
        self.view = view
        self.asked.append(view)
        self.look()
        if call and self.latest is not None:
            threading.Thread(target=call, args=(self.latest,), daemon=True).start()

    def operate(self, act: Act) -> str:
        self.kept.append((act.act, act.text, act.at, act.call_id))
        return self.why_not

    def move(self, **changes: object) -> None:
        self.position = replace(self.position, **changes)

    def play(self) -> None:
        self.move(playing=True, actual_speed=self.position.speed)

    def pause(self) -> None:
        self.move(playing=False, actual_speed=NAN)

    def set_speed(self, speed: float) -> None:
        self.move(speed=speed)

    def set_loop(self, loop: bool) -> None:
        self.move(loop=loop)

    def seek(self, at: float) -> None:
        self.move(seeking=at)
        if self.instant:
            self.arrive()

    def arrive(self) -> None:
        """The seek that is under way is there."""
        if not isnan(self.position.seeking):
            at = self.timeline.last_at if self.position.seeking == inf else self.position.seeking
            self.move(at=max(at, FIRST), seeking=NAN, why="end of recording" if at >= LAST else "")
            self.look()


def live_feed(make: Maker = synthetic.incident, *, instant: bool = True) -> tuple[FakeFeed, FakePast]:
    """A live feed ten minutes after the beginning, and what it keeps."""
    feed = FakeFeed(make)
    feed.past = FakePast(make, instant=instant)
    feed.step(600 * TICKS_PER_S)
    return feed, feed.past


def replay(make: Maker = synthetic.incident, *, at: float = 300.0, instant: bool = True) -> FakePast:
    """A recording, standing still so many seconds after its beginning."""
    past = FakePast(make, instant=instant, at=FIRST + at)
    past.look()
    return past
