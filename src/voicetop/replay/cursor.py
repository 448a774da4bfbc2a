"""Where a replay stands in its recordings, and how it gets to a moment: on from there, or from the nearest checkpoint.

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
"""So long after its beginning at most, a recording has its first heartbeat."""
NEAR_S = 2.0
"""So little ahead is folded rather than entered anew, even where a state is kept in between."""


class ReplaySession(Session):
    """A session that lets somebody look before each frame; who raises there leaves the frame unfolded.

    A recording outlives the version that made it: a state in it that can't be read any more is passed over, and
    `unread` says so. The records that follow are read by today's rules.
    """

    def __init__(self, config: EngineConfig | None, look: Callable[[], None] = lambda: None) -> None:
        super().__init__(config)
        self._look = look
        self.unread = ""

    def load(self, state: bytes) -> None:
        """Go on from a checkpoint, if it can be read."""
        try:
            super().load(state)
        except CheckpointError as error:
            self.unread = f"the state before this recording is unknown: it begins with {error}"

    def feed(self, frame: bytes) -> None:
        self._look()
        super().feed(frame)


class Cursor:
    """Where somebody stands in a reel. `course` is None before the first `seek`."""

    def __init__(self, reel: RecordingSet) -> None:
        self.reel = reel
        self.course: SessionCursor | None = None
        self._trail: FrameCursor | None = None
        self._notes: list[str] = []

    @property
    def session(self) -> Session | None:
        return self.course.session if self.course else None

    @property
    def at(self) -> float:
        """The last heartbeat that was folded, 0.0 before any."""
        return self.course.session.at if self.course else 0.0

    @property
    def notes(self) -> list[str]:
        """What could not be read so far, each told once."""
        trail = self._trail.notes if self._trail else []
        unread = getattr(self.session, "unread", "")
        return list(dict.fromkeys([*([unread] if unread else []), *self.reel.notes, *self._notes, *trail]))

    def seek(self, at: float) -> None:
        """Go to the last heartbeat by `at`, on from here where that is cheaper. Raises RecordingError.

        What a look raises on the way leaves the walk where it was, or somewhere between here and there.
        """
        if self.course is None or not self._goes_on_to(at):
            session = self.reel.new_session()
            trail = self.reel.enter(at, session)
            course = SessionCursor(session, trail)
            course.settle(at)
            self._leave()
            self.course, self._trail = course, trail
        else:
            self.course.settle(at)
        self.course.begin(at + FIRST_S)

    def close(self) -> None:
        """Let go of the files."""
        self._leave()

    def _goes_on_to(self, at: float) -> bool:
        return at >= self.at and (at - self.at <= NEAR_S or self.reel.nearest(at) <= self.at)

    def _leave(self) -> None:
        if self._trail is not None:
            self._notes += self._trail.notes
            self._trail.close()
