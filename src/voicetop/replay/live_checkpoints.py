"""States of a live session kept as it goes, so that any moment of what was recorded of it is near one.

A file each in a folder of this process's own. When they are too many those go whose neighbours are near, for their
age: of the last minutes there are many, of the hours before a few.
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
from voicetop.replay.recording_set import KeptCheckpoint
from voicetop.wire.batches import UNDECODABLE
from voicetop.wire.frames import RawBatch, Welcome

MOST = 200
LOOK_S = 0.25
PATIENCE = 40
"""How often it looks for the record behind which a state stands: a recorder writes it within a second."""
GRACE_S = 60.0

_batch_decoder = msgspec.json.Decoder(RawBatch)
_welcome_decoder = msgspec.msgpack.Decoder(Welcome)


class _Made(Struct, frozen=True):
    """A state that isn't placed yet: it stands behind the record that is numbered `welcome.seq`, stamped `at`."""

    welcome: Welcome
    at: float


class LiveCheckpoints:
    """A `recording_set.CheckpointSource`. `files` says where the feed is recorded; `budget` is in bytes.

    `add` hands a state to a thread that waits until the record before it is in a file, and finds its place there.
    """

    def __init__(self, folder: Path, files: Callable[[], list[Path]], budget: int) -> None:
        self._folder = folder
        self._files = files
        self._budget = budget
        self._kept: list[KeptCheckpoint] = []
        self._made: queue.SimpleQueue[_Made | None] = queue.SimpleQueue()
        self._indexes: dict[Path, BlockIndex] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="voicetop states", daemon=True)
        self._thread.start()

    def add(self, welcome: Welcome, at: float) -> None:
        """Keep a state that is `welcome.state`, as of the heartbeat that was stamped `at` and was the last record."""
        self._made.put(_Made(welcome, at))

    def nearest(self, at: float) -> KeptCheckpoint | None:
        """The last one by `at` whose records are still there."""
        before = [kept for kept in self._kept if kept.until <= at]
        return next((kept for kept in reversed(before) if kept.file.exists()), None)

    def load(self, kept: KeptCheckpoint) -> bytes | None:
        """Its welcome frame."""
        try:
            state = (self._folder / kept.name).read_bytes()
        except OSError:
            return None
        return msgspec.json.encode(_welcome_decoder.decode(state))

    def first_at(self) -> float:
        """The first moment that can be gone to, where the file that it all began with is gone; else 0.0."""
        return min((kept.until for kept in self._kept if kept.file.exists()), default=0.0)

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._made.put(None)
        self._thread.join(2.0)

    # -- its own thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (made := self._made.get()) is not None and not self._stop.is_set():
            with contextlib.suppress(OSError):  # a full disk: what was kept stays
                self._place(made)

    def _place(self, made: _Made) -> None:
        for _ in range(PATIENCE):
            for file in reversed(self._files()[-2:]):
                block = self._block(file, made)
                place = place_behind(file, block, made.welcome.seq) if block else None
                if place is not None:
                    self._keep(made, file, place)
                    return
            if self._stop.wait(LOOK_S):
                return

    def _block(self, file: Path, made: _Made) -> IndexedBlock | None:
        """The block that holds the record, as far as was written."""
        index = self._indexes.get(file)
        if index is None:
            if not file.stat().st_size:
                return None
            index = BlockIndex(file)
            self._indexes = {kept: self._indexes[kept] for kept in list(self._indexes)[-1:]} | {file: index}
        else:
            index.refresh()
        seq, at = made.welcome.seq, made.at
        fits = (
            block
            for block in reversed(index.blocks)
            if block.first_seq <= seq <= block.last_seq
            and block.first_at - 1e-3 <= at <= block.last_at + 1e-3
        )
        return next(fits, None)

    def _keep(self, made: _Made, file: Path, place: Place) -> None:
        state = msgspec.msgpack.encode(made.welcome)
        name = f"{made.at:.3f}-{made.welcome.seq}.state"
        fd = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as out:
            out.write(state)
        kept = KeptCheckpoint(made.at, file, place, made.welcome.epoch, name, len(state))
        self._kept = sorted([*self._kept, kept], key=lambda kept: kept.until)
        self._thin()

    def _thin(self) -> None:
        for gone in [kept for kept in self._kept if not kept.file.exists()]:
            self._forget(gone)
        while len(self._kept) > MOST or sum(kept.size for kept in self._kept) > self._budget:
            if len(self._kept) < 3:
                break
            self._forget(least_missed(self._kept))

    def _forget(self, kept: KeptCheckpoint) -> None:
        self._kept = [other for other in self._kept if other is not kept]
        with contextlib.suppress(OSError):
            (self._folder / kept.name).unlink()


def least_missed(kept: list[KeptCheckpoint]) -> KeptCheckpoint:
    """The one whose neighbours are nearest to each other, for its age. The first and the last stay."""
    now = kept[-1].until
    gaps = [
        ((after.until - before.until) / (now - middle.until + GRACE_S), number)
        for number, (before, middle, after) in enumerate(zip(kept, kept[1:], kept[2:], strict=False), 1)
    ]
    return kept[min(gaps)[1]]


def place_behind(file: Path, block: IndexedBlock, seq: int) -> Place | None:
    """The place behind the last record with this number in a block; None where it holds none, or can't be entered."""
    found: Place | None = None
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
                found = Place(here.offset, here.frames - (not whole), 0 if whole else count)
    return found


def _batch(frame: bytes) -> RawBatch | None:
    try:
        return _batch_decoder.decode(frame)
    except UNDECODABLE:
        return None
