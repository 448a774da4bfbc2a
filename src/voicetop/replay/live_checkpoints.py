"""Checkpoints of a live session, saved as it runs, so that any time of its recording is near one.

Each is a file in a temporary folder. When there are too many, those closest to their neighbours for their age are
deleted: many remain of the last minutes, a few of the hours before.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from voicetop.recording.index import BlockIndex, IndexedBlock
from voicetop.recording.reader import Place, Reader
from voicetop.replay.recording_set import ExternalCheckpoint
from voicetop.wire.batches import UNDECODABLE
from voicetop.wire.frames import RawBatch, Welcome

MAX_CHECKPOINTS = 200
LOOK_S = 0.25
MAX_LOOKS = 40
"""How often it looks for a state's last record in the file: a recorder writes it within a second."""
GRACE_S = 60.0

_batch_decoder = msgspec.json.Decoder(RawBatch)
_welcome_decoder = msgspec.msgpack.Decoder(Welcome)


class _Pending(Struct, frozen=True):
    """A state whose place in the file is not known yet: it follows the record `welcome.seq`, stamped `at`."""

    welcome: Welcome
    at: float


class LiveCheckpoints:
    """A `recording_set.CheckpointSource`. `files` returns the files the feed is recorded to; `budget` is in bytes.

    `add` passes a state to a thread that waits until the state's last record is in a file, and finds its place there.
    """

    def __init__(self, folder: Path, files: Callable[[], list[Path]], budget: int) -> None:
        self._folder = folder
        self._files = files
        self._budget = budget
        self._checkpoints: list[ExternalCheckpoint] = []
        self._pending: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._indexes: dict[Path, BlockIndex] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="voicetop states", daemon=True)
        self._thread.start()

    def add(self, welcome: Welcome, at: float) -> None:
        """Save `welcome.state`, the state after the heartbeat stamped `at`, which was the last record."""
        self._pending.put(_Pending(welcome, at))

    def nearest(self, at: float) -> ExternalCheckpoint | None:
        """The last checkpoint at or before `at` whose file still exists."""
        before = [checkpoint for checkpoint in self._checkpoints if checkpoint.until <= at]
        return next((checkpoint for checkpoint in reversed(before) if checkpoint.file.exists()), None)

    def load(self, checkpoint: ExternalCheckpoint) -> bytes | None:
        """Its welcome frame; None if it was deleted."""
        try:
            state = (self._folder / checkpoint.name).read_bytes()
        except OSError:
            return None
        return msgspec.json.encode(_welcome_decoder.decode(state))

    def first_at(self) -> float:
        """The stamp of the first checkpoint whose file still exists; 0.0 without any."""
        return min(
            (checkpoint.until for checkpoint in self._checkpoints if checkpoint.file.exists()), default=0.0
        )

    def close(self) -> None:
        """Stop the thread."""
        self._stop.set()
        self._pending.put(None)
        self._thread.join(2.0)

    # -- its own thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (pending := self._pending.get()) is not None and not self._stop.is_set():
            with contextlib.suppress(OSError):  # a full disk: earlier checkpoints remain
                self._place(pending)

    def _place(self, pending: _Pending) -> None:
        for _ in range(MAX_LOOKS):
            for file in reversed(self._files()[-2:]):
                block = self._block(file, pending)
                place = place_after(file, block, pending.welcome.seq) if block else None
                if place is not None:
                    self._save(pending, file, place)
                    return
            if self._stop.wait(LOOK_S):
                return

    def _block(self, file: Path, pending: _Pending) -> IndexedBlock | None:
        """The block that holds the record; None if it is not written yet."""
        index = self._indexes.get(file)
        if index is None:
            if not file.stat().st_size:
                return None
            index = BlockIndex(file)
            self._indexes = dict(list(self._indexes.items())[-1:]) | {file: index}
        else:
            index.refresh()
        seq, at = pending.welcome.seq, pending.at
        fits = (
            block
            for block in reversed(index.blocks)
            if block.first_seq <= seq <= block.last_seq
            and block.first_at - 1e-3 <= at <= block.last_at + 1e-3
        )
        return next(fits, None)

    def _save(self, pending: _Pending, file: Path, place: Place) -> None:
        state = msgspec.msgpack.encode(pending.welcome)
        name = f"{pending.at:.3f}-{pending.welcome.seq}.state"
        fd = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as out:
            out.write(state)
        checkpoint = ExternalCheckpoint(pending.at, file, place, pending.welcome.epoch, name, len(state))
        self._checkpoints = sorted([*self._checkpoints, checkpoint], key=lambda checkpoint: checkpoint.until)
        self._evict()

    def _evict(self) -> None:
        for checkpoint in self._checkpoints:
            if not checkpoint.file.exists():
                self._delete(checkpoint)
        while (
            len(self._checkpoints) > MAX_CHECKPOINTS
            or sum(checkpoint.size for checkpoint in self._checkpoints) > self._budget
        ):
            if len(self._checkpoints) < 3:
                break
            self._delete(most_redundant(self._checkpoints))

    def _delete(self, checkpoint: ExternalCheckpoint) -> None:
        self._checkpoints = [other for other in self._checkpoints if other is not checkpoint]
        with contextlib.suppress(OSError):
            (self._folder / checkpoint.name).unlink()


def most_redundant(checkpoints: list[ExternalCheckpoint]) -> ExternalCheckpoint:
    """The checkpoint whose neighbours are closest to each other for its age; never the first or last."""
    now = checkpoints[-1].until
    gaps = [
        ((after.until - before.until) / (now - middle.until + GRACE_S), number)
        for number, (before, middle, after) in enumerate(
            zip(checkpoints, checkpoints[1:], checkpoints[2:], strict=False), 1
        )
    ]
    return checkpoints[min(gaps)[1]]


def place_after(file: Path, block: IndexedBlock, seq: int) -> Place | None:
    """The place after the last record with this seq in a block; None if there is none, or it can't be entered."""
    place: Place | None = None
    with Reader(file) as reader:
        reader.enter(Place(block.offset, 0))
        for _, frame in reader.stamped():
            here = reader.place
            if here is None or here.offset != block.offset:
                break
            batch = _batch(frame)
            count = seq + 1 - batch.seq if batch is not None and not batch.local else 0
            if batch is not None and 0 < count <= len(batch.events):
                whole = count == len(batch.events)
                place = Place(here.offset, here.frames - (not whole), 0 if whole else count)
    return place


def _batch(frame: bytes) -> RawBatch | None:
    try:
        return _batch_decoder.decode(frame)
    except UNDECODABLE:
        return None
