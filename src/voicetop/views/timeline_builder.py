"""What happened when, gathered at heartbeats while a feed is folded: the same for a live feed and for a recording.

A look at every heartbeat costs next to nothing: counters are subtracted, and lists are gone through only where they
changed. Memory is bounded: slots grow wider as time goes on, and of many notes those of people are kept longest.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from voicetop.alerts import trouble_text
from voicetop.engine.snapshot import NAN, Severity
from voicetop.engine.snapshot.timeline import GRAVITY, Note, NoteKind, Timeline
from voicetop.formatting.numbers import known
from voicetop.wire.events import Marker, Operator, Security
from voicetop.wire.text import safe_label

if TYPE_CHECKING:
    from voicetop.engine.engine import Engine

MOST_SLOTS = 1024
MOST_NOTES = 2000
BY_PEOPLE: frozenset[NoteKind] = frozenset(["bookmark", "note"])
_ACTS: dict[str, NoteKind] = {"bookmark": "bookmark", "note": "note"}
_Told = Marker | Security | Operator


class TimelineBuilder:
    """Call `step` at every heartbeat, `note` for what others know; `timeline` gives it all as a frozen value."""

    def __init__(self) -> None:
        self.first_at = NAN
        self.last_at = NAN
        self._step = 1
        self._start = 0
        self._turns: list[int] = []
        self._errors: list[int] = []
        self._gravity: list[int] = []
        self._notes: list[Note] = []
        self._engine: Engine | None = None
        self._counted = (0, 0, 0, 0)
        self._lists: tuple[object, ...] = ()
        self._known: set[tuple[object, ...]] = set()
        self._heard: set[str] = set()
        self._standing: dict[str, str] = {}
        self._silent = False

    @classmethod
    def of(cls, timeline: Timeline) -> TimelineBuilder:
        """What goes on from a timeline that was gathered before."""
        chronicle = cls()
        chronicle.first_at, chronicle.last_at = timeline.first_at, timeline.last_at
        chronicle._step = int(timeline.step)
        chronicle._start = int(timeline.start // timeline.step) if timeline.turns else 0
        chronicle._turns, chronicle._errors = list(timeline.turns), list(timeline.errors)
        chronicle._gravity = list(timeline.gravity)
        chronicle._notes = list(timeline.notes)
        return chronicle

    def step(self, engine: Engine, at: float, severity: Severity = "ok") -> None:
        """Time moved to `at` (stamp time): take what the engine has met since the last heartbeat.

        `severity` is the verdict's as of now.
        """
        if not known(self.first_at):
            self.first_at = at
        self.last_at = max(at, self.last_at) if known(self.last_at) else at
        self._count(engine, at)
        self._weigh(at, severity)
        self._hear(engine, at)
        self._judge(engine, at)
        self._listen(engine, at)

    def note(self, note: Note) -> None:
        """Keep an event of note."""
        insort(self._notes, note, key=_at)
        if len(self._notes) > MOST_NOTES:
            spare = (n for n, kept in enumerate(self._notes) if kept.kind not in BY_PEOPLE)
            del self._notes[next(spare, 0)]

    def hear(self, act: Operator, at: float) -> None:
        """Keep what a person said of the moment `at`, once, wherever it was kept."""
        if act.act in _ACTS and act.event_id not in self._heard:
            if act.event_id:
                self._heard.add(act.event_id)
            self.note(Note(at, _ACTS[act.act], _words(act), by=act.by))

    def timeline(self, *, complete: bool, since: float = -math.inf) -> Timeline:
        """All of it from `since` on."""
        first_at = max(self.first_at, since) if known(self.first_at) else NAN
        skip = max(0, int(first_at // self._step) - self._start) if self._turns else 0
        return Timeline(
            first_at=first_at,
            last_at=self.last_at,
            start=float((self._start + skip) * self._step) if self._turns else NAN,
            step=float(self._step),
            turns=tuple(self._turns[skip:]),
            errors=tuple(self._errors[skip:]),
            gravity=tuple(self._gravity[skip:]),
            notes=tuple(note for note in self._notes if note.at >= since),
            complete=complete,
        )

    # -- figures ------------------------------------------------------------------------------------------------

    def _count(self, engine: Engine, at: float) -> None:
        """Replies and errors since the last look. Another engine takes over where a checkpoint was loaded.

        What came before the very first heartbeat is of before: a publisher may tell a whole day as it joins.
        """
        if engine is not self._engine:
            met = (engine.replies, engine.failures) if self._engine is None else (0, 0)
            self._miss(self._engine, at)
            self._engine = engine
            self._counted = (*met, engine.feed.gaps, engine.feed.missed)
        slot = self._slot(at)
        self._turns[slot] += engine.replies - self._counted[0]
        self._errors[slot] += engine.failures - self._counted[1]
        self._miss(engine, at)
        self._counted = (engine.replies, engine.failures, engine.feed.gaps, engine.feed.missed)

    def _weigh(self, at: float, severity: Severity) -> None:
        """The worst of a slot stands for all of it. Learning what is normal is no trouble."""
        slot = self._slot(at)
        bad = GRAVITY.index(severity) if severity in GRAVITY else 0
        self._gravity[slot] = max(self._gravity[slot], bad)

    def _miss(self, engine: Engine | None, at: float) -> None:
        if engine is not None and engine.feed.gaps > self._counted[2]:
            missed = engine.feed.missed - self._counted[3]
            label = f"{missed:,} records are missing" if missed > 0 else "records may be missing"
            self.note(Note(at, "gap", label, "blind"))

    def _slot(self, at: float) -> int:
        number = int(at // self._step)
        if not self._turns:
            self._start = number
        while number - self._start >= MOST_SLOTS:
            self._widen()
            number = int(at // self._step)
        while len(self._turns) <= number - self._start:
            self._turns.append(0)
            self._errors.append(0)
            self._gravity.append(0)
        return max(0, number - self._start)

    def _widen(self) -> None:
        """Two slots become one. Slots 3, 4, 5 of 1 s become 1 (3) and 2 (4, 5) of 2 s."""
        odd = self._start % 2
        self._turns, self._errors = (_pairs(column, odd, sum) for column in (self._turns, self._errors))
        self._gravity = _pairs(self._gravity, odd, max)
        self._start //= 2
        self._step *= 2

    # -- events of note -----------------------------------------------------------------------------------------

    def _hear(self, engine: Engine, at: float) -> None:
        """Markers, security incidents and what people did. The lists are replaced when something comes."""
        lists = (engine.markers, engine.security, engine.operators)
        if all(now is before for now, before in zip(lists, self._lists, strict=False)) and self._lists:
            return
        self._lists = lists
        keys: set[tuple[object, ...]] = set()
        for event in _chained(*lists):
            key = (type(event), event.ts, event.event_id, _words(event))
            keys.add(key)
            if key not in self._known:
                self._tell(event, at)
        self._known = keys

    def _tell(self, event: _Told, at: float) -> None:
        when = min(event.ts, at)
        if isinstance(event, Marker):
            self.note(Note(when, "marker", _words(event)))
        elif isinstance(event, Security):
            self.note(Note(when, "security", _words(event), "degraded"))
        else:
            self.hear(event, when)

    def _judge(self, engine: Engine, at: float) -> None:
        """Troubles that began or cleared at this mark."""
        standing = engine.judge.standing
        if standing.keys() == self._standing.keys():
            return
        for kind, held in standing.items():
            if kind not in self._standing:
                self.note(Note(at, "trouble", trouble_text.text(held.trouble), held.trouble.severity))
        for kind, text in self._standing.items():
            if kind not in standing:
                self.note(Note(at, "cleared", text))
        self._standing = {kind: trouble_text.text(held.trouble) for kind, held in standing.items()}

    def _listen(self, engine: Engine, at: float) -> None:
        """A hub that fell silent leaves a hole in what is known."""
        if engine.feed.local and not self._silent:
            self.note(Note(at, "gap", "the hub went silent", "blind"))
        self._silent = engine.feed.local


def _at(note: Note) -> float:
    return note.at


def _chained(*lists: Iterable[_Told]) -> Iterable[_Told]:
    for events in lists:
        yield from events


def _words(event: _Told) -> str:
    if isinstance(event, Operator):
        return safe_label(event.text or event.target)
    if isinstance(event, Marker):
        told = dict.fromkeys((event.kind, event.label, event.version))  # a label is often the version itself
        return safe_label(" ".join(filter(None, told)))
    return safe_label(" ".join(filter(None, (event.kind, event.label))))


def _pairs(column: list[int], odd: int, join: Callable[[list[int]], int]) -> list[int]:
    padded = [0] * odd + column
    return [join(padded[n : n + 2]) for n in range(0, len(padded), 2)]
