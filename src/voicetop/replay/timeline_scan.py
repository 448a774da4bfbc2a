"""Scans a whole recording in the background, to build its timeline and the checkpoints that make seeking fast.

It folds the same frames as the player, in its own session, while the processor is idle.
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

PUBLISH_S = 0.25
"""Interval between published timelines."""
WORK_S = 0.02
PAUSE_S = 0.005
"""It works for WORK_S, then yields to the threads that paint and seek for PAUSE_S."""
BUSY_S = 0.1
"""While another thread needs the processor, it folds only one frame per BUSY_S."""
GROWTH_S = 1.0
SHORT = 16 * 1024 * 1024
"""A recording of up to this many bytes is scanned each time it is opened, for checkpoints in memory."""


class TimelineScan:
    """A `playback_thread.TimelineSource`. `annotations` are the notes; `states` collects memory checkpoints."""

    def __init__(
        self,
        config: Callable[[], EngineConfig] | None = None,
        annotations: RecordingNotes | None = None,
        states: MemoryCheckpoints | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._make_config = config
        self._annotations = annotations
        self._states = states
        if annotations is not None:
            annotations.on_added = lambda _: self._notes_changed.set()
        self._clock = clock or WallClock()
        self._timeline = Timeline()
        self._builder = TimelineBuilder()
        self._notes_changed = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._worked_at = self._published_at = 0.0
        self._publish_progress: Callable[[], None] = lambda: None
        """Publishes the timeline so far."""

    @property
    def timeline(self) -> Timeline:
        return self._timeline

    def begin(self, recordings: RecordingSet, idle: threading.Event) -> None:
        """Scan `recordings` while `idle` is set."""
        self._thread = threading.Thread(
            target=self._run, args=(recordings, idle), name="voicetop timeline", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._notes_changed.set()
        if self._thread is not None:
            self._thread.join(2.0)

    def _run(self, recordings: RecordingSet, idle: threading.Event) -> None:
        from voicetop.replay import timeline_cache  # noqa: PLC0415 - behind the first frame, as all that needs numpy
        from voicetop.replay.cursor import ReplaySession  # noqa: PLC0415

        session = ReplaySession(self._make_config() if self._make_config is not None else None)
        key = timeline_cache.key_of(session)
        try:
            cached = timeline_cache.load(recordings, key)
            if cached is not None:
                self._builder = TimelineBuilder.continuing(cached)
            else:
                follow(session, self._builder)
            self._add_notes()
            if cached is None:
                self._scan(recordings, session, key, idle)
                return
            self._publish(recordings, complete=True)
            if (
                self._states is not None
                and sum(part.path.stat().st_size for part in recordings.parts) <= SHORT
            ):
                self._scan(recordings, session, "", idle)
            else:
                self._build(recordings, idle)
        except VoicetopError:  # the player reports it when it gets there
            self._publish(recordings, complete=True)

    def _build(self, recordings: RecordingSet, idle: threading.Event) -> None:
        """The timeline was cached: build missing checkpoints, and add new notes."""
        self._publish_progress = lambda: self._publish(recordings, complete=True)
        for part in list(recordings.parts):
            part.build(lambda: self._yield(idle))
        while not self._stop.is_set():
            self._wait_for_notes()
            self._publish(recordings, complete=True)

    def _scan(self, recordings: RecordingSet, session: Session, key: str, idle: threading.Event) -> None:
        """Scan file after file, then what is written in the meantime.

        With `key` the timeline is built, and cached under it.
        """
        from voicetop.recording.reader import Place  # noqa: PLC0415
        from voicetop.replay import timeline_cache  # noqa: PLC0415
        from voicetop.replay.frame_cursor import FrameCursor  # noqa: PLC0415

        if (states := self._states) is not None:
            session.on_beat.append(lambda _: states.on_heartbeat(recordings, session))
        self._publish_progress = lambda: self._publish(recordings, complete=not key)
        place, epoch, part = Place(0, 0), "", recordings.parts[0]
        for part in list(recordings.parts):
            place, epoch = part.scan(session, lambda: self._yield(idle))
            if self._stop.is_set():
                return
        if not key:  # the timeline was cached: extend it with what is written in the meantime
            follow(session, self._builder)
        with contextlib.closing(FrameCursor(recordings.files, part.path, place, epoch)) as frames:
            while self._fold(frames, session):
                recordings.refresh()
                self._publish(recordings, complete=True)
                if key and not recordings.growing:
                    timeline_cache.store(recordings, key, self._timeline)
                    key = ""
                self._wait_for_notes()

    def _fold(self, frames: FrameCursor, session: Session) -> bool:
        """Fold the available frames; False if asked to stop."""
        for _, frame in frames:
            session.feed(frame)
            if self._stop.is_set():
                break
        return not self._stop.is_set()

    def _wait_for_notes(self) -> None:
        self._notes_changed.wait(GROWTH_S)
        self._notes_changed.clear()
        self._add_notes()

    def _yield(self, idle: threading.Event) -> bool:
        """Between two frames: yield to other threads and publish progress; True if asked to stop."""
        if not idle.is_set():
            idle.wait(BUSY_S)
        now = self._clock.monotonic()
        if now - self._worked_at >= WORK_S:
            self._stop.wait(PAUSE_S)
            self._worked_at = self._clock.monotonic()
        if now - self._published_at >= PUBLISH_S:
            self._published_at = now
            if self._notes_changed.is_set():
                self._notes_changed.clear()
                self._add_notes()
            self._publish_progress()
        return self._stop.is_set()

    def _publish(self, recordings: RecordingSet, *, complete: bool) -> None:
        timeline = self._builder.timeline(complete=complete)
        self._timeline = structs.replace(
            timeline,
            first_at=recordings.first_at or timeline.first_at,
            last_at=recordings.last_at or timeline.last_at,
        )

    def _add_notes(self) -> None:
        for act in list(self._annotations.acts) if self._annotations is not None else ():
            self._builder.add_act(act, act.ts)


def follow(session: Session, builder: TimelineBuilder) -> None:
    """Feed `builder` with the heartbeats and effects of `session`."""
    session.on_beat.append(lambda beat: builder.step(session.engine, beat.at, session.severity))
    session.on_effect.append(lambda effect: _note_effect(builder, effect))


def _note_effect(builder: TimelineBuilder, effect: Effect) -> None:
    if effect.reason == "resolved":
        builder.add(Note(effect.at, "resolved", effect.summary))
    elif effect.reason == "fired" and not effect.silenced:
        severity: Severity = "down" if effect.tier == "critical" else "degraded"
        builder.add(Note(effect.at, "alert", effect.summary, severity))
