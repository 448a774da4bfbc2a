"""Notes and bookmarks about a recording: stored in it if possible, else in a sidecar file.

    book = Notebook("incident.vtr")
    book.add(operator_event(Act("bookmark", at=at, text="callers begin to wait"), by="ada"))  # sources/operator_events
    session.noted = [noted.act for noted in book.notes()]                                    # shows them

In the recording a note is a local record (`format.py`) at the end, with the last stamp and `seq` there, so that stamps
never decrease and no earlier heartbeat covers it. Its `ts` is the time that it is about. Only a closed recording is
written to, under its lock. A recording that is read-only, locked by a recorder, or possibly still growing under another
program gets a sidecar:

    a.vtr.notes    one JSON line (`_Head`), then each note on the line that it would have in the recording

The sidecar is in the state folder if the recording's folder can't be written, and for a recording that comes through a
pipe, which its header identifies. In a folder of recordings each file has its own.

`with_notes` yields a recording's frames followed by the notes in its sidecar, so that exports, merges and redacted
copies include them. Replays hold the notes separately (`Session.noted`), so that going
back in time also shows those made later.
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
from voicetop.recording.index import ACTS, BlockIndex, is_closed
from voicetop.recording.reader import Reader, shard_files
from voicetop.recording.redact import Redactor
from voicetop.recording.writer import FrameWriter
from voicetop.wire.batches import UNDECODABLE, batch_frame, may_hold_acts
from voicetop.wire.cleaning import clean_events
from voicetop.wire.events import NAN, NOTING, Operator
from voicetop.wire.frames import RawBatch

TABLE_SHARE = 0.001
"""A note doesn't append another seek table if that is more than this share of the file."""

_line_decoder = msgspec.json.Decoder(RecordLine)
_act_decoder: msgspec.json.Decoder[Operator] = msgspec.json.Decoder(Operator)
_batch_decoder = msgspec.json.Decoder(RawBatch)
_encoder = msgspec.json.Encoder()
_append_lock = threading.Lock()
"""Serialises threads of this process. Of two processes, the one without the file lock writes a sidecar."""


class StoredNote(Struct, frozen=True):
    """A note, its stamp, and the seq that its record repeats."""

    act: Operator
    at: float
    seq: int

    def frame(self, seq: int, at: float) -> bytes:
        """The note as a local batch placed after the record `seq`, stamped `at`."""
        return batch_frame(seq, [at], [Raw(_encoder.encode(self.act))], local=True)

    def redacted(self, redactor: Redactor) -> StoredNote:
        """A redacted copy."""
        batch = _batch_decoder.decode(redactor.frame(self.frame(self.seq, self.at)))
        return StoredNote(_act_decoder.decode(batch.events[0]), self.at, self.seq)


class _Head(Struct, frozen=True, kw_only=True):
    recording: str
    voicetop: str = "notes"
    version: int = 1


_head_decoder = msgspec.json.Decoder(_Head)


class Notebook:
    """The notes of one recording: a file, a folder of files, or (by its header) one that comes through a pipe.

    Scans the file on each call, since others may add notes. That is instant for a small recording but takes 1 to 2 s
    for a day of 170,000 blocks: call it from a thread if a user is waiting.
    """

    def __init__(self, recording: str | os.PathLike[str] | Header) -> None:
        self._header = recording if isinstance(recording, Header) else None
        self.path = Path() if isinstance(recording, Header) else Path(recording)

    def add(self, act: Operator, at: float = NAN) -> Path:
        """Store a note or bookmark about the time `at` (NaN: its `ts`); returns the file it is in.

        Raises UsageError for any other act, since a recording can't be operated, and RecordingError if it can't be
        stored anywhere.
        """
        if act.act not in NOTING:
            raise UsageError(f"{act.act} works only on a live feed: a recording takes notes and bookmarks")
        if known(at):
            act = msgspec.structs.replace(act, ts=at)
        if self._header is not None:
            identifier = _stream_identity(self._header)
            return _write_sidecar(_state_path(identifier), identifier, StoredNote(act, act.ts, 0))
        if self.path.is_dir():
            return Notebook(self._shard(act.ts))._append_to_sidecar(act)
        with _append_lock:
            return self._append_to_recording(act) or self._append_to_sidecar(act)

    def notes(self) -> list[StoredNote]:
        """All notes by time, without duplicates. Raises RecordingError if the recording can't be read."""
        stored = [note for book in self._files() for note in _stored_in(book.path)]
        return sorted(_unique([*stored, *self.sidecar_notes()]), key=lambda note: note.act.ts)

    def sidecar_notes(self) -> list[StoredNote]:
        """Notes that are not in the recording itself, in the order they were added."""
        books = self._files() if self._header is None else [self]
        return [note for book in books for note in book._sidecar_notes()]

    def _files(self) -> list[Notebook]:
        """One notebook per file; none for a pipe."""
        if self._header is not None:
            return []
        return list(map(Notebook, shard_files(self.path))) if self.path.is_dir() else [self]

    def _sidecar_notes(self) -> list[StoredNote]:
        if self._header is not None:
            identifier = _stream_identity(self._header)
            return _read_sidecar(_state_path(identifier), identifier)
        identifier = _identity_of(self.path)
        places = _sidecar_path(self.path), _state_path(identifier)
        return [note for place in places for note in _read_sidecar(place, identifier)]

    def _shard(self, at: float) -> Path:
        """The file that covers `at`, or the last one to start before it."""
        files = shard_files(self.path)
        if not files:
            raise RecordingError(f"cannot add a note to {self.path}: it contains no recordings (*.vtr)")
        started = [path for path in files if _index(path).first_at <= at]
        return started[-1] if started else files[0]

    def _append_to_recording(self, act: Operator) -> Path | None:
        """Append to the recording; None if it must not be written to."""
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
            writer.add(StoredNote(act, 0.0, 0).frame(_last_seq(index), max(index.last_at, 0.0)))
            writer.finish(share=TABLE_SHARE)
        except OSError as error:
            raise RecordingError(f"cannot add a note to {self.path}: {explain(error)}") from None
        finally:
            file.close()
        return self.path

    def _append_to_sidecar(self, act: Operator) -> Path:
        index, identifier = _index(self.path), _identity_of(self.path)
        note = StoredNote(act, max(index.last_at, act.ts), _last_seq(index))
        sidecar = _sidecar_path(self.path)
        if _is_writable(sidecar) and _owner_of(sidecar) in (None, identifier):
            try:
                return _write_sidecar(sidecar, identifier, note)
            except RecordingError:
                pass
        return _write_sidecar(_state_path(identifier), identifier, note)


def with_notes(
    reader: Reader, recording: str | os.PathLike[str] | None = None
) -> Iterator[tuple[float, bytes]]:
    """The stamped frames of a recording, then the notes in its sidecar. `recording` is None for a pipe."""
    yield from reader.stamped()
    for note in Notebook(recording if recording is not None else reader.header).sidecar_notes():
        yield reader.at, note.frame(reader.seq, reader.at)


def notes_about(path: str | os.PathLike[str], start: float, end: float) -> list[StoredNote]:
    """Notes about a part of a recording that are stored outside that part: a cut has to include them."""
    book = Notebook(path)
    sidecar = {note.act.event_id for note in book.sidecar_notes()}
    return [
        note
        for note in book.notes()
        if start <= note.act.ts <= end and (note.at > end or note.act.event_id in sidecar)
    ]


def _unique(notes: Iterable[StoredNote]) -> Iterator[StoredNote]:
    seen: set[str] = set()
    for note in notes:
        if not note.act.event_id or note.act.event_id not in seen:
            seen.add(note.act.event_id)
            yield note


# -- in the recording -------------------------------------------------------------------------------------------------


def _stored_in(path: Path) -> list[StoredNote]:
    stored: list[StoredNote] = []
    with path.open("rb") as file:
        for block in _index(path).blocks:
            if block.marks & ACTS:
                file.seek(block.offset)
                stored += _parse_notes(_unpacked(file.read(block.size)))
    return stored


def _unpacked(packed: bytes) -> bytes:
    try:
        return ZstdDecompressor().decompress(packed)
    except ZstdError:  # damage is reported when the recording is read
        return b""


def _parse_notes(text: bytes) -> list[StoredNote]:
    return [note for line in text.split(b"\n") if may_hold_acts(line) for note in _parse_note(line)]


def _parse_note(line: bytes) -> Iterator[StoredNote]:
    """The note on a line, if there is one; anything else and a torn line is skipped."""
    try:
        parsed = _line_decoder.decode(line)
        if parsed.raw is UNSET:
            return
        act = _act_decoder.decode(parsed.raw)
    except UNDECODABLE:
        return
    if act.act in NOTING:
        clean_events([act])
        yield StoredNote(act, parsed.at, parsed.seq)


def _index(path: Path) -> BlockIndex:
    try:
        return BlockIndex(path)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is empty"
        raise RecordingError(f"cannot read {path}: {why}") from None


def _last_seq(index: BlockIndex) -> int:
    return next((block.last_seq for block in reversed(index.blocks) if block.last_seq >= 0), 0)


# -- in a sidecar -----------------------------------------------------------------------------------------------------


def _sidecar_path(recording: Path) -> Path:
    return recording.with_name(recording.name + ".notes")


def _state_path(identifier: str) -> Path:
    return state_dir() / "notes" / f"{identifier}.notes"


def _stream_identity(header: Header) -> str:
    """Identifies a recording that comes through a pipe."""
    parsed = f"{header.epoch} {header.source} {header.at!r}"
    return hashlib.blake2b(parsed.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _identity_of(recording: Path) -> str:
    try:
        return identity(recording)
    except OSError as error:
        raise RecordingError(f"cannot read {recording}: {error.strerror}") from None


def _is_writable(sidecar: Path) -> bool:
    folder = sidecar.parent
    try:
        mode = (sidecar if sidecar.exists() else folder).stat().st_mode
    except OSError:
        return False
    return bool(mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)) and os.access(folder, os.W_OK)


def _owner_of(sidecar: Path) -> str | None:
    """The recording that a sidecar belongs to: None if there is no sidecar, "" if it can't be read."""
    try:
        with sidecar.open("rb") as file:
            return _head_decoder.decode(file.readline(65_536)).recording
    except FileNotFoundError:
        return None
    except (OSError, *UNDECODABLE):
        return ""


def _read_sidecar(sidecar: Path, identifier: str) -> list[StoredNote]:
    if _owner_of(sidecar) != identifier:
        return []
    try:
        return _parse_notes(sidecar.read_bytes())
    except OSError:
        return []


def _write_sidecar(sidecar: Path, identifier: str, note: StoredNote) -> Path:
    """Append a note. A last line torn by a crash stays, and is ignored."""
    line = _encoder.encode(LocalLine(note.seq, note.at, True, Raw(_encoder.encode(note.act)))) + b"\n"
    try:
        sidecar.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(sidecar, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "r+b") as file:
            fcntl.flock(fd, fcntl.LOCK_EX)
            size = file.seek(0, os.SEEK_END)
            if not size:
                line = _encoder.encode(_Head(recording=identifier)) + b"\n" + line
            elif os.pread(fd, 1, size - 1) != b"\n":
                line = b"\n" + line
            os.write(fd, line)
            os.fsync(fd)
    except OSError as error:
        raise RecordingError(f"cannot write notes to {sidecar}: {explain(error)}") from None
    return sidecar
