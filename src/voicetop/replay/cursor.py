"""The position of a replay in its recordings. Seeks forward from there or from the nearest checkpoint.

No thread and no clock.
"""

from __future__ import annotations

from collections.abc import Callable

from voicetop.engine.config import EngineConfig
from voicetop.errors import CheckpointError
from voicetop.replay.frame_cursor import FrameCursor
from voicetop.replay.recording_set import RecordingSet
from voicetop.replay.session_cursor import SessionCursor
from voicetop.session import Session

FIRST_S = 5.0
"""A recording has its first heartbeat within this time of its beginning."""
NEAR_S = 2.0
"""A target this near ahead is reached by folding, even if a checkpoint lies in between."""


class ReplaySession(Session):
    """A session that calls `before_frame` before each frame; if that raises, the frame is not folded.

    A recording outlives the version that made it: a state that can't be read any more is skipped, and `load_error` says
    so. The records that follow are read by today's rules.
    """

    def __init__(self, config: EngineConfig | None, before_frame: Callable[[], None] = lambda: None) -> None:
        super().__init__(config)
        self._before_frame = before_frame
        self.load_error = ""

    def load(self, state: bytes) -> None:
        """Restore from a checkpoint, if it can be read."""
        try:
            super().load(state)
        except CheckpointError as error:
            self.load_error = f"the state before this recording is unknown: it begins with {error}"

    def feed(self, frame: bytes) -> None:
        self._before_frame()
        super().feed(frame)


class Cursor:
    """A position in `recordings`. `session_cursor` is None before the first `seek`."""

    def __init__(self, recordings: RecordingSet) -> None:
        self.recordings = recordings
        self.session_cursor: SessionCursor | None = None
        self._frames: FrameCursor | None = None
        self._notes: list[str] = []

    @property
    def session(self) -> Session | None:
        return self.session_cursor.session if self.session_cursor else None

    @property
    def at(self) -> float:
        """The stamp of the last heartbeat folded, 0.0 before any."""
        return self.session_cursor.session.at if self.session_cursor else 0.0

    @property
    def notes(self) -> list[str]:
        """What could not be read so far, without duplicates."""
        load_error = getattr(self.session, "load_error", "")
        frame_notes = self._frames.notes if self._frames else []
        notes = [load_error, *self.recordings.notes, *self._notes, *frame_notes]
        return list(dict.fromkeys(note for note in notes if note))

    @property
    def incomplete(self) -> bool:
        """Whether the end is missing of what has been read so far."""
        return self._frames is not None and self._frames.incomplete

    def seek(self, at: float) -> None:
        """Move to the last heartbeat stamped by `at`, forward from here if that is cheaper. Raises RecordingError.

        An exception from `before_frame` leaves the cursor where it was, or on the way to `at`.
        """
        if self.session_cursor is None or not self._can_advance_to(at):
            session = self.recordings.new_session()
            frames = self.recordings.enter(at, session)
            session_cursor = SessionCursor(session, frames)
            session_cursor.advance_to(at)
            self._close_frames()
            self.session_cursor, self._frames = session_cursor, frames
        else:
            self.session_cursor.advance_to(at)
        self.session_cursor.advance_to_first_beat(at + FIRST_S)

    def close(self) -> None:
        """Close the files."""
        self._close_frames()

    def _can_advance_to(self, at: float) -> bool:
        return at >= self.at and (at - self.at <= NEAR_S or self.recordings.nearest(at) <= self.at)

    def _close_frames(self) -> None:
        if self._frames is not None:
            self._notes += self._frames.notes
            self._frames.close()
