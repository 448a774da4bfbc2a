"""Plays a recording on its own thread: the screen's handle of a replay.

The screen's thread only sets controls and reads finished snapshots. A seek checks the controls before each frame it
folds: a later seek replaces it, and a snapshot requested in the meantime shows the position before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from voicetop.clock import Clock
from voicetop.engine.config import EngineConfig
from voicetop.engine.snapshot import NAN, Snapshot, View
from voicetop.engine.snapshot.timeline import Timeline
from voicetop.formatting.numbers import known
from voicetop.picture_loop import Answer
from voicetop.replay.controls import Controls
from voicetop.replay.options import PlaybackPosition, PlaybackStart
from voicetop.replay.playback_thread import Annotations, NewSession, PlaybackThread, TimelineSource
from voicetop.sources import Act, LinkState

if TYPE_CHECKING:
    from voicetop.replay.recording_set import RecordingSet


class Player:
    """A `ui.feed.Past`. `open_recordings` is called on its own thread, with what makes its sessions.

    `where` is the recording's name for people, `problem` returns what is wrong with its source. Call `start`, then
    `close`. `ended` is true once playback has stopped by itself: at the end, or at `until`.
    """

    def __init__(
        self,
        open_recordings: Callable[[NewSession], RecordingSet],
        *,
        where: str,
        timeline_source: TimelineSource,
        annotations: Annotations,
        config: Callable[[], EngineConfig] | None = None,
        start: PlaybackStart | None = None,
        problem: Callable[[], str] = lambda: "",
        clock: Clock | None = None,
    ) -> None:
        start = start or PlaybackStart()
        self._where = where
        self._timeline_source = timeline_source
        self._annotations = annotations
        self._problem = problem
        self._controls = Controls(start)
        self._playback = PlaybackThread(
            open_recordings,
            self._controls,
            timeline_source=timeline_source,
            annotations=annotations,
            config=config,
            until=start.until,
            clock=clock,
        )

    def start(self) -> None:
        """Start the playback thread, once."""
        self._playback.start()

    def wait_for_answer(self, seconds: float) -> bool:
        """Wait until the recording is open; False if it can't be opened."""
        self._playback.opened.wait(seconds)
        return not self._playback.error

    def close(self, timeout: float = 5.0) -> None:
        """Stop playback and the timeline scan."""
        self._controls.close()
        self._timeline_source.close()
        self._playback.join(timeout)

    # -- called on the screen's thread ---------------------------------------------------------------------------

    @property
    def latest(self) -> Snapshot | None:
        """The newest snapshot."""
        return self._controls.pictures.latest

    @property
    def link(self) -> LinkState:
        """The link is "live" as long as the recording is open."""
        if self.error:
            return LinkState("ended", where=self._where, why=self.error)
        return LinkState("live" if self._playback.recordings else "connecting", where=self._where)

    @property
    def error(self) -> str:
        """Why it ended, in one line."""
        return self._named(self._playback.error)

    @property
    def notes(self) -> list[str]:
        """What could not be read, and why playback stopped."""
        cursor = self._playback.cursor
        notes = [self._named(note) for note in cursor.notes] if cursor else []
        notes += [problem] if (problem := self._problem()) else []
        why = self.position.why
        if self._controls.ended and why:
            notes = [" · ".join([f"{self._where}: {why}", *notes])]
        return [*notes, *self._annotations.failures]

    @property
    def ended(self) -> bool:
        """Whether playback has stopped by itself."""
        return self._controls.ended or bool(self.error)

    @property
    def past(self) -> Player:
        """A replay is its own past."""
        return self

    @property
    def position(self) -> PlaybackPosition:
        """The playback position."""
        position = self._controls.position
        return replace(position, why=self._named(position.why)) if position.why else position

    @property
    def timeline(self) -> Timeline:
        """The timeline, as far as it is known."""
        timeline, recordings = self._timeline_source.timeline, self._playback.recordings
        if known(timeline.first_at) or recordings is None:
            return timeline
        return Timeline(first_at=recordings.first_at or NAN, last_at=recordings.last_at or NAN)

    def ask(self, view: View, call: Answer | None = None) -> None:
        """Make snapshots for `view` from now on; `call` gets the first one, on the playback thread."""
        self._controls.ask(view, call)

    def play(self) -> None:
        """Play; at the end, from the beginning."""
        self._controls.play()

    def pause(self) -> None:
        """Pause."""
        self._controls.pause()

    def set_speed(self, speed: float) -> None:
        """Play at `speed` times real time."""
        self._controls.set_speed(speed)

    def set_loop(self, loop: bool) -> None:
        """Whether to restart at the end."""
        self._controls.set_loop(loop)

    def seek(self, at: float) -> None:
        """Seek to stamp time `at`, clamped to the recording."""
        if not known(at):
            return
        recordings = self._playback.recordings
        self._controls.seek(at, min(max(at, recordings.first_at), recordings.last_at) if recordings else at)
        self.start()

    def operate(self, act: Act) -> str:
        """Store an operator's act, by default at the current position. Returns "" or why it can't be done."""
        return self._annotations.operate(act if known(act.at) else replace(act, at=self.position.at))

    def _named(self, note: str) -> str:
        """The note with the recording's name for people instead of its path, which may be a spool file."""
        recordings = self._playback.recordings
        return note.replace(str(recordings.path), self._where) if recordings is not None else note
