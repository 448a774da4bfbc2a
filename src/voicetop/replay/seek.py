"""The state at any moment of a recording, fast: from the nearest checkpoint before it, and the records since.

Who enters by seek comes to the same state at every later heartbeat as who played from the start.
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
from voicetop.replay.frame_cursor import FrameCursor, frames_behind
from voicetop.replay.session_cursor import SessionCursor
from voicetop.session import Session
from voicetop.wire.batches import count_to_last_heartbeat, is_welcome, split

SHARE = 0.2
"""How much of the recording's size its checkpoints may take."""

APART_S = 10.0
"""Checkpoints nearer to each other than this would save nothing that a person notices."""
MARGIN = 1.1
"""A checkpoint may turn out so much larger than the last one: to find that out is most of its work."""


class Seeker:
    """Seeks in a file. `new_session` gives an empty session; the settings in it are part of the cache's key.

    Raises RecordingError where the file is not a recording. `build` fills the cache of checkpoints; without it a seek
    reads from the last state in the recording itself. Seeking and building may go on in different threads.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        new_session: Callable[[], Session],
        *,
        share: float = SHARE,
        after: Callable[[BlockIndex], str] = lambda _: "",
    ) -> None:
        """`after` names what the file continues, where it isn't played alone: its states are other ones then."""
        self.path = Path(path)
        self._new_session = new_session
        self._share = share
        Reader(self.path).close()
        try:
            self.index = BlockIndex(self.path)
            self.checkpoints = Checkpoints(self.path, key_of(new_session()) + after(self.index))
        except OSError as error:
            raise RecordingError(f"cannot read {path}: {error.strerror}") from None

    def empty_session(self) -> Session:
        """A session that has seen nothing."""
        return self._new_session()

    def seek(self, at: float) -> SessionCursor:
        """The state at the last heartbeat that was stamped by `at` (epoch s), and what follows on it.

        Where stamps step back, at the last heartbeat before time first passes `at`. Before the first heartbeat the
        session is empty and everything follows.
        """
        session = self._new_session()
        frames = FrameCursor(lambda: [self.path], self.path, *self.enter(at, session))
        cursor = SessionCursor(session, frames)
        cursor.settle(at)
        return cursor

    def build(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Go through the file and keep checkpoints of it, up to `share` of its size; goes on where it left off.

        Does nothing where another process is at it, or where the cache can't be written.
        """
        if not self.checkpoints.begin_writing():
            return
        session, last = self._new_session(), None
        for saved in reversed(self.checkpoints.saved):
            if self._go_on_from(saved, session):
                last = saved
                break
        try:
            self._build(stop, session, last)
        finally:
            self.checkpoints.close()

    def go_through(self, session: Session, stop: Callable[[], bool] = lambda: False) -> tuple[Place, str]:
        """Fold all of the file into `session`, which stands where it begins, and keep checkpoints on the way.

        Where these can't be kept, or are already, it is folded all the same. Gives the place where it ended, and the
        epoch there.
        """
        self.checkpoints.begin_writing()
        try:
            return self._build(stop, session, None)
        finally:
            self.checkpoints.close()

    def nearest(self, at: float) -> float:
        """The stamp up to which the nearest state by `at` that is kept goes; -inf: there is only the beginning."""
        blocks = self.index.blocks[: self.index.first_after(at)]
        welcomed = next((block for block in reversed(blocks) if block.marks & STATE), None)
        untils = [saved.until for saved in self.checkpoints.saved if saved.until <= at]
        return max(untils, default=-math.inf) if welcomed is None else max(welcomed.first_at, *untils, 0.0)

    def enter(self, at: float, session: Session) -> tuple[Place, str]:
        """Bring `session` to the nearest state by `at` that is kept; the place that follows on it, and its epoch."""
        blocks = self.index.blocks[: self.index.first_after(at)]
        welcomed = next((block.offset for block in reversed(blocks) if block.marks & STATE), 0)
        kept = [saved for saved in self.checkpoints.saved if saved.until <= at]
        for saved in reversed(kept):
            if saved.place.offset < welcomed:
                break
            if self._go_on_from(saved, session):
                return saved.place, saved.epoch
        return Place(welcomed, 0), ""

    def _go_on_from(self, saved: SavedCheckpoint, session: Session) -> bool:
        """Bring `session` to a state that was kept; False where that is damaged or no longer of this recording."""
        until = bisect_right(self.index.blocks, saved.place.offset, key=lambda block: block.offset)
        blocks = self.index.blocks[:until]
        try:
            return go_on_from(session, self.checkpoints, saved, blocks=blocks, frames=self._between)
        except CheckpointError:
            return False

    def _between(self, begin: Place, epoch: str, end: Place) -> Iterator[bytes]:
        """The frames from one place to another."""
        for step in frames_behind(Reader(self.path), begin, epoch):
            here = step.place
            if here is not None and (here.offset, here.frames) >= (end.offset, end.frames):
                if here.frames == end.frames and here.offset == end.offset and end.events > here.events:
                    yield split(step.frame, end.events - here.events)[0]
                return
            yield step.frame

    def _build(
        self, stop: Callable[[], bool], session: Session, last: SavedCheckpoint | None
    ) -> tuple[Place, str]:
        """Fold what follows on `last`. A full disk is no trouble: what was kept stays right."""
        keeper = CheckpointWriter(session, self.checkpoints, last)
        until, size = (last.until, last.size) if last else (0.0, 4096)
        usual = float(size)
        place, epoch = (last.place, last.epoch) if last else (Place(0, 0), "")
        kept_at = max((saved.until for saved in self.checkpoints.saved), default=until)
        for step in frames_behind(Reader(self.path), place, epoch):
            if stop():
                break
            until, rest, here = max(until, step.at), step.frame, step.place
            room = (here.offset if here else 0) * self._share - self.checkpoints.size - keeper.waiting
            if (
                here
                and room >= MARGIN * size
                and until - kept_at >= APART_S
                and (beat := count_to_last_heartbeat(rest))
            ):
                head, rest = split(rest, beat)
                session.feed(head)
                _moved(keeper, here, step.epoch, head)
                kept_at, here = until, Place(here.offset, here.frames, here.events + beat)
                size = _kept(keeper, here, until, room)
                if size <= room:  # now and then one is larger: the next need not wait for as much room
                    usual += (size - usual) / 4 if size > usual else size - usual
                    size = int(usual)
            if rest:
                session.feed(rest)
                _moved(keeper, here, step.epoch, rest)
            if step.place:
                place, epoch = Place(step.place.offset, step.place.frames + 1), step.epoch
        with contextlib.suppress(OSError):
            keeper.close()
        return place, epoch


def _moved(keeper: CheckpointWriter, place: Place | None, epoch: str, frame: bytes) -> None:
    """A frame was folded. What can't be written of a state before it is left out."""
    with contextlib.suppress(OSError):
        keeper.moved(place, epoch, welcome=is_welcome(frame))


def _kept(keeper: CheckpointWriter, place: Place, until: float, room: float) -> int:
    """Keep a state; how many bytes it takes, too many where the disk is full."""
    try:
        return keeper.keep(place, until, room)
    except OSError:
        return sys.maxsize


def key_of(session: Session) -> str:
    """What decides how a state is computed: voicetop's version, the checkpoint's, and the settings of the engine."""
    try:
        ours = version("voicetop")
    except PackageNotFoundError:  # run from a folder of sources
        ours = ""
    parts = f"{ours} {session.checkpoint()[:5]!r} {session.digest()}"
    return hashlib.blake2b(parts.encode(), digest_size=16).hexdigest()
