"""Goes through a whole recording in the background: what happened when, and the checkpoints that make seeking fast.

It folds what a player folds, in a session of its own, when nobody waits for the processor.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import structs

from voicetop.alerts.signals import Effect
from voicetop.clock import Clock, WallClock
from voicetop.engine.config import EngineConfig
from voicetop.engine.snapshot import Severity
from voicetop.engine.snapshot.timeline import Note, Timeline
from voicetop.errors import VoicetopError
from voicetop.replay.annotations import RecordingNotes
from voicetop.views.timeline_builder import TimelineBuilder

if TYPE_CHECKING:
    from voicetop.replay.frame_cursor import FrameCursor
    from voicetop.replay.memory_checkpoints import MemoryCheckpoints
    from voicetop.replay.recording_set import RecordingSet
    from voicetop.session import Session

TOLD_S = 0.25
"""How often it tells what it has found."""
WORK_S = 0.02
PAUSE_S = 0.005
"""It works so long, then lets the threads that paint and seek go first for so long."""
BUSY_S = 0.1
"""While somebody waits for the processor, it folds a frame in such a time."""
GROWTH_S = 1.0
SHORT = 16 * 1024 * 1024
"""A recording of so many bytes is gone through each time it is opened, for the sake of states in memory."""


class TimelineScan:
    """A `projector.TimelineSource`. `remarks` are the notes about this recording; `states` takes states in memory."""

    def __init__(
        self,
        config: Callable[[], EngineConfig] | None = None,
        remarks: RecordingNotes | None = None,
        states: MemoryCheckpoints | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._make_config = config
        self._remarks = remarks
        self._states = states
        if remarks is not None:
            remarks.when_kept = lambda _: self._renewed.set()
        self._clock = clock or WallClock()
        self._timeline = Timeline()
        self._chronicle = TimelineBuilder()
        self._renewed = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._worked_at = self._told_at = 0.0
        self._tell_more: Callable[[], None] = lambda: None
        """Tells of what was found by now."""

    @property
    def timeline(self) -> Timeline:
        return self._timeline

    def begin(self, reel: RecordingSet, idle: threading.Event) -> None:
        """Go through `reel`, while `idle` is set."""
        self._thread = threading.Thread(
            target=self._run, args=(reel, idle), name="voicetop timeline", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._renewed.set()
        if self._thread is not None:
            self._thread.join(2.0)

    def _run(self, reel: RecordingSet, idle: threading.Event) -> None:
        from voicetop.replay import timeline_cache  # noqa: PLC0415 - behind the first frame, as all that needs numpy
        from voicetop.replay.cursor import ReplaySession  # noqa: PLC0415

        session = ReplaySession(self._make_config() if self._make_config is not None else None)
        key = timeline_cache.key_of(session)
        try:
            told = timeline_cache.look_up(reel, key)
            if told is not None:
                self._chronicle = TimelineBuilder.continuing(told)
            else:
                follow(session, self._chronicle)
            self._hear_notes()
            if told is None:
                self._go_through(reel, session, key, idle)
                return
            self._tell(reel, complete=True)
            if self._states is not None and sum(part.path.stat().st_size for part in reel.parts) <= SHORT:
                self._go_through(reel, session, "", idle)
            else:
                self._build(reel, idle)
        except VoicetopError:  # the player says so when it comes there
            self._tell(reel, complete=True)

    def _build(self, reel: RecordingSet, idle: threading.Event) -> None:
        """The timeline is known: see that the checkpoints are there too, and hear of notes."""
        self._tell_more = lambda: self._tell(reel, complete=True)
        for part in list(reel.parts):
            part.build(lambda: self._pause(idle))
        while not self._stop.is_set():
            self._wait_for_notes()
            self._tell(reel, complete=True)

    def _go_through(self, reel: RecordingSet, session: Session, key: str, idle: threading.Event) -> None:
        """All that was written by now, file after file; then what is written meanwhile.

        With `key` the timeline is gathered, and kept under it.
        """
        from voicetop.recording.reader import Place  # noqa: PLC0415
        from voicetop.replay import timeline_cache  # noqa: PLC0415
        from voicetop.replay.frame_cursor import FrameCursor  # noqa: PLC0415

        if (states := self._states) is not None:
            session.on_beat.append(lambda _: states.look(reel, session))
        self._tell_more = lambda: self._tell(reel, complete=not key)
        place, epoch, part = Place(0, 0), "", reel.parts[0]
        for part in list(reel.parts):
            place, epoch = part.go_through(session, lambda: self._pause(idle))
            if self._stop.is_set():
                return
        if not key:  # the timeline was known; it goes on with what is written meanwhile
            follow(session, self._chronicle)
        with contextlib.closing(FrameCursor(reel.files, part.path, place, epoch)) as trail:
            while self._fold(trail, session):
                reel.refresh()
                self._tell(reel, complete=True)
                if key and not reel.growing:
                    timeline_cache.keep(reel, key, self._timeline)
                    key = ""
                self._wait_for_notes()

    def _fold(self, trail: FrameCursor, session: Session) -> bool:
        """Fold what has come; False where it is to end."""
        for _, frame in trail:
            session.feed(frame)
            if self._stop.is_set():
                break
        return not self._stop.is_set()

    def _wait_for_notes(self) -> None:
        self._renewed.wait(GROWTH_S)
        self._renewed.clear()
        self._hear_notes()

    def _pause(self, idle: threading.Event) -> bool:
        """Between two frames: let others go first, tell what was found; True where it is to end."""
        if not idle.is_set():
            idle.wait(BUSY_S)
        now = self._clock.monotonic()
        if now - self._worked_at >= WORK_S:
            self._stop.wait(PAUSE_S)
            self._worked_at = self._clock.monotonic()
        if now - self._told_at >= TOLD_S:
            self._told_at = now
            if self._renewed.is_set():
                self._renewed.clear()
                self._hear_notes()
            self._tell_more()
        return self._stop.is_set()

    def _tell(self, reel: RecordingSet, *, complete: bool) -> None:
        timeline = self._chronicle.timeline(complete=complete)
        self._timeline = structs.replace(
            timeline, first_at=reel.first_at or timeline.first_at, last_at=reel.last_at or timeline.last_at
        )

    def _hear_notes(self) -> None:
        for act in list(self._remarks.acts) if self._remarks is not None else ():
            self._chronicle.add_act(act, act.ts)


def follow(session: Session, chronicle: TimelineBuilder) -> None:
    """Let `chronicle` gather what happens in `session`."""
    session.on_beat.append(lambda beat: chronicle.step(session.engine, beat.at, session.severity))
    session.on_effect.append(lambda effect: _tell_effect(chronicle, effect))


def _tell_effect(chronicle: TimelineBuilder, effect: Effect) -> None:
    if effect.reason == "resolved":
        chronicle.add(Note(effect.at, "resolved", effect.summary))
    elif effect.reason == "fired" and not effect.silenced:
        severity: Severity = "down" if effect.tier == "critical" else "degraded"
        chronicle.add(Note(effect.at, "alert", effect.summary, severity))
