"""Goes through a whole recording in the background: what happened when, and the checkpoints that make seeking fast.

It folds what a player folds, in a session of its own, when nobody waits for the processor.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import structs

from voicetop.alerts.signals import Effect
from voicetop.clock import Clock, WallClock
from voicetop.engine.chronicle import Chronicle
from voicetop.engine.config import EngineConfig
from voicetop.engine.snapshot import Severity
from voicetop.engine.timeline import Note, Timeline
from voicetop.errors import VoicetopError
from voicetop.past.remarks import Remarks
from voicetop.recording.reader import Place
from voicetop.recording.trail import Trail

if TYPE_CHECKING:
    from voicetop.recording.reel import Reel
    from voicetop.session import Session

TOLD_S = 0.25
"""How often it tells what it has found."""
WORK_S = 0.02
PAUSE_S = 0.005
"""It works so long, then lets the threads that paint and seek go first for so long."""
BUSY_S = 0.1
"""While somebody waits for the processor, it folds a frame in such a time."""
GROWTH_S = 1.0


class Survey:
    """A `player.Gathering`. `remarks` are the notes about this recording."""

    def __init__(
        self,
        config: Callable[[], EngineConfig] | None = None,
        remarks: Remarks | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._make_config = config
        self._remarks = remarks
        if remarks is not None:
            remarks.when_kept = lambda _: self._renewed.set()
        self._clock = clock or WallClock()
        self._timeline = Timeline()
        self._chronicle = Chronicle()
        self._renewed = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def timeline(self) -> Timeline:
        return self._timeline

    def begin(self, reel: Reel[Session], idle: threading.Event) -> None:
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

    def _run(self, reel: Reel[Session], idle: threading.Event) -> None:
        from voicetop.past.walk import Walker  # noqa: PLC0415 - behind the first frame

        session = Walker(self._make_config() if self._make_config is not None else None)
        follow(session, self._chronicle)
        trail = Trail(reel.files, reel.parts[0].path, Place(0, 0))
        try:
            self._hear_notes()
            while not self._stop.is_set():
                self._go_through(trail, session, reel, idle)
                reel.refresh()
                self._tell(reel, complete=True)
                self._renewed.wait(GROWTH_S)
                self._renewed.clear()
                self._hear_notes()
        except VoicetopError:  # the player says so when it comes there
            self._tell(reel, complete=True)
        finally:
            trail.close()

    def _go_through(self, trail: Trail, session: Session, reel: Reel[Session], idle: threading.Event) -> None:
        """All that was written by now."""
        told = worked = self._clock.monotonic()
        for _, frame in trail:
            session.feed(frame)
            if not idle.is_set():
                idle.wait(BUSY_S)
            now = self._clock.monotonic()
            if now - worked >= WORK_S:
                if self._stop.wait(PAUSE_S):
                    return
                worked = self._clock.monotonic()
            if now - told >= TOLD_S:
                told = now
                self._tell(reel, complete=False)

    def _tell(self, reel: Reel[Session], *, complete: bool) -> None:
        timeline = self._chronicle.timeline(complete=complete)
        self._timeline = structs.replace(
            timeline, first_at=reel.first_at or timeline.first_at, last_at=reel.last_at or timeline.last_at
        )

    def _hear_notes(self) -> None:
        for act in list(self._remarks.acts) if self._remarks is not None else ():
            self._chronicle.hear(act, act.ts)


def follow(session: Session, chronicle: Chronicle) -> None:
    """Let `chronicle` gather what happens in `session`."""
    session.on_beat.append(lambda beat: chronicle.step(session.engine, beat.at))
    session.on_effect.append(lambda effect: _tell_effect(chronicle, effect))


def _tell_effect(chronicle: Chronicle, effect: Effect) -> None:
    if effect.reason == "resolved":
        chronicle.note(Note(effect.at, "resolved", effect.summary))
    elif effect.reason == "fired" and not effect.silenced:
        severity: Severity = "down" if effect.tier == "critical" else "degraded"
        chronicle.note(Note(effect.at, "alert", effect.summary, severity))
