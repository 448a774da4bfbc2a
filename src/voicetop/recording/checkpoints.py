"""States of a session at moments of a recording, in a file beside it: a cache that makes seeking fast.

    a.vtr.ckpt      one JSON line (`_Head`), then for each checkpoint: sizes and hash | MessagePack of `Saved` | state

It is never truth. It is keyed by what computed it (version, checkpoint format, the engine's settings) and by the
recording's first bytes; one of another key is written anew, one that is torn is used up to there, and a state whose
hash is wrong is passed over. Deleting it costs nothing but time.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from voicetop.locations import state_dir
from voicetop.recording.reader import Place

_RECORD = struct.Struct("<II16s")
_ID_BYTES = 4096
_MARK_BYTES = 256


class _Head(Struct, frozen=True, kw_only=True):
    key: str
    recording: str
    voicetop: str = "checkpoints"


class Saved(Struct, frozen=True):
    """The state behind `place`, where time had come to `until` (epoch s); `block` knows the block again."""

    place: Place
    until: float
    epoch: str
    block: bytes
    position: int = 0
    size: int = 0


class Checkpoints:
    """The cache of one recording. Reading needs nothing; `begin_writing` takes the lock of those who add to it."""

    def __init__(self, recording: Path, key: str) -> None:
        self._recording = recording
        self._head = _Head(key=key, recording=identity(recording))
        self._out: BinaryIO | None = None
        self.path = _place_for(recording)
        self.saved: list[Saved] = self._read()

    @property
    def size(self) -> int:
        """Bytes of the states that are there."""
        return sum(saved.size + _RECORD.size for saved in self.saved)

    def begin_writing(self) -> bool:
        """Whether this process may add to it now: false where another does, or where it can't be written."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        out = os.fdopen(fd, "r+b")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.saved = self._read()
            self._cut(out)
        except OSError:
            out.close()
            return False
        self._out = out
        return True

    def add(self, saved: Saved, state: bytes) -> None:
        """Append one. Raises OSError; without `begin_writing` nothing happens."""
        if self._out is None:
            return
        meta = msgspec.msgpack.encode(msgspec.structs.replace(saved, position=0, size=len(state)))
        head = _RECORD.pack(len(meta), len(state), _hash(meta + state))
        position = self._out.tell() + len(head) + len(meta)
        self._out.write(head + meta + state)
        self._out.flush()
        self.saved.append(msgspec.structs.replace(saved, position=position, size=len(state)))

    def state(self, saved: Saved) -> bytes | None:
        """The state itself; None where it is damaged, or the recording isn't the same there."""
        meta = msgspec.msgpack.encode(msgspec.structs.replace(saved, position=0))
        try:
            with self.path.open("rb") as file:
                file.seek(saved.position - len(meta) - _RECORD.size)
                _, _, told = _RECORD.unpack(file.read(_RECORD.size))
                body = file.read(len(meta) + saved.size)
        except (OSError, ValueError, struct.error):
            return None
        right = told == _hash(body) and saved.block == block_mark(self._recording, saved.place.offset)
        return body[len(meta) :] if right else None

    def close(self) -> None:
        """Let others add to it."""
        if self._out is not None:
            self._out.close()
            self._out = None

    def _cut(self, out: BinaryIO) -> None:
        """Leave what is right of the file, and stand behind it."""
        if self.saved:
            end = self.saved[-1].position + self.saved[-1].size
        else:
            head = msgspec.json.encode(self._head) + b"\n"
            out.truncate(0)
            out.write(head)
            end = len(head)
        out.truncate(end)
        out.seek(end)

    def _read(self) -> list[Saved]:
        try:
            with self.path.open("rb") as file:
                if msgspec.json.decode(file.readline(65_536), type=_Head) != self._head:
                    return []
                return _read_saved(file, os.fstat(file.fileno()).st_size)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return []


def _read_saved(file: BinaryIO, end: int) -> list[Saved]:
    found: list[Saved] = []
    while len(head := file.read(_RECORD.size)) == _RECORD.size:
        meta_size, size, _ = _RECORD.unpack(head)
        position = file.tell() + meta_size
        if position + size > end:
            break
        try:
            saved = msgspec.msgpack.decode(file.read(meta_size), type=Saved)
        except msgspec.MsgspecError:
            break
        found.append(msgspec.structs.replace(saved, position=position, size=size))
        file.seek(position + size)
    return found


def block_mark(recording: Path, offset: int) -> bytes:
    """What tells a block from another that may one day stand at the same place."""
    with recording.open("rb") as file:
        file.seek(offset)
        return _hash(file.read(_MARK_BYTES))


def identity(recording: Path) -> str:
    """What tells this recording from others. One that grows stays the same: its header names epoch, source and time."""
    with recording.open("rb") as file:
        first = file.read(_ID_BYTES)
    size = min(first.find(b"\x28\xb5\x2f\xfd", 1) % (_ID_BYTES + 1), len(first))
    return _hash(first[:size]).hex()


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _place_for(recording: Path) -> Path:
    """Beside the recording; in the state folder where that folder is not ours to write."""
    beside = recording.with_name(recording.name + ".ckpt")
    if beside.exists() or os.access(recording.parent, os.W_OK):
        return beside
    name = _hash(os.fsencode(recording.resolve())).hex()
    return state_dir() / "checkpoints" / f"{name}.ckpt"
