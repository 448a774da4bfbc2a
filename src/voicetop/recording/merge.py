"""Writes a new recording from frames, and merges several recordings by their stamps."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from voicetop.errors import RecordingError, UsageError
from voicetop.recording.files import RecordingFile, explain
from voicetop.recording.format import Header
from voicetop.recording.notes import StoredNote, with_notes
from voicetop.recording.reader import Reader
from voicetop.recording.writer import FrameWriter
from voicetop.wire.batches import UNDECODABLE, after_seq
from voicetop.wire.frames import RawBatch, Welcome

LEVEL = 9
"""Written once and shared: worth the time of a higher level."""

_MAX_SEEN = 10_000
_decoder: msgspec.json.Decoder[RawBatch | Welcome] = msgspec.json.Decoder(RawBatch | Welcome)


def write_recording(
    path: str | os.PathLike[str], frames: Iterable[bytes], header: Header, notes: Iterable[StoredNote] = ()
) -> int:
    """Write frames, then `notes`, to a new recording; returns the number of records.

    Raises RecordingError if the file exists or can't be written; a partial file is removed.
    """
    out = Path(path)
    if out.exists():
        raise RecordingError(f"{path} already exists: give another name with -o")
    file = RecordingFile(out)
    try:
        writer = FrameWriter(file, header, level=LEVEL)
        for frame in frames:
            writer.add(frame)
            if writer.is_full:
                writer.flush()
        for note in notes:
            writer.add(note.frame(writer.seq, writer.at))
        writer.finish()
    except BaseException as error:
        out.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise RecordingError(f"cannot write {path}: {explain(error)}") from None
        raise
    finally:
        file.close()
    return writer.events


class _Extent(Struct, frozen=True):
    """The first and last stamp of one epoch in a recording."""

    epoch: str
    first: float
    last: float


class _Item(Struct, frozen=True):
    at: float
    seq: int
    source: int
    epoch: str
    frame: bytes
    decoded: RawBatch | Welcome | None

    def __lt__(self, other: _Item) -> bool:
        return self.rank() < other.rank()

    def rank(self) -> tuple[float, bool, int, int]:
        """At the same stamp a welcome comes last: another recording may hold the records it covers."""
        return self.at, isinstance(self.decoded, Welcome), self.seq, self.source


class Merge:
    """Iterates over the frames of several recordings in the order of their stamps. `notes` says what was omitted.

    Parts of one feed (the same epoch) are joined, without duplicates. Feeds that do not overlap in time stay unchanged.
    Feeds that overlap become one, with a new epoch and new seqs, which begins with the state of the earliest: states
    can't be added up.
    """

    def __init__(self, paths: list[str]) -> None:
        if len(paths) < 2:
            raise UsageError("merge takes two recordings or more: voicetop merge A B -o OUT")
        self.notes: list[str] = []
        self._paths = paths
        extents = [extent for path in paths for extent in _extents(path)]
        self.epoch = _new_epoch(extents) if _overlap(extents) else ""
        self._seen: dict[bytes, None] = {}
        self._epoch = ""
        self._seqs: dict[str, int] = {}
        self._count = 0

    def __iter__(self) -> Iterator[bytes]:
        items = heapq.merge(*(self._items(number, path) for number, path in enumerate(self._paths)))
        for item in items:
            if isinstance(item.decoded, Welcome):
                yield from self._merged_welcome(item.decoded, item) if self.epoch else self._welcome(item)
            elif self.epoch:
                yield self._renumbered(item)
            else:
                yield from self._deduplicated(item)

    def _items(self, number: int, path: str) -> Iterator[_Item]:
        """Frames of one stamp each; a stamp that steps back counts as the latest one before it."""
        reached = 0.0
        with Reader(path, span_s=0.0) as reader:
            for at, frame in with_notes(reader, path):
                reached, decoded = max(reached, at), _decode(frame)
                yield _Item(reached, reader.seq, number, reader.epoch, frame, decoded)
            self.notes += reader.notes

    def _welcome(self, item: _Item) -> Iterator[bytes]:
        """Omits a welcome that adds nothing: the records before it led to its state."""
        if item.epoch == self._epoch and item.seq <= self._seqs.get(item.epoch, -1):
            return
        self._epoch = item.epoch
        self._seqs[item.epoch] = max(item.seq, self._seqs.get(item.epoch, -1))
        yield item.frame

    def _deduplicated(self, item: _Item) -> Iterator[bytes]:
        batch = item.decoded
        if item.epoch != self._epoch:
            self._epoch = item.epoch
            yield msgspec.json.encode(Welcome(epoch=item.epoch, seq=max(0, item.seq - 1), at=item.at))
        if not isinstance(batch, RawBatch) or batch.local:
            if not self._is_duplicate(item):
                yield item.frame
            return
        merged, last_seq = self._seqs.get(item.epoch, -1), batch.seq + len(batch.events) - 1
        if merged < last_seq:
            self._seqs[item.epoch] = last_seq
            yield after_seq(item.frame, merged)

    def _is_duplicate(self, item: _Item) -> bool:
        """Whether another recording of the same feed has yielded this unnumbered frame already."""
        mark = hashlib.blake2b(f"{item.epoch} {item.source}".encode() + item.frame).digest()
        others = [
            hashlib.blake2b(f"{item.epoch} {n}".encode() + item.frame).digest()
            for n in range(len(self._paths))
            if n != item.source
        ]
        if any(other in self._seen for other in others):
            return True
        self._seen[mark] = None
        if len(self._seen) > _MAX_SEEN:
            del self._seen[next(iter(self._seen))]
        return False

    def _merged_welcome(self, welcome: Welcome, item: _Item) -> Iterator[bytes]:
        if self._epoch:
            if welcome.state:
                self.notes.append(f"the state at the beginning of {self._paths[item.source]} is omitted")
            return
        self._epoch = self.epoch
        yield msgspec.json.encode(msgspec.structs.replace(welcome, epoch=self.epoch, seq=0))

    def _renumbered(self, item: _Item) -> bytes:
        batch = item.decoded
        if not isinstance(batch, RawBatch):
            return item.frame
        self._epoch = self.epoch
        seq = self._count if batch.local else self._count + 1
        self._count += 0 if batch.local else len(batch.events)
        count = len(batch.events)
        return msgspec.json.encode(msgspec.structs.replace(batch, seq=seq, at=[(item.at, count)]))


def _decode(frame: bytes) -> RawBatch | Welcome | None:
    try:
        return _decoder.decode(frame)
    except UNDECODABLE:
        return None


def _extents(path: str) -> list[_Extent]:
    extents: dict[str, _Extent] = {}
    with Reader(path) as reader:
        for at, _ in reader.stamped():
            if at:
                old = extents.get(reader.epoch, _Extent(reader.epoch, at, at))
                extents[reader.epoch] = _Extent(reader.epoch, min(old.first, at), max(old.last, at))
    return list(extents.values())


def _overlap(extents: list[_Extent]) -> bool:
    """Whether two feeds overlap in time."""
    return any(
        a.epoch != b.epoch and max(a.first, b.first) < min(a.last, b.last)
        for a, b in itertools.combinations(extents, 2)
    )


def _new_epoch(extents: list[_Extent]) -> str:
    names = " ".join(sorted({extent.epoch for extent in extents}))
    return "merged-" + hashlib.blake2b(names.encode(), digest_size=8).hexdigest()
