"""One recording or a folder of them as one film: what there is from when to when, and how to get in anywhere.

A folder is what a recorder with shards leaves (`shards.py`): files by time, the oldest of which may go and new ones
come while somebody looks. A file that begins with a state stands for itself; any other continues the one before it.
"""

from __future__ import annotations

import bisect
import fcntl
import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from voicetop.errors import RecordingError
from voicetop.recording.files import identity
from voicetop.recording.index import STATE, BlockIndex
from voicetop.recording.reader import Place, Reader, shard_files
from voicetop.replay.frame_cursor import FrameCursor
from voicetop.replay.seek import SHARE, Seeker
from voicetop.session import Session


class KeptCheckpoint(Struct, frozen=True):
    """A state that was kept elsewhere than in the recording: of when, and where in which file it goes on."""

    until: float
    file: Path
    place: Place
    epoch: str
    name: str
    size: int = 0


class CheckpointSource(Protocol):
    """States that somebody keeps as a feed goes on."""

    def nearest(self, at: float) -> KeptCheckpoint | None:
        """The last one by `at`."""

    def load(self, kept: KeptCheckpoint) -> bytes | None:
        """Its welcome frame; None where it is gone."""


class RecordingSet:
    """Raises RecordingError where there is not a recording at `path`. `first_at` and `last_at` are stamps, 0.0 of none.

    `refresh` sees what was written since; it may be called from any thread.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        new_session: Callable[[], Session],
        *,
        share: float = SHARE,
        states: CheckpointSource | None = None,
        floor: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`floor` is the first moment that may be gone to."""
        self.path = Path(path)
        self.new_session = new_session
        self.parts: list[Seeker] = []
        self._share = share
        self._states = states
        self._floor = floor
        self._lock = threading.Lock()
        self._refused: dict[Path, str] = {}
        Reader(self.path).close()
        self.refresh()
        if not self.parts:
            raise RecordingError(next(iter(self._refused.values()), f"{path} is empty: nothing was recorded"))

    @property
    def first_at(self) -> float:
        first = next((part.index.first_at for part in self.parts if part.index.first_at), 0.0)
        return max(first, self._floor())

    @property
    def last_at(self) -> float:
        return max((part.index.last_at for part in self.parts), default=0.0)

    @property
    def notes(self) -> list[str]:
        """Files of the folder that are no recordings."""
        return list(self._refused.values())

    @property
    def growing(self) -> bool:
        """Whether a recorder is at the last file now: it holds an exclusive lock."""
        return bool(self.parts) and _is_locked(self.parts[-1].path)

    def files(self) -> list[Path]:
        """The files, in the order in which they are to be played."""
        return shard_files(self.path) if self.path.is_dir() else [self.path]

    def refresh(self) -> None:
        """Take in what was written since, and let go of files that were deleted."""
        with self._lock:
            files = self.files()
            known = {part.path: part for part in self.parts}
            for newest in self.parts[-1:]:
                _refresh(newest)
            parts, head = list[Seeker](), ""
            for file in files:
                part: Seeker | None = known.get(file) or self._open(file, head)
                if part is not None:
                    head = head if head and not begins_with_state(part.index) else identity(file)
                    parts.append(part)
            self.parts = parts or self.parts

    def nearest(self, at: float) -> float:
        """The stamp of the nearest state by `at`; -inf: there is only the beginning."""
        kept = self._states.nearest(at) if self._states else None
        number = self._entrance(at)
        return max(kept.until if kept else -math.inf, self.parts[number].nearest(at))

    def enter(self, at: float, session: Session) -> FrameCursor:
        """Bring `session` to the nearest state by `at` that is kept anywhere; the frames that follow on it."""
        number = self._entrance(at)
        part = self.parts[number]
        kept = self._states.nearest(at) if self._states else None
        if kept is not None and kept.until >= part.nearest(at):
            assert self._states is not None
            state = self._states.load(kept)
            if state is not None:
                session.feed(state)
                return FrameCursor(self.files, kept.file, kept.place, kept.epoch)
        place, epoch = part.enter(at, session)
        return FrameCursor(self.files, part.path, place, epoch)

    def _entrance(self, at: float) -> int:
        """Which file to enter: the one that `at` falls into, or the nearest before it in which a state is kept."""
        parts = self.parts
        firsts = [part.index.first_at or math.inf for part in parts]
        number = max(0, bisect.bisect_right(firsts, at) - 1)
        while number > 0 and parts[number].nearest(at) == -math.inf:
            number -= 1
        return number

    def _open(self, file: Path, head: str) -> Seeker | None:
        """Take in a file that continues what begins with `head`. One that holds nothing yet is looked at later."""
        if file in self._refused:
            return None
        try:
            return (
                Seeker(
                    file,
                    self.new_session,
                    share=self._share,
                    after=lambda index: "" if begins_with_state(index) else head,
                )
                if file.stat().st_size
                else None
            )
        except RecordingError as error:
            self._refused[file] = str(error)
        except OSError:
            pass
        return None


def begins_with_state(index: BlockIndex) -> bool:
    """Whether a file of a folder stands for itself: the first records in it are a state."""
    first = next((block for block in index.blocks if block.first_seq >= 0 or block.marks), None)
    return first is not None and bool(first.marks & STATE)


def _refresh(part: Seeker) -> None:
    try:
        part.index.refresh()
    except OSError:  # deleted meanwhile
        return


def _is_locked(file: Path) -> bool:
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        fcntl.flock(fd, fcntl.LOCK_UN)
        return False
    finally:
        os.close(fd)
