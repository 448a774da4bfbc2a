"""What people note about a recording: kept in it where that can be, else beside it.

    book = Notebook("incident.vtr")
    book.add(operator_event(Act("bookmark", at=at, text="callers begin to wait"), by="ada"))  # sources/operator_events
    session.noted = [noted.act for noted in book.notes()]                                    # and it is shown

In the recording a note is a local record (`format.py`) at its end: its stamp is the last one there, so that stamps
never decrease and no heartbeat before it knows of it; its `ts` is the moment that it is about, its `seq` the last one.
Only a recording that was closed is written to, by its lock. One that may not be written, that another recorder has,
or that may still be growing under some other program gets a file beside it:

    a.vtr.notes    one JSON line (`_Head`), then each note on the line that it would have in the recording

That file is in the state folder where the recording's own folder can't be written, and for a recording that comes
through a pipe: then its header tells it from others. A folder of recordings has such a file for each of them.

`with_notes` gives a recording's frames with what is kept beside it at the end, as if it had been written there: what is
exported, merged or redacted has all of it. Replays hold the notes apart (`Session.noted`), since who jumps back to a
moment should see what was noted about it later.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import UNSET, Raw, Struct

from voicetop.errors import RecordingError, UsageError
from voicetop.formatting.numbers import known
from voicetop.locations import state_dir
from voicetop.recording.compression import ZstdDecompressor, ZstdError
from voicetop.recording.files import RecordingFile, explain, identity
from voicetop.recording.format import Header, LocalLine, RecordLine
from voicetop.recording.index import ACTS, BlockIndex, IndexedBlock, is_closed
from voicetop.recording.reader import Reader, shard_files
from voicetop.recording.redact import Redactor
from voicetop.recording.writer import FrameWriter
from voicetop.wire.batches import UNDECODABLE, batch_frame, may_hold_acts
from voicetop.wire.cleaning import clean_events
from voicetop.wire.events import NAN, NOTING, Operator
from voicetop.wire.frames import RawBatch

TABLE_SHARE = 0.001
"""Of a file whose seek table is more than this share of it, a note doesn't bring another table with it."""

_line_decoder = msgspec.json.Decoder(RecordLine)
_act_decoder: msgspec.json.Decoder[Operator] = msgspec.json.Decoder(Operator)
_batch_decoder = msgspec.json.Decoder(RawBatch)
_encoder = msgspec.json.Encoder()
_one_at_a_time = threading.Lock()
"""Two threads of this process that note at once wait for each other; of two processes one writes beside the file."""


class Noted(Struct, frozen=True):
    """A note, its stamp, and the seq that its record repeats."""

    act: Operator
    at: float
    seq: int

    def frame(self, seq: int, at: float) -> bytes:
        """The note as a local batch at another place: behind the record `seq`, stamped `at`."""
        return batch_frame(seq, [at], [Raw(_encoder.encode(self.act))], local=True)

    def redacted(self, redactor: Redactor) -> Noted:
        """The same without what is personal."""
        batch = _batch_decoder.decode(redactor.frame(self.frame(self.seq, self.at)))
        return Noted(_act_decoder.decode(batch.events[0]), self.at, self.seq)


class _Head(Struct, frozen=True, kw_only=True):
    recording: str
    voicetop: str = "notes"
    version: int = 1


_head_decoder = msgspec.json.Decoder(_Head)


class Notebook:
    """The notes of one recording: a file, a folder of files, or (by its header) one that comes through a pipe.

    Looks at the file anew each time: others may note at the same time. That goes from frame to frame: nothing for a
    small recording, 1 to 2 s for a day of 170,000 blocks, so call it from a thread where somebody waits.
    """

    def __init__(self, recording: str | os.PathLike[str] | Header) -> None:
        self._header = recording if isinstance(recording, Header) else None
        self.path = Path() if isinstance(recording, Header) else Path(recording)

    def add(self, act: Operator, at: float = NAN) -> Path:
        """Keep a note or bookmark about the moment `at` (NaN: its `ts`); the file that it stands in now.

        Raises UsageError for any other act, since a recording can't be operated, and RecordingError where it can be
        kept nowhere.
        """
        if act.act not in NOTING:
            raise UsageError(f"{act.act} works only on a live feed: a recording takes notes and bookmarks")
        if known(at):
            act = msgspec.structs.replace(act, ts=at)
        if self._header is not None:
            return _add_aside(_in_state(_mark(self._header)), _mark(self._header), Noted(act, act.ts, 0))
        if self.path.is_dir():
            return Notebook(self._shard(act.ts))._beside(act)
        with _one_at_a_time:
            return self._within(act) or self._beside(act)

    def notes(self) -> list[Noted]:
        """All of them, oldest moment first, each once. Raises RecordingError where the recording can't be read."""
        found = [noted for book in self._files() for noted in (*_in_blocks(book.path), *book._aside())]
        return sorted(_once(found if self._header is None else self._aside()), key=lambda noted: noted.act.ts)

    def beside(self) -> list[Noted]:
        """Those that are not in the recording itself, in the order in which they were made."""
        books = self._files() if self._header is None else [self]
        return [noted for book in books for noted in book._aside()]

    def _files(self) -> list[Notebook]:
        """One for each file; none for a pipe."""
        if self._header is not None:
            return []
        return list(map(Notebook, shard_files(self.path))) if self.path.is_dir() else [self]

    def _aside(self) -> list[Noted]:
        if self._header is not None:
            return _read_aside(_in_state(_mark(self._header)), _mark(self._header))
        mark = _identity_of(self.path)
        return [
            noted for place in (_next_to(self.path), _in_state(mark)) for noted in _read_aside(place, mark)
        ]

    def _shard(self, at: float) -> Path:
        """The file of a folder in whose time the moment lies, or that ended last before it."""
        files = shard_files(self.path)
        if not files:
            raise RecordingError(f"cannot add a note to {self.path}: it contains no recordings (*.vtr)")
        begun = [path for path in files if _index(path).first_at <= at]
        return begun[-1] if begun else files[0]

    def _within(self, act: Operator) -> Path | None:
        """Append it to the recording; None where that may not be."""
        try:
            if not os.stat(self.path).st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):  # noqa: PTH116
                return None
            if not is_closed(self.path):
                return None
            file = RecordingFile(self.path)
        except (OSError, RecordingError):
            return None
        try:
            index = BlockIndex(self.path)
            writer = FrameWriter(file, Header(voicetop="recording"))
            writer.add(Noted(act, 0.0, 0).frame(_last_seq(index), max(index.last_at, 0.0)))
            writer.finish(share=TABLE_SHARE)
        except OSError as error:
            raise RecordingError(f"cannot add a note to {self.path}: {explain(error)}") from None
        finally:
            file.close()
        return self.path

    def _beside(self, act: Operator) -> Path:
        index, mark = _index(self.path), _identity_of(self.path)
        noted = Noted(act, max(index.last_at, act.ts), _last_seq(index))
        place = _next_to(self.path)
        if _may_write(place) and _head_of(place) in (None, mark):
            try:
                return _add_aside(place, mark, noted)
            except RecordingError:
                pass
        return _add_aside(_in_state(mark), mark, noted)


def with_notes(
    reader: Reader, recording: str | os.PathLike[str] | None = None
) -> Iterator[tuple[float, bytes]]:
    """The frames of a recording with their stamps, and at the end what is kept beside it. None: it is a pipe."""
    yield from reader.stamped()
    for noted in Notebook(recording if recording is not None else reader.header).beside():
        yield reader.at, noted.frame(reader.seq, reader.at)


def about(path: str | os.PathLike[str], start: float, end: float) -> list[Noted]:
    """What was noted about a part of a recording, but stands behind it: what a cut has to take along."""
    book = Notebook(path)
    aside = {noted.act.event_id for noted in book.beside()}
    return [
        noted
        for noted in book.notes()
        if start <= noted.act.ts <= end and (noted.at > end or noted.act.event_id in aside)
    ]


def _once(notes: Iterable[Noted]) -> Iterator[Noted]:
    seen: set[str] = set()
    for noted in notes:
        if not noted.act.event_id or noted.act.event_id not in seen:
            seen.add(noted.act.event_id)
            yield noted


# -- in the recording -------------------------------------------------------------------------------------------------


def _in_blocks(path: Path) -> list[Noted]:
    found: list[Noted] = []
    with path.open("rb") as file:
        for block in _index(path).blocks:
            if block.marks & ACTS:
                file.seek(block.offset)
                found += _in_text(_unpacked(file.read(block.size)))
    return found


def _unpacked(packed: bytes) -> bytes:
    try:
        return ZstdDecompressor().decompress(packed)
    except ZstdError:  # damage: whoever plays it says so
        return b""


def _in_text(text: bytes) -> list[Noted]:
    return [noted for line in text.split(b"\n") if may_hold_acts(line) for noted in _noted(line)]


def _noted(line: bytes) -> Iterator[Noted]:
    """The note that a line holds; what is none, or torn, is left out."""
    try:
        told = _line_decoder.decode(line)
        if told.raw is UNSET:
            return
        act = _act_decoder.decode(told.raw)
    except UNDECODABLE:
        return
    if act.act in NOTING:
        clean_events([act])
        yield Noted(act, told.at, told.seq)


def _index(path: Path) -> BlockIndex:
    try:
        return BlockIndex(path)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is empty"
        raise RecordingError(f"cannot read {path}: {why}") from None


def _last_seq(index: BlockIndex) -> int:
    return next((block.last_seq for block in reversed(index.blocks) if _numbered(block)), 0)


def _numbered(block: IndexedBlock) -> bool:
    return block.last_seq >= 0


# -- beside it --------------------------------------------------------------------------------------------------------


def _next_to(recording: Path) -> Path:
    return recording.with_name(recording.name + ".notes")


def _in_state(mark: str) -> Path:
    return state_dir() / "notes" / f"{mark}.notes"


def _mark(header: Header) -> str:
    """What tells a recording that comes through a pipe from others."""
    told = f"{header.epoch} {header.source} {header.at!r}"
    return hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _identity_of(recording: Path) -> str:
    try:
        return identity(recording)
    except OSError as error:
        raise RecordingError(f"cannot read {recording}: {error.strerror}") from None


def _may_write(place: Path) -> bool:
    folder = place.parent
    try:
        mode = (place if place.exists() else folder).stat().st_mode
    except OSError:
        return False
    return bool(mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)) and os.access(folder, os.W_OK)


def _head_of(place: Path) -> str | None:
    """Which recording a file of notes belongs to; None where there is none."""
    try:
        with place.open("rb") as file:
            return _head_decoder.decode(file.readline(65_536)).recording
    except FileNotFoundError:
        return None
    except (OSError, *UNDECODABLE):
        return ""


def _read_aside(place: Path, mark: str) -> list[Noted]:
    if _head_of(place) != mark:
        return []
    try:
        return _in_text(place.read_bytes())
    except OSError:
        return []


def _add_aside(place: Path, mark: str, noted: Noted) -> Path:
    """Append a line. A last line that a crash has torn is left as it is, and counts for nothing."""
    line = _encoder.encode(LocalLine(noted.seq, noted.at, True, Raw(_encoder.encode(noted.act)))) + b"\n"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(place, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "r+b") as file:
            fcntl.flock(fd, fcntl.LOCK_EX)
            size = file.seek(0, os.SEEK_END)
            if not size:
                line = _encoder.encode(_Head(recording=mark)) + b"\n" + line
            elif os.pread(fd, 1, size - 1) != b"\n":
                line = b"\n" + line
            os.write(fd, line)
            os.fsync(fd)
    except OSError as error:
        raise RecordingError(f"cannot write notes to {place}: {explain(error)}") from None
    return place
