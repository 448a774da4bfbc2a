"""The batch frame: joins stamped records into one frame, and splits frames between records.

Frames are split only here. Raw records pass through unchanged; a frame that isn't a batch (a welcome, or bytes that
don't decode) is never split.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from typing import TypeAlias

import msgspec
from msgspec import Raw, Struct

from voicetop.wire.frames import RawBatch

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Everything that msgspec raises for bytes that don't decode as the requested type."""

Stamped: TypeAlias = tuple[float, bytes]
"""A frame, with the stamp (epoch s) of its last record."""

_WELCOME = b'{"type":"welcome"'


class Tag(Struct, frozen=True):
    """The one field that every record has."""

    type: str


_batch_decoder = msgspec.json.Decoder(RawBatch)
_tag_decoder = msgspec.json.Decoder(Tag)
_encoder = msgspec.json.Encoder()


def is_welcome(frame: bytes) -> bool:
    """Whether a frame is a hub's welcome, by its first bytes: the tag always comes first."""
    return frame.startswith(_WELCOME)


def batch_frame(seq: int, ats: list[float], events: list[Raw], *, local: bool) -> bytes:
    """Encode a batch whose first record has the stamp `seq`; `ats` has the receive time of each record (epoch s)."""
    runs = [(at, len(list(times))) for at, times in itertools.groupby(ats)]
    return _encoder.encode(RawBatch(seq=seq, at=runs, events=events, local=local))


def expand_stamps(runs: list[tuple[float, int]], count: int) -> list[float]:
    """The receive time of each of `count` events.

    Longer runs are cut; if they are too short, the last time is repeated.

    >>> expand_stamps([(1.0, 2), (2.0, 1)], 4)
    [1.0, 1.0, 2.0, 2.0]
    """
    if len(runs) == 1:
        return [runs[0][0]] * count
    ats: list[float] = []
    for at, times in runs:
        ats += [at] * min(times, count - len(ats))
        if len(ats) == count:
            return ats
    return ats + [ats[-1] if ats else 0.0] * (count - len(ats))


def first_stamp(stamped: Stamped) -> float:
    """The stamp of a frame's first record."""
    stamp, frame = stamped
    batch = _batch(frame)
    return batch.at[0][0] if batch is not None and batch.at else stamp


def split(frame: bytes, count: int) -> tuple[bytes, bytes]:
    """The first `count` records of a frame, and the rest: each is a frame, or empty."""
    batch = _batch(frame)
    if batch is None or count >= len(batch.events):
        return frame, b""
    ats = expand_stamps(batch.at, len(batch.events))
    head = batch_frame(batch.seq, ats[:count], batch.events[:count], local=batch.local)
    seq = batch.seq if batch.local else batch.seq + count
    return head, batch_frame(seq, ats[count:], batch.events[count:], local=batch.local)


def split_at(stamped: Stamped, at: float) -> tuple[list[Stamped], list[Stamped]]:
    """The part of a frame stamped at `at` (epoch s) or before, and the part after; either list may be empty."""
    stamp, frame = stamped
    batch = _batch(frame)
    if batch is None:
        return [], [stamped]
    ats = expand_stamps(batch.at, len(batch.events))
    count = bisect_right(ats, at)
    if not count:
        return [], [stamped]
    head, tail = split(frame, count)
    return [(ats[count - 1], head)], [(stamp, tail)] if tail else []


def after_seq(frame: bytes, seq: int) -> bytes:
    """The records of a batch frame after the stamp `seq`: for a console that has only part of a batch."""
    batch = _batch_decoder.decode(frame)
    skip = seq + 1 - batch.seq
    return split(frame, skip)[1] if skip > 0 else frame


def count_to_last_heartbeat(frame: bytes) -> int:
    """The number of records of a frame up to and including its last heartbeat, 0 without one; a welcome counts as 1."""
    if is_welcome(frame):
        return 1
    if b"heartbeat" not in frame:
        return 0
    events = batch.events if (batch := _batch(frame)) is not None else []
    return next((number for number in range(len(events), 0, -1) if is_heartbeat(events[number - 1])), 0)


def ends_with_heartbeat(frame: bytes) -> bool:
    """Whether the last record of a frame is a heartbeat; a welcome counts as one."""
    if is_welcome(frame):
        return True
    batch = _batch(frame) if b"heartbeat" in frame else None
    return batch is not None and bool(batch.events) and is_heartbeat(batch.events[-1])


def count_to_first_heartbeat(frame: bytes) -> int:
    """The number of records of a frame up to and including its first heartbeat, 0 without one."""
    if is_welcome(frame):
        return 1
    if b"heartbeat" not in frame:
        return 0
    events = batch.events if (batch := _batch(frame)) is not None else []
    return next((number for number, raw in enumerate(events, 1) if is_heartbeat(raw)), 0)


def may_hold_acts(data: bytes) -> bool:
    """Whether a frame, or lines of a recording, may have an operator's record; decode to be sure."""
    return b'"operator"' in data


def is_heartbeat(raw: Raw) -> bool:
    """Whether a record is a heartbeat."""
    if b"heartbeat" not in bytes(raw):
        return False
    try:
        return _tag_decoder.decode(raw).type == "heartbeat"
    except UNDECODABLE:
        return False


def _batch(frame: bytes) -> RawBatch | None:
    try:
        return _batch_decoder.decode(frame)
    except UNDECODABLE:
        return None
