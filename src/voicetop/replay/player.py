"""A recording that plays by itself on a thread of its own, and goes where it is told: what a screen holds of a replay.

The screen's thread only sets controls and looks at finished snapshots. A seek looks at the controls before each frame
that it folds: a later one replaces it, and who asks for a snapshot meanwhile gets one of where it stood before.
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
from voicetop.replay.playback_thread import NewSession, NoteKeeper, PlaybackThread, TimelineSource
from voicetop.sources import Act, LinkState

if TYPE_CHECKING:
    from voicetop.replay.recording_set import RecordingSet


class Player:
    """A `ui.feed.Past`. `open_reel` is called on its own thread, with what makes its sessions.

    `where` names the recording to people, `trouble` says what is wrong with what it plays from. `start` begins, `close`
    ends it. `ended` says that it stopped by itself: at the end, or at `until`.
    """

    def __init__(
        self,
        open_reel: Callable[[NewSession], RecordingSet],
        *,
        where: str,
        gathering: TimelineSource,
        remarks: NoteKeeper,
        config: Callable[[], EngineConfig] | None = None,
        start: PlaybackStart | None = None,
        trouble: Callable[[], str] = lambda: "",
        clock: Clock | None = None,
    ) -> None:
        start = start or PlaybackStart()
        self._where = where
        self._gathering = gathering
        self._remarks = remarks
        self._trouble = trouble
        self._controls = Controls(start)
        self._playback = PlaybackThread(
            open_reel,
            self._controls,
            gathering=gathering,
            remarks=remarks,
            config=config,
            until=start.until,
            clock=clock,
        )

    def start(self) -> None:
        """Begin, once."""
        self._playback.start()

    def wait_for_answer(self, seconds: float) -> bool:
        """Wait until the recording is open; False where it can't be."""
        self._playback.opened.wait(seconds)
        return not self._playback.error

    def close(self, timeout: float = 5.0) -> None:
        """End it."""
        self._controls.close()
        self._gathering.close()
        self._playback.join(timeout)

    # -- what the screen's thread asks ---------------------------------------------------------------------------

    @property
    def latest(self) -> Snapshot | None:
        """The newest snapshot."""
        return self._controls.pictures.latest

    @property
    def link(self) -> LinkState:
        """There is something to show as long as the recording is open."""
        if self.error:
            return LinkState("ended", where=self._where, why=self.error)
        return LinkState("live" if self._playback.reel else "connecting", where=self._where)

    @property
    def error(self) -> str:
        """Why it ended, in one line."""
        return self._named(self._playback.error)

    @property
    def notes(self) -> list[str]:
        """What could not be read, and that it is over."""
        cursor = self._playback.cursor
        notes = [self._named(note) for note in cursor.notes] if cursor else []
        notes += [trouble] if (trouble := self._trouble()) else []
        why = self.position.why
        if self._controls.done and why:
            notes = [" · ".join([f"{self._where}: {why}", *notes])]
        return [*notes, *self._remarks.failures]

    @property
    def ended(self) -> bool:
        """Whether nothing more comes by itself."""
        return self._controls.done or bool(self.error)

    @property
    def past(self) -> Player:
        """A replay is its own past."""
        return self

    @property
    def position(self) -> PlaybackPosition:
        """Where it stands."""
        position = self._controls.position
        return replace(position, why=self._named(position.why)) if position.why else position

    @property
    def timeline(self) -> Timeline:
        """What happened when, as far as is known by now."""
        timeline, reel = self._gathering.timeline, self._playback.reel
        if known(timeline.first_at) or reel is None:
            return timeline
        return Timeline(first_at=reel.first_at or NAN, last_at=reel.last_at or NAN)

    def ask(self, view: View, call: Answer | None = None) -> None:
        """From now on make snapshots for `view`; `call` gets the first of them, on the playback's own thread."""
        self._controls.ask(view, call)

    def play(self) -> None:
        """Let time go on; at the end begin again."""
        self._controls.play()

    def pause(self) -> None:
        """Stand still."""
        self._controls.pause()

    def set_speed(self, speed: float) -> None:
        """Go on at `speed` times real time."""
        self._controls.set_speed(speed)

    def set_loop(self, loop: bool) -> None:
        """Begin again at the end."""
        self._controls.set_loop(loop)

    def seek(self, at: float) -> None:
        """Go to stamp time `at`, cut to what there is."""
        if not known(at):
            return
        reel = self._playback.reel
        self._controls.seek(at, min(max(at, reel.first_at), reel.last_at) if reel else at)
        self.start()

    def operate(self, act: Act) -> str:
        """Keep what a person did; without a moment of its own, as of where it stands. Else why that can't be."""
        return self._remarks.operate(act if known(act.at) else replace(act, at=self.position.at))

    def _named(self, note: str) -> str:
        """The note with the recording's name for people: a spool's own file is nothing to them."""
        reel = self._playback.reel
        return note.replace(str(reel.path), self._where) if reel is not None else note
