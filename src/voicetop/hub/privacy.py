"""Batches for viewers who may not read what callers and agents say.

An event is taken apart and only the fields that voicetop knows are kept, without the spoken words: a transcript in
a field or a type of event that nobody has told us of must not pass. Numbers and stamps stay, so that a viewer's
figures are everybody's.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from voicetop.wire.events import EVENT_TYPES
from voicetop.wire.frames import RawBatch

SPOKEN = frozenset({"user_text", "agent_text", "arguments", "result"})
_KEPT = {name: (frozenset(kind.__struct_fields__) | {"type"}) - SPOKEN for name, kind in EVENT_TYPES.items()}
_ENVELOPE = frozenset({"type", "ts", "event_id", "source"})
_batch = msgspec.json.Decoder(RawBatch)


def without_transcripts(frame: bytes) -> bytes:
    """A batch frame with the same stamps and without the words."""
    batch = _batch.decode(frame)
    events = [Raw(_strip(event)) for event in batch.events]
    return msgspec.json.encode(RawBatch(seq=batch.seq, at=batch.at, events=events, local=batch.local))


def _strip(raw: Raw) -> bytes:
    try:
        event: dict[str, Any] = msgspec.json.decode(raw)
        kept = {name: event[name] for name in event.keys() & _KEPT.get(event["type"], _ENVELOPE)}
        if kept["type"] == "malformed":
            kept["payload"] = ""
        return msgspec.json.encode({"type": kept.pop("type"), **kept})
    except (msgspec.MsgspecError, OverflowError, RecursionError):  # a number that no decoder here can hold
        return b'{"type":"withheld"}'
