"""States of a session at moments of a recording, in a file beside it: a cache that makes seeking fast.

    a.vtr.ckpt      one JSON line (`_Head`), then for each checkpoint:
                    sizes and checksum | MessagePack of `SavedCheckpoint` | parts

A state is split into parts (`state_parts.py`). A part that an earlier checkpoint of the file holds isn't written again;
of one that has changed, mostly only the difference is (`deltas.py`); and events and ids that stand in the recording are
pointed to. With 1,000 calls a checkpoint takes some 0.4 MB every 90 s, a fifth of their recording. Whole states as
differences from the last one, with all events and ids, take 1.0 MB.

It is never truth. It is keyed by what computed it (version, checkpoint format, the engine's settings) and by the
recording's first bytes; one of another key is written anew, one that is torn is used up to there, and a state with a
wrong checksum is passed over. Deleting it costs nothing but time.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Self

import msgspec
from msgspec import Struct

from voicetop.engine.windows.delta_encoding import block_of
from voicetop.errors import CheckpointError
from voicetop.locations import state_dir
from voicetop.recording.compression import ZstdError, zstd_decompress
from voicetop.recording.files import fingerprint, identity
from voicetop.recording.reader import Place
from voicetop.replay.checkpoints.deltas import PackedPart, patched

_RECORD = struct.Struct("<III")
_MARK_BYTES = 256


class _Head(Struct, frozen=True, kw_only=True):
    key: str
    recording: str
    voicetop: str = "checkpoints"
    form: int = 7


class SeenIds(Struct, frozen=True):
    """Where the ids that were seen can be read: the last `young` and, before them, `old` ones of the records from
    `place` on; without these numbers all of them, on top of the part `base` if it has a name.
    """

    place: Place
    epoch: str
    young: int = -1
    old: int = -1
    base: bytes = b""


class SavedCheckpoint(Struct, frozen=True):
    """The state behind `place`, where time had come to `until` (epoch s); `block` knows the block again.

    `body` is the part to begin with. `names` are the parts that it brought, `bases` those that these differ from
    (empty: they are whole), `sizes` and `sums` (crc32) as they stand there. `turns` (the name of a part) and `fresh`
    tell what went on until the checkpoint after it (`wire.duplicates.StoredIds`). All of it begins at
    `position` of the file and takes `size` bytes.
    """

    place: Place
    until: float
    epoch: str
    deployment: str
    block: bytes
    ids: SeenIds
    body: bytes
    names: list[bytes] = []
    bases: list[bytes] = []
    sizes: list[int] = []
    sums: list[int] = []
    turns: bytes = b""
    fresh: int = 0
    position: int = 0
    size: int = 0


class _Where(Struct, frozen=True):
    position: int
    size: int
    checksum: int
    base: bytes


_head_decoder = msgspec.json.Decoder(_Head)
_saved_decoder = msgspec.msgpack.Decoder(SavedCheckpoint)


class Checkpoints:
    """The cache of one recording. Reading needs nothing; `begin_writing` takes the lock of those who add to it."""

    def __init__(self, recording: Path, key: str) -> None:
        self.recording = recording
        self._head = _Head(key=key, recording=identity(recording))
        self._out: FileIO | None = None
        self.path = _place_for(recording)
        self.parts: dict[bytes, _Where] = {}
        """Where the parts are, by name."""
        self.saved: list[SavedCheckpoint] = []
        self._take(self._read())

    @property
    def size(self) -> int:
        """Bytes of the states that are there."""
        return self.saved[-1].position + self.saved[-1].size if self.saved else 0

    def begin_writing(self) -> bool:
        """Whether this process may add to it now: false where another does, or where it can't be written."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        out = FileIO(fd, "r+b")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._take(self._read())
            self._cut(out)
        except OSError:
            out.close()
            return False
        self._out = out
        return True

    def add(self, saved: SavedCheckpoint, parts: dict[bytes, PackedPart]) -> None:
        """Append one. Raises OSError; without `begin_writing` nothing happens."""
        if self._out is None:
            return
        contents = [part.packed for part in parts.values()]
        saved = msgspec.structs.replace(
            saved,
            names=list(parts),
            bases=[part.base for part in parts.values()],
            sizes=list(map(len, contents)),
            sums=list(map(zlib.crc32, contents)),
        )
        meta = msgspec.msgpack.encode(saved)
        head = _RECORD.pack(len(meta), sum(saved.sizes), zlib.crc32(meta))
        begin = self._out.tell()
        try:
            _write(self._out, b"".join([head, meta, *contents]))
        except OSError:
            self._out.truncate(begin)
            self._out.seek(begin)
            raise
        begin += len(head) + len(meta)
        self._take([*self.saved, msgspec.structs.replace(saved, position=begin, size=sum(saved.sizes))])

    def content(self, name: bytes) -> bytes:
        """What is in a part. Raises CheckpointError."""
        try:
            with PartStore(self.path, self.parts) as contents:
                return contents.content(name)
        except OSError as error:
            raise CheckpointError(f"a checkpoint that can't be read: {error.strerror}") from None

    def open(self, saved: SavedCheckpoint) -> PartStore | None:
        """What the state can be read from; None where the recording isn't the same there."""
        try:
            if saved.block != block_mark(self.recording, saved.place.offset):
                return None
            return PartStore(self.path, self.parts)
        except OSError:
            return None

    def close(self) -> None:
        """Let others add to it."""
        if self._out is not None:
            self._out.close()
            self._out = None

    def _take(self, saved: Iterable[SavedCheckpoint]) -> None:
        found, parts = list(saved), dict[bytes, _Where]()
        for one in found[len(self.saved) :] if found[: len(self.saved)] == self.saved else found:
            position = one.position
            for name, base, size, checksum in zip(one.names, one.bases, one.sizes, one.sums, strict=False):
                parts[name] = _Where(position, size, checksum, base)
                position += size
        self.parts = {**self.parts, **parts} if found[: len(self.saved)] == self.saved else parts
        self.saved = found

    def _cut(self, out: FileIO) -> None:
        """Leave what is right of the file, and stand behind it."""
        if self.saved:
            end = self.size
        else:
            head = msgspec.json.encode(self._head) + b"\n"
            out.truncate(0)
            _write(out, head)
            end = len(head)
        out.truncate(end)
        out.seek(end)

    def _read(self) -> list[SavedCheckpoint]:
        try:
            with self.path.open("rb") as file:
                if _head_decoder.decode(file.readline(65_536)) != self._head:
                    return []
                return _read_saved(file, os.fstat(file.fileno()).st_size)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return []


class PartStore:
    """The parts that states are made of (`state_parts.StateParts`), read as asked for. Raises CheckpointError."""

    def __init__(self, path: Path, parts: dict[bytes, _Where]) -> None:
        self._file = path.open("rb", buffering=0)
        self._parts = parts

    def content(self, name: bytes) -> bytes:
        """What is in a part: the whole one that it goes back to, and all differences since."""
        chain = [self._where(name)]
        while chain[-1].base:
            chain.append(self._where(chain[-1].base))
        try:
            content = zstd_decompress(self._at(chain.pop()))
            while chain:
                content = patched(content, self._at(chain.pop()))
        except (ZstdError, ValueError) as error:
            raise CheckpointError(f"a damaged checkpoint: {error}") from None
        return content

    def block(self, name: bytes) -> bytes:
        """The same squeezed: as it stands there, where it is whole."""
        where = self._where(name)
        return block_of(self.content(name)) if where.base else self._at(where)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _where(self, name: bytes) -> _Where:
        found = self._parts.get(name)
        if found is None:
            raise CheckpointError("a damaged checkpoint: a part of it is gone")
        return found

    def _at(self, where: _Where) -> bytes:
        try:
            content = os.pread(self._file.fileno(), where.size, where.position)
        except OSError as error:
            raise CheckpointError(f"a checkpoint that can't be read: {error.strerror}") from None
        if len(content) != where.size or zlib.crc32(content) != where.checksum:
            raise CheckpointError("a damaged checkpoint: its checksum is wrong")
        return content


def _write(out: FileIO, data: bytes) -> None:
    """All of it, or OSError: a disk that is nearly full takes a part first."""
    rest = memoryview(data)
    while rest:
        rest = rest[out.write(rest) :]


def _read_saved(file: BinaryIO, end: int) -> list[SavedCheckpoint]:
    found: list[SavedCheckpoint] = []
    while len(head := file.read(_RECORD.size)) == _RECORD.size:
        meta_size, size, checksum = _RECORD.unpack(head)
        position = file.tell() + meta_size
        if position + size > end:
            break
        meta = file.read(meta_size)
        if zlib.crc32(meta) != checksum:
            break
        try:
            saved = _saved_decoder.decode(meta)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            break
        found.append(msgspec.structs.replace(saved, position=position, size=size))
        file.seek(position + size)
    return found


def block_mark(recording: Path, offset: int) -> bytes:
    """What tells a block from another that may one day stand at the same place."""
    with recording.open("rb") as file:
        file.seek(offset)
        return fingerprint(file.read(_MARK_BYTES))


def named(part: bytes) -> bytes:
    """The name of a part; that of nothing is empty."""
    return fingerprint(part)[:12] if part else b""


def _place_for(recording: Path) -> Path:
    """Beside the recording; in the state folder where that folder is not ours to write."""
    beside = recording.with_name(recording.name + ".ckpt")
    if beside.exists() or os.access(recording.parent, os.W_OK):
        return beside
    name = fingerprint(os.fsencode(recording.resolve())).hex()
    return state_dir() / "checkpoints" / f"{name}.ckpt"
