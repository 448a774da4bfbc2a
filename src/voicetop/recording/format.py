"""The recording format, version 1, and its crash guarantees.

A recording (`*.vtr`) is a sequence of zstd frames, here called blocks, that hold JSON, one record per line. Any zstd
tool reads it: `zstdcat FILE | jq .`. There are five kinds of line; a reader skips kinds and fields that it doesn't
know:

    header    {"voicetop":"recording","version":1,"protocol":1,"epoch":"3f…","source":"ws://…","at":1760000000.2}
    event     {"seq":901,"at":1760000000.25,"raw":{"type":"turn.start",…}}
    local     {"seq":901,"at":1760000004.5,"local":true,"raw":{"type":"heartbeat",…}}
    welcome   {"type":"welcome","epoch":"3f…","seq":900,"oldest_seq":400,"at":…,"deployment":…,"state":"<base64>"}
    frame     {"type":"frame","seq":901,"at":1760000000.25,"frame":"<base64>"}

- A header opens the first block, and the first block of each recorder that appends to the file later; so two
  recordings joined by `cat` are a recording. Its `at` is the recorder's own clock, for people to read: nothing is
  computed from it.
- `seq` and `at` are the stamps that the hub gave the event; `raw` holds the bytes that the publisher sent, with
  one exception: a line end between two JSON tokens becomes a space, so that a record is one line. An invalid
  payload is a `malformed` event with the payload in base64, as the hub stamped it.
- A local record was made by the console itself: heartbeats while the hub was silent, a gap. It is outside the
  hub's numbering: its `seq` repeats the last one seen.
- A welcome is the hub's frame, unchanged. Its `state` is the checkpoint that the console started from, so a replay
  starts from the same one. A welcome without a state is a resume.
- In a folder of files by time (`shards.py`) each file begins with a header, then a welcome: with a state if the
  recording process also folds (hub, console), else without one, like a resume. Read in order they are one recording.
- A frame line holds a frame that is neither batch nor welcome, unchanged: a replay rejects and counts what the
  console rejected and counted. `seq` and `at` are those of the record before it.
- Nothing computed is stored as truth; a later engine reads the same records by its own rules.

Blocks. Each is a whole zstd frame with a content checksum, holds whole lines and needs nothing before it but the
epoch (the last header or welcome). Its lines carry absolute stamps, so reading can start at any block. Blocks may
have any size: the recorder closes one when its oldest line is 0.5 s old or at 1 MiB of text; another tool may pack the
same lines into larger ones. Skippable zstd frames may stand between blocks and at the end (`index.py` writes an index
of blocks and the seek table of the zstd seekable format); they hold nothing essential, and a reader may ignore them.

What survives:

- The recorder only appends (O_APPEND), one `write` per block, and holds an exclusive `flock` meanwhile. The file is
  created readable by its owner only (0600).
- kill -9 of the process loses what was not yet in a written block: at most 0.5 s of records plus the time to
  compress and write, together less than 1 s. It tears at most the last block. A reader drops a torn block and reports
  it; a recorder that appends to the file cuts it off first. Bytes are cut only after the last whole block.
- Power loss or a kernel crash: the file is synced every 5 s and on closing, so that at most the last 5 s and the
  unfinished block are lost, if the disk honours the sync. Blocks after a hole (pages that never reached the disk) are
  found by their magic number and verified by their checksums.
- A damaged block in the middle costs only that block: the reader resumes at the next magic number and puts a gap
  event (why "damaged") in its place.
- A file that is deleted, moved, replaced or truncated while it is written is followed by another, which begins with a
  state if the recorder can get one within 3 s (`files.py`). What a deleted file held is lost.
- A full disk stops the recording at the end of the last whole block, and the recorder reports it. The console keeps
  running.
- A disk slower than the feed: up to 64 MiB of frames wait in memory; then frames are dropped and counted, the
  recorder reports it, and a gap event (why "recorder") takes their place.
"""

from __future__ import annotations

import contextlib
import itertools
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from voicetop.errors import RecordingError
from voicetop.wire.batches import UNDECODABLE, batch_frame, expand_stamps
from voicetop.wire.events import Gap
from voicetop.wire.frames import RawBatch

VERSION = 1
PROTOCOL = 1
BLOCK_BYTES = 1024 * 1024


class Header(Struct, frozen=True, kw_only=True):
    """Describes the file. `source` is a readable description of where the records came from."""

    voicetop: Literal["recording"]
    version: int = VERSION
    protocol: int = PROTOCOL
    epoch: str = ""
    source: str = ""
    at: float = 0.0


class EventLine(Struct, frozen=True, gc=False):
    """A record stamped by the hub."""

    seq: int
    at: float
    raw: Raw


class LocalLine(Struct, frozen=True, gc=False):
    """A record stamped by the console itself."""

    seq: int
    at: float
    local: bool
    raw: Raw


class FrameLine(Struct, frozen=True, kw_only=True, tag_field="type", tag="frame"):
    """A frame that is neither batch nor welcome."""

    seq: int
    at: float
    frame: bytes


class RecordLine(Struct, frozen=True, gc=False):
    """Any line, as the reader sees it: a header has `voicetop`, a welcome or frame `type`, a record `raw`."""

    seq: int = -1
    at: float = 0.0
    raw: Raw | UnsetType = UNSET
    local: bool = False
    type: str = ""
    voicetop: str = ""


_encoder = msgspec.json.Encoder()
_header_decoder = msgspec.json.Decoder(Header)


def header_line(header: Header) -> bytes:
    return _encoder.encode(header) + b"\n"


def record_lines(batch: RawBatch) -> bytes:
    """One line per record of a batch. Raw bytes pass through unparsed."""
    ats = expand_stamps(batch.at, len(batch.events))
    if batch.local:
        local = itertools.repeat(True)
        return _encoder.encode_lines(
            list(map(LocalLine, itertools.repeat(batch.seq), ats, local, batch.events))
        )
    return _encoder.encode_lines(list(map(EventLine, itertools.count(batch.seq), ats, batch.events)))


def frame_line(seq: int, at: float, frame: bytes) -> bytes:
    """The line of a frame that is neither batch nor welcome."""
    return _encoder.encode(FrameLine(seq=seq, at=at, frame=frame)) + b"\n"


def gap_frame(at: float, last_seq: int, next_seq: int, why: str) -> bytes:
    """A local batch with a gap event: records between these two seqs are missing, or may be (then it counts none).

    After 7 and before 12 the gap is 8 to 11. After 7 and before 8 it is 8 to 7: empty.
    """
    gap = Gap(ts=at, from_seq=last_seq + 1, to_seq=next_seq - 1, why=why)
    return batch_frame(last_seq, [at], [Raw(_encoder.encode(gap))], local=True)


def parse_header(line: bytes, name: str) -> Header:
    """Parse a header line. Raises RecordingError if it is not a header, or of a later version."""
    try:
        header = _header_decoder.decode(line)
    except UNDECODABLE:
        raise RecordingError(f"{name} is not a recording: its first line is not a header") from None
    if header.version > VERSION:
        raise RecordingError(
            f"{name} is a recording of version {header.version}, this voicetop reads version {VERSION}: "
            "update voicetop"
        )
    return header


def event_of(raw: Raw) -> Any:
    """A recorded event as plain values, without fields of its own that hold what no decoder can. Raises as msgspec."""
    try:
        return msgspec.json.decode(raw)
    except msgspec.ValidationError:  # a number out of range
        fields: dict[str, Raw] = msgspec.json.decode(raw, type=dict[str, Raw])
    event = {}
    for name, value in fields.items():
        with contextlib.suppress(msgspec.ValidationError):
            event[name] = msgspec.json.decode(value)
    return event
