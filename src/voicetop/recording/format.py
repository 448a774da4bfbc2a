"""The recording format, version 1, and what of it survives a crash.

A recording (`*.vtr`) is a sequence of zstd frames, here called blocks, that hold JSON, one record a line. Any zstd
tool reads it: `zstdcat FILE | jq .`. The lines are of five kinds; a reader skips lines of a kind, and fields of a
line, that it doesn't know:

    header    {"voicetop":"recording","version":1,"protocol":1,"epoch":"3f…","source":"ws://…","at":1760000000.2}
    event     {"seq":901,"at":1760000000.25,"raw":{"type":"turn.start",…}}
    local     {"seq":901,"at":1760000004.5,"local":true,"raw":{"type":"heartbeat",…}}
    welcome   {"type":"welcome","epoch":"3f…","seq":900,"oldest_seq":400,"at":…,"deployment":…,"state":"<base64>"}
    frame     {"type":"frame","seq":901,"at":1760000000.25,"frame":"<base64>"}

- A header opens the first block, and each block with which a recorder went on with the file later; so two
  recordings joined by `cat` are a recording. Its `at` is the recorder's own clock, for people: no time is computed
  from it.
- `seq` and `at` are the stamps that the hub gave the event; `raw` are the bytes that the publisher sent, untouched
  but for one thing: a line end between two JSON tokens becomes a space, so that a record is a line. An invalid
  payload is a `malformed` event with the payload in base64, as the hub stamped it.
- A local record was made by the console itself: heartbeats while the hub was silent, a gap. It has no place in the
  hub's numbering, its `seq` repeats the last one seen.
- A welcome is the hub's frame as it came. Its `state` is the checkpoint that the console began from, so a replay
  begins from the same. A welcome without a state is a resume.
- In a folder of files by time (`shards.py`) each file begins with a header, then a welcome: with the state of whoever
  records and folds (hub, console), else without one, as of a resume. Read one after the other they are one recording.
- A frame line holds a frame that is no batch and no welcome, just as it came: a replay refuses and counts what the
  console refused and counted. `seq` and `at` are those of the record before it.
- Nothing computed is stored as truth; a later engine reads the same records by its own rules.

Blocks. Each is a whole zstd frame with a content checksum, holds whole lines and needs nothing before it but the
epoch (the last header or welcome). Its lines carry absolute stamps, so reading can begin at any block. Block sizes
are free: the recorder closes one when its oldest line is 0.5 s old or at 1 MiB of text; another tool may pack the
same lines into larger ones. Skippable zstd frames may stand between blocks and at the end (`index.py` writes an index
of blocks and the seek table of the zstd seekable format); they never hold truth, and a reader may ignore them all.

What survives:

- The recorder only appends (O_APPEND), one `write` a block, and holds an exclusive `flock` while it does. The file
  is created readable by its owner only (0600).
- kill -9 of the process loses what was not yet in a written block: at most 0.5 s of records and the time that
  packing and writing take, together less than 1 s. It tears at most the last block. A reader drops a torn block and
  says so; a recorder that goes on with the file cuts it off first. Bytes are cut only behind the last whole block.
- Power loss or a kernel crash: the file is synced every 5 s and on closing, so that at most the last 5 s and the
  block in the making are lost, as far as the disk keeps its promises. Blocks after a hole (pages that never reached
  the disk) are found again by their magic number and checked by their checksums.
- A damaged block in the middle costs that block: the reader goes on at the next magic number and puts a gap event
  (why "damaged") in its place.
- A full disk stops the recording at the end of the last whole block, and the recorder says so. The console goes on.
- A disk slower than the feed: up to 64 MiB of frames wait in memory; then frames are left out and counted, the
  recorder says so, and a gap event (why "recorder") stands in their place.
"""

from __future__ import annotations

import itertools
from typing import Literal

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
    """What the file is. `source` says in words where the records came from."""

    voicetop: Literal["recording"]
    version: int = VERSION
    protocol: int = PROTOCOL
    epoch: str = ""
    source: str = ""
    at: float = 0.0


class EventLine(Struct, frozen=True, gc=False):
    """A stamped record of the hub."""

    seq: int
    at: float
    raw: Raw


class LocalLine(Struct, frozen=True, gc=False):
    """A record that the console stamped itself."""

    seq: int
    at: float
    local: bool
    raw: Raw


class FrameLine(Struct, frozen=True, kw_only=True, tag_field="type", tag="frame"):
    """A frame that is no batch and no welcome."""

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
    """One line for each record of a batch. Raw bytes pass through without a look."""
    ats = expand_stamps(batch.at, len(batch.events))
    if batch.local:
        local = itertools.repeat(True)
        return _encoder.encode_lines(
            list(map(LocalLine, itertools.repeat(batch.seq), ats, local, batch.events))
        )
    return _encoder.encode_lines(list(map(EventLine, itertools.count(batch.seq), ats, batch.events)))


def frame_line(seq: int, at: float, frame: bytes) -> bytes:
    """The line of a frame that is no batch and no welcome."""
    return _encoder.encode(FrameLine(seq=seq, at=at, frame=frame)) + b"\n"


def gap_frame(at: float, last_seq: int, next_seq: int, why: str) -> bytes:
    """A local batch that says: between these two stamps records are missing, or may be (then it counts none).

    Seen 7, then 12: the gap goes from 8 to 11. Seen 7, then 8: from 8 to 7.
    """
    gap = Gap(ts=at, from_seq=last_seq + 1, to_seq=next_seq - 1, why=why)
    return batch_frame(last_seq, [at], [Raw(_encoder.encode(gap))], local=True)


def parse_header(line: bytes, name: str) -> Header:
    """The header in this line. Raises RecordingError where it is none, or one of a later version."""
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
