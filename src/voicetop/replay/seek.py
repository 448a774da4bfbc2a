"""Seeks in a recording: restores the nearest earlier checkpoint and folds the records since.

A seek leads to the same state at every later heartbeat as playing from the start.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from voicetop.errors import CheckpointError, RecordingError
from voicetop.recording.index import STATE, BlockIndex
from voicetop.recording.reader import Place, Reader
from voicetop.replay.checkpoints.store import Checkpoints, SavedCheckpoint
from voicetop.replay.checkpoints.writer import CheckpointWriter, go_on_from
from voicetop.replay.frame_cursor import FrameCursor, frames_after
from voicetop.replay.session_cursor import SessionCursor
from voicetop.session import Session
from voicetop.wire.batches import count_to_last_heartbeat, is_welcome, split

SHARE = 0.2
"""The size of the checkpoints at most, as a share of the recording's."""

APART_S = 10.0
"""Checkpoints closer together than this would save no noticeable time."""
MARGIN = 1.1
"""Allowance for a checkpoint larger than the last: its size is known only after most of the work."""


class Seeker:
    """Seeks in a file. `new_session` returns an empty session, whose settings are part of the cache key.

    Raises RecordingError if the file is not a recording. `build` fills the cache of checkpoints; without it a seek
    starts from the last state in the recording itself. Seeking and building may run in different threads.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        new_session: Callable[[], Session],
        *,
        share: float = SHARE,
        continues: Callable[[BlockIndex], str] = lambda _: "",
    ) -> None:
        """`continues` identifies the file that this one continues, if any: its states depend on that."""
        self.path = Path(path)
        self._new_session = new_session
        self._share = share
        Reader(self.path).close()
        try:
            self.index = BlockIndex(self.path)
            self.checkpoints = Checkpoints(self.path, key_of(new_session()) + continues(self.index))
        except OSError as error:
            raise RecordingError(f"cannot read {path}: {error.strerror}") from None

    def empty_session(self) -> Session:
        """A session without any records."""
        return self._new_session()

    def seek(self, at: float) -> SessionCursor:
        """The state at the last heartbeat stamped by `at` (epoch s), and the frames that follow.

        If stamps step back: the last heartbeat before they first pass `at`. Before the first heartbeat the session is
        empty and all frames follow.
        """
        session = self._new_session()
        frames = FrameCursor(lambda: [self.path], self.path, *self.enter(at, session))
        cursor = SessionCursor(session, frames)
        cursor.advance_to(at)
        return cursor

    def build(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Scan the file and save checkpoints, up to `share` of its size; continues where it left off.

        Does nothing if another process is building, or if the cache can't be written.
        """
        if not self.checkpoints.begin_writing():
            return
        session, last = self._new_session(), None
        for saved in reversed(self.checkpoints.saved):
            if self._restore(saved, session):
                last = saved
                break
        try:
            self._build(stop, session, last)
        finally:
            self.checkpoints.close()

    def scan(self, session: Session, stop: Callable[[], bool] = lambda: False) -> tuple[Place, str]:
        """Fold the whole file into `session`, which is at its beginning, and save checkpoints on the way.

        Folds even if checkpoints can't be saved or exist already. Returns the place and epoch at the end.
        """
        self.checkpoints.begin_writing()
        try:
            return self._build(stop, session, None)
        finally:
            self.checkpoints.close()

    def nearest(self, at: float) -> float:
        """The stamp of the last stored state at or before `at`; -inf: only the beginning."""
        blocks = self.index.blocks[: self.index.first_after(at)]
        welcome_at = next((block for block in reversed(blocks) if block.marks & STATE), None)
        untils = [saved.until for saved in self.checkpoints.saved if saved.until <= at]
        return (
            max(untils, default=-math.inf) if welcome_at is None else max(welcome_at.first_at, *untils, 0.0)
        )

    def enter(self, at: float, session: Session) -> tuple[Place, str]:
        """Load the last stored state at or before `at` into `session`; returns the place after it, and its epoch."""
        blocks = self.index.blocks[: self.index.first_after(at)]
        welcome_at = next((block.offset for block in reversed(blocks) if block.marks & STATE), 0)
        for saved in reversed(self.checkpoints.saved):
            if saved.until > at:
                continue
            if saved.place.offset < welcome_at:
                break
            if self._restore(saved, session):
                return saved.place, saved.epoch
        return Place(welcome_at, 0), ""

    def _restore(self, saved: SavedCheckpoint, session: Session) -> bool:
        """Restore a saved state into `session`; False if it is damaged or no longer matches the recording."""
        until = bisect_right(self.index.blocks, saved.place.offset, key=lambda block: block.offset)
        blocks = self.index.blocks[:until]
        try:
            return go_on_from(session, self.checkpoints, saved, blocks=blocks, frames=self._between)
        except CheckpointError:
            return False

    def _between(self, begin: Place, epoch: str, end: Place) -> Iterator[bytes]:
        """The frames between two places."""
        for step in frames_after(Reader(self.path), begin, epoch):
            here = step.place
            if here is not None and (here.offset, here.frames) >= (end.offset, end.frames):
                if here.frames == end.frames and here.offset == end.offset and end.events > here.events:
                    yield split(step.frame, end.events - here.events)[0]
                return
            yield step.frame

    def _build(
        self, stop: Callable[[], bool], session: Session, last: SavedCheckpoint | None
    ) -> tuple[Place, str]:
        """Fold what follows `last`. After a full disk, earlier checkpoints stay valid."""
        writer = CheckpointWriter(session, self.checkpoints, last)
        until, size = (last.until, last.size) if last else (0.0, 4096)
        typical = float(size)
        place, epoch = (last.place, last.epoch) if last else (Place(0, 0), "")
        saved_at = max((saved.until for saved in self.checkpoints.saved), default=until)
        for step in frames_after(Reader(self.path), place, epoch):
            if stop():
                break
            until, rest, here = max(until, step.at), step.frame, step.place
            room = (here.offset if here else 0) * self._share - self.checkpoints.size - writer.waiting
            if (
                here
                and room >= MARGIN * size
                and until - saved_at >= APART_S
                and (beat := count_to_last_heartbeat(rest))
            ):
                head, rest = split(rest, beat)
                session.feed(head)
                _report_move(writer, here, step.epoch, head)
                saved_at, here = until, Place(here.offset, here.frames, here.events + beat)
                size = _save(writer, here, until, room)
                if size <= room:  # now and then one is larger: the next need not wait for as much room
                    typical += (size - typical) / 4 if size > typical else size - typical
                    size = int(typical)
            if rest:
                session.feed(rest)
                _report_move(writer, here, step.epoch, rest)
            if step.place:
                place, epoch = Place(step.place.offset, step.place.frames + 1), step.epoch
        with contextlib.suppress(OSError):
            writer.close()
        return place, epoch


def _report_move(writer: CheckpointWriter, place: Place | None, epoch: str, frame: bytes) -> None:
    """Report a folded frame. If a state before it can't be written, it is dropped."""
    with contextlib.suppress(OSError):
        writer.moved(place, epoch, welcome=is_welcome(frame))


def _save(writer: CheckpointWriter, place: Place, until: float, room: float) -> int:
    """Save a state; returns its size in bytes, sys.maxsize if the disk is full."""
    try:
        return writer.keep(place, until, room)
    except OSError:
        return sys.maxsize


def key_of(session: Session) -> str:
    """A key of what determines a state: the versions of voicetop and of checkpoints, and the engine's settings."""
    try:
        ours = version("voicetop")
    except PackageNotFoundError:  # run from a folder of sources
        ours = ""
    parts = f"{ours} {session.checkpoint()[:5]!r} {session.digest()}"
    return hashlib.blake2b(parts.encode(), digest_size=16).hexdigest()
