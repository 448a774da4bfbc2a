"""A new recording from frames, and several recordings merged by their stamps."""

from __future__ import annotations

import hashlib
import heapq
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from voicetop.errors import RecordingError, UsageError
from voicetop.recording.files import RecordingFile, explain
from voicetop.recording.format import Header
from voicetop.recording.notes import Noted, with_notes
from voicetop.recording.reader import Reader
from voicetop.recording.writer import FrameWriter
from voicetop.wire.batches import UNDECODABLE, after_seq
from voicetop.wire.frames import RawBatch, Welcome

LEVEL = 9
"""What is written once and sent around may take its time to be packed."""

_REMEMBERED = 10_000
_decoder: msgspec.json.Decoder[RawBatch | Welcome] = msgspec.json.Decoder(RawBatch | Welcome)


def write_recording(
    path: str | os.PathLike[str], frames: Iterable[bytes], header: Header, notes: Iterable[Noted] = ()
) -> int:
    """A new recording of these frames; how many records are in it. Raises RecordingError, and leaves no half of one.

    `notes` go to its end. A file that is there already is left as it is.
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
        for noted in notes:
            writer.add(noted.frame(writer.seq, writer.at))
        writer.finish()
    except BaseException as error:
        out.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise RecordingError(f"cannot write {path}: {explain(error)}") from None
        raise
    finally:
        file.close()
    return writer.events


class Span(Struct, frozen=True):
    """From when to when a recording tells of one epoch."""

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
        """At one stamp a welcome comes last: what it is about may be told by another recording."""
        return self.at, isinstance(self.decoded, Welcome), self.seq, self.source


class Merge:
    """Iterate to get the frames of several recordings in the order of their stamps. `notes` says what was left out.

    Parts of one feed (the same epoch) join without a seam: what several tell is told once. Feeds that follow on each
    other stay as they are. Feeds that ran at the same time become one of a new epoch, numbered anew, that begins with
    the state of the one that begins first: states can't be added up.
    """

    def __init__(self, paths: list[str]) -> None:
        if len(paths) < 2:
            raise UsageError("merge takes two recordings or more: voicetop merge A B -o OUT")
        self.notes: list[str] = []
        self._paths = paths
        spans = [span for path in paths for span in _spans(path)]
        self.epoch = _new_epoch(spans) if _run_together(spans) else ""
        self._seen: dict[bytes, None] = {}
        self._epoch = ""
        self._seqs: dict[str, int] = {}
        self._count = 0

    def __iter__(self) -> Iterator[bytes]:
        items = heapq.merge(*(self._items(number, path) for number, path in enumerate(self._paths)))
        for item in items:
            if isinstance(item.decoded, Welcome):
                yield from self._together(item.decoded, item) if self.epoch else self._welcome(item)
            elif self.epoch:
                yield self._renumbered(item)
            else:
                yield from self._joined(item)

    def _items(self, number: int, path: str) -> Iterator[_Item]:
        """Frames of one stamp each; stamps that step back count as the latest before."""
        reached = 0.0
        with Reader(path, span_s=0.0) as reader:
            for at, frame in with_notes(reader, path):
                reached, decoded = max(reached, at), _decode(frame)
                yield _Item(reached, reader.seq, number, reader.epoch, frame, decoded)
            self.notes += reader.notes

    def _welcome(self, item: _Item) -> Iterator[bytes]:
        """One that tells nothing new is left out: the records before it have led to its state."""
        if item.epoch == self._epoch and item.seq <= self._seqs.get(item.epoch, -1):
            return
        self._epoch = item.epoch
        self._seqs[item.epoch] = max(item.seq, self._seqs.get(item.epoch, -1))
        yield item.frame

    def _joined(self, item: _Item) -> Iterator[bytes]:
        batch = item.decoded
        if item.epoch != self._epoch:
            self._epoch = item.epoch
            yield msgspec.json.encode(Welcome(epoch=item.epoch, seq=max(0, item.seq - 1), at=item.at))
        if not isinstance(batch, RawBatch) or batch.local:
            if not self._known(item):
                yield item.frame
            return
        told, last = self._seqs.get(item.epoch, -1), batch.seq + len(batch.events) - 1
        if told < last:
            self._seqs[item.epoch] = last
            yield after_seq(item.frame, told)

    def _known(self, item: _Item) -> bool:
        """Whether another recording of the same feed has told this one already, which has no number."""
        mark = hashlib.blake2b(f"{item.epoch} {item.source}".encode() + item.frame).digest()
        others = [
            hashlib.blake2b(f"{item.epoch} {n}".encode() + item.frame).digest()
            for n in range(len(self._paths))
            if n != item.source
        ]
        if any(other in self._seen for other in others):
            return True
        self._seen[mark] = None
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return False

    def _together(self, welcome: Welcome, item: _Item) -> Iterator[bytes]:
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


def _spans(path: str) -> list[Span]:
    found: dict[str, Span] = {}
    with Reader(path) as reader:
        for at, _ in reader.stamped():
            if at:
                old = found.get(reader.epoch, Span(reader.epoch, at, at))
                found[reader.epoch] = Span(reader.epoch, min(old.first, at), max(old.last, at))
    return list(found.values())


def _run_together(spans: list[Span]) -> bool:
    """Whether two feeds ran at the same time."""
    return any(
        one.epoch != other.epoch and max(one.first, other.first) < min(one.last, other.last)
        for number, one in enumerate(spans)
        for other in spans[:number]
    )


def _new_epoch(spans: list[Span]) -> str:
    names = " ".join(sorted({span.epoch for span in spans}))
    return "merged-" + hashlib.blake2b(names.encode(), digest_size=8).hexdigest()
