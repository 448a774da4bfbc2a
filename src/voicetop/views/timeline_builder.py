"""Builds the timeline at heartbeats while a feed is processed, in the same way for a live feed and a recording.

A step costs little: counters are subtracted, and lists are read only if they changed. Memory is bounded: slots widen
over time, and people's notes are kept longest.
"""

from __future__ import annotations

import itertools
import math
from bisect import insort
from collections.abc import Callable
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
_NotedEvent = Marker | Security | Operator


class TimelineBuilder:
    """Call `step` at every heartbeat, and `add` for events from elsewhere; `timeline` returns the result."""

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
        self._added: set[tuple[object, ...]] = set()
        self._act_ids: set[str] = set()
        self._troubles: dict[str, str] = {}
        self._silent = False

    @classmethod
    def continuing(cls, timeline: Timeline) -> TimelineBuilder:
        """Continue from an earlier timeline."""
        builder = cls()
        builder.first_at, builder.last_at = timeline.first_at, timeline.last_at
        builder._step = int(timeline.step)
        builder._start = int(timeline.start // timeline.step) if timeline.turns else 0
        builder._turns, builder._errors = list(timeline.turns), list(timeline.errors)
        builder._gravity = list(timeline.gravity)
        builder._notes = list(timeline.notes)
        return builder

    def step(self, engine: Engine, at: float, severity: Severity = "ok") -> None:
        """Record what happened since the last heartbeat; `at` is stamp time, `severity` the verdict's now."""
        if not known(self.first_at):
            self.first_at = at
        self.last_at = max(at, self.last_at) if known(self.last_at) else at
        self._count(engine, at)
        self._grade(at, severity)
        self._add_events(engine, at)
        self._add_troubles(engine, at)
        self._add_silence(engine, at)

    def add(self, note: Note) -> None:
        """Add a note."""
        insort(self._notes, note, key=_at)
        if len(self._notes) > MOST_NOTES:
            spare = (n for n, kept in enumerate(self._notes) if kept.kind not in BY_PEOPLE)
            del self._notes[next(spare, 0)]

    def add_act(self, act: Operator, at: float) -> None:
        """Add a person's note or bookmark about the time `at`, once, wherever it was stored."""
        if act.act in _ACTS and act.event_id not in self._act_ids:
            if act.event_id:
                self._act_ids.add(act.event_id)
            self.add(Note(at, _ACTS[act.act], _text(act), by=act.by))

    def timeline(self, *, complete: bool, since: float = -math.inf) -> Timeline:
        """The timeline from `since` on."""
        first_at = max(self.first_at, since) if known(self.first_at) else NAN
        dropped = max(0, int(first_at // self._step) - self._start) if self._turns else 0
        return Timeline(
            first_at=first_at,
            last_at=self.last_at,
            start=float((self._start + dropped) * self._step) if self._turns else NAN,
            step=float(self._step),
            turns=tuple(self._turns[dropped:]),
            errors=tuple(self._errors[dropped:]),
            gravity=tuple(self._gravity[dropped:]),
            notes=tuple(note for note in self._notes if note.at >= since),
            complete=complete,
        )

    # -- figures ------------------------------------------------------------------------------------------------

    def _count(self, engine: Engine, at: float) -> None:
        """Count replies and errors since the last step. The engine changes when a checkpoint is loaded.

        Counts before the very first heartbeat are left out: a publisher may send a whole day when it joins.
        """
        if engine is not self._engine:
            counted = (engine.replies, engine.failures) if self._engine is None else (0, 0)
            self._add_gap(self._engine, at)
            self._engine = engine
            self._counted = (*counted, engine.feed.gaps, engine.feed.missed)
        slot = self._slot(at)
        self._turns[slot] += engine.replies - self._counted[0]
        self._errors[slot] += engine.failures - self._counted[1]
        self._add_gap(engine, at)
        self._counted = (engine.replies, engine.failures, engine.feed.gaps, engine.feed.missed)

    def _grade(self, at: float, severity: Severity) -> None:
        """Keep the worst severity of a slot."""
        slot = self._slot(at)
        self._gravity[slot] = max(self._gravity[slot], GRAVITY.index(severity))

    def _add_gap(self, engine: Engine | None, at: float) -> None:
        if engine is not None and engine.feed.gaps > self._counted[2]:
            missed = engine.feed.missed - self._counted[3]
            label = f"{missed:,} records are missing" if missed > 0 else "records may be missing"
            self.add(Note(at, "gap", label, "blind"))

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
        """Merge slots in pairs. Slots 3, 4, 5 of 1 s become 1 (3) and 2 (4, 5) of 2 s."""
        offset = self._start % 2
        self._turns, self._errors = (_pairs(column, offset, sum) for column in (self._turns, self._errors))
        self._gravity = _pairs(self._gravity, offset, max)
        self._start //= 2
        self._step *= 2

    # -- notes --------------------------------------------------------------------------------------------------

    def _add_events(self, engine: Engine, at: float) -> None:
        """Add new markers, security incidents and acts. The engine replaces a list when it changes."""
        lists = (engine.markers, engine.security, engine.operators)
        if all(now is before for now, before in zip(lists, self._lists, strict=False)) and self._lists:
            return
        self._lists = lists
        keys: set[tuple[object, ...]] = set()
        for event in itertools.chain[_NotedEvent](*lists):
            key = (type(event), event.ts, event.event_id, _text(event))
            keys.add(key)
            if key not in self._added:
                self._add_event(event, at)
        self._added = keys

    def _add_event(self, event: _NotedEvent, at: float) -> None:
        when = min(event.ts, at)
        if isinstance(event, Marker):
            self.add(Note(when, "marker", _text(event)))
        elif isinstance(event, Security):
            self.add(Note(when, "security", _text(event), "degraded"))
        else:
            self.add_act(event, when)

    def _add_troubles(self, engine: Engine, at: float) -> None:
        """Add troubles that began, came back or recovered at this mark."""
        on = {key: active.trouble for key, active in engine.judge.standing.items() if active.on}
        if on.keys() == self._troubles.keys():
            return
        for key, trouble in on.items():
            if key not in self._troubles:
                self.add(Note(at, "trouble", trouble_text.text(trouble), trouble.severity))
        for key, text in self._troubles.items():
            if key not in on:
                self.add(Note(at, "cleared", text))
        self._troubles = {key: trouble_text.text(trouble) for key, trouble in on.items()}

    def _add_silence(self, engine: Engine, at: float) -> None:
        """Add a gap when the hub falls silent."""
        if engine.feed.local and not self._silent:
            self.add(Note(at, "gap", "the hub went silent", "blind"))
        self._silent = engine.feed.local


def _at(note: Note) -> float:
    return note.at


def _text(event: _NotedEvent) -> str:
    if isinstance(event, Operator):
        return safe_label(event.text or event.target)
    if isinstance(event, Marker):
        words = dict.fromkeys((event.kind, event.label, event.version))  # a label is often the version itself
        return safe_label(" ".join(filter(None, words)))
    return safe_label(" ".join(filter(None, (event.kind, event.label))))


def _pairs(column: list[int], offset: int, join: Callable[[list[int]], int]) -> list[int]:
    padded = [0] * offset + column
    return [join(padded[n : n + 2]) for n in range(0, len(padded), 2)]
