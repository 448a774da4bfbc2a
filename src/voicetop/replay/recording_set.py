"""One recording or a folder of them as one timeline: its extent, and where to enter it for a given time.

A folder is written by a recorder with shards (`recording/shards.py`): files by time, of which the oldest may be deleted
and new ones appear during a replay. A file that begins with a state is independent; any other continues the last one.
"""

from __future__ import annotations

import bisect
import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from voicetop.errors import RecordingError
from voicetop.recording.files import identity
from voicetop.recording.index import STATE, BlockIndex, is_locked
from voicetop.recording.reader import Place, Reader, shard_files
from voicetop.replay.frame_cursor import FrameCursor
from voicetop.replay.seek import SHARE, Seeker
from voicetop.session import Session


class ExternalCheckpoint(Struct, frozen=True):
    """A checkpoint stored outside the recording: its stamp, and the file and place where the frames after it start."""

    until: float
    file: Path
    place: Place
    epoch: str
    name: str
    size: int = 0


class CheckpointSource(Protocol):
    """Provides checkpoints stored outside the recording."""

    def nearest(self, at: float) -> ExternalCheckpoint | None:
        """The last checkpoint at or before `at`."""

    def load(self, checkpoint: ExternalCheckpoint) -> bytes | None:
        """Its welcome frame; None if it was deleted."""


class RecordingSet:
    """Raises RecordingError if there is no recording at `path`. `first_at` and `last_at` are stamps, 0.0 without any.

    `refresh` picks up what was written since; any thread may call it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        new_session: Callable[[], Session],
        *,
        share: float = SHARE,
        states: CheckpointSource | None = None,
        earliest: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`earliest` returns the first stamp that may be sought."""
        self.path = Path(path)
        self.new_session = new_session
        self.parts: list[Seeker] = []
        self._share = share
        self._states = states
        self._earliest = earliest
        self._lock = threading.Lock()
        self._rejected: dict[Path, str] = {}
        Reader(self.path).close()
        self.refresh()
        if not self.parts:
            raise RecordingError(
                next(iter(self._rejected.values()), f"{path} is empty: nothing was recorded")
            )

    @property
    def first_at(self) -> float:
        first = next((part.index.first_at for part in self.parts if part.index.first_at), 0.0)
        return max(first, self._earliest())

    @property
    def last_at(self) -> float:
        return max((part.index.last_at for part in self.parts), default=0.0)

    @property
    def notes(self) -> list[str]:
        """Files of the folder that are not recordings, one line each."""
        return list(self._rejected.values())

    @property
    def growing(self) -> bool:
        """Whether a recorder is writing the last file: it holds an exclusive lock."""
        return bool(self.parts) and is_locked(self.parts[-1].path)

    def files(self) -> list[Path]:
        """The files, in playing order."""
        return shard_files(self.path) if self.path.is_dir() else [self.path]

    def refresh(self) -> None:
        """Add what was written since, and drop deleted files."""
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
        """The stamp of the last state at or before `at`; -inf: only the beginning."""
        checkpoint = self._states.nearest(at) if self._states else None
        number = self._part_to_enter(at)
        return max(checkpoint.until if checkpoint else -math.inf, self.parts[number].nearest(at))

    def enter(self, at: float, session: Session) -> FrameCursor:
        """Load the last stored state at or before `at` into `session`; returns the frames that follow it."""
        number = self._part_to_enter(at)
        part = self.parts[number]
        checkpoint = self._states.nearest(at) if self._states else None
        if checkpoint is not None and checkpoint.until >= part.nearest(at):
            assert self._states is not None
            state = self._states.load(checkpoint)
            if state is not None:
                session.feed(state)
                return FrameCursor(self.files, checkpoint.file, checkpoint.place, checkpoint.epoch)
        place, epoch = part.enter(at, session)
        return FrameCursor(self.files, part.path, place, epoch)

    def _part_to_enter(self, at: float) -> int:
        """The number of the file to enter: the one that covers `at`, or the last before it with a stored state."""
        parts = self.parts
        firsts = [part.index.first_at or math.inf for part in parts]
        number = max(0, bisect.bisect_right(firsts, at) - 1)
        while number > 0 and parts[number].nearest(at) == -math.inf:
            number -= 1
        return number

    def _open(self, file: Path, head: str) -> Seeker | None:
        """Open a file that continues the one named `head`; None if it is empty (so far) or not a recording."""
        if file in self._rejected:
            return None
        try:
            return (
                Seeker(
                    file,
                    self.new_session,
                    share=self._share,
                    continues=lambda index: "" if begins_with_state(index) else head,
                )
                if file.stat().st_size
                else None
            )
        except RecordingError as error:
            self._rejected[file] = str(error)
        except OSError:
            pass
        return None


def begins_with_state(index: BlockIndex) -> bool:
    """Whether a file of a folder is independent: it begins with a state."""
    first = next((block for block in index.blocks if block.first_seq >= 0 or block.marks), None)
    return first is not None and bool(first.marks & STATE)


def _refresh(part: Seeker) -> None:
    try:
        part.index.refresh()
    except OSError:  # deleted in the meantime
        return
