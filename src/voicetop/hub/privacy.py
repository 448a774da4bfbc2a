"""Batches for viewers who may not read what callers and agents say.

Only fields that voicetop knows are kept, without the spoken words: a transcript in an unknown field or event type must
not pass. Free text that is likely to repeat spoken words is removed too: operators' notes, an evaluator's reason, an
error's message. Operator actions, numbers and stamps stay, so that viewers see everybody's figures and incidents.
"""

from __future__ import annotations

import hashlib
import secrets

import msgspec
from msgspec import Raw

from voicetop.wire.events import EVENT_TYPES, SPOKEN_FIELDS
from voicetop.wire.frames import RawBatch

FREE_TEXT = {
    "operator": frozenset({"text"}),
    "call.outcome": frozenset({"reason"}),
    "error": frozenset({"message"}),
    "transcript": frozenset({"text"}),
    "repaired": frozenset({"sample"}),
}
NUMERIC_ACT = "runbook_tick"
"""The only act whose text is not prose: the number of a step."""
_ALLOWED = {
    name: (frozenset(kind.__struct_fields__) | {"type"}) - SPOKEN_FIELDS - FREE_TEXT.get(name, frozenset())
    for name, kind in EVENT_TYPES.items()
}
_ENVELOPE = frozenset({"type", "ts", "event_id", "source"})
_KEY = secrets.token_bytes(16)
_batch = msgspec.json.Decoder(RawBatch)
_members = msgspec.json.Decoder(dict[str, Raw])
"""Values pass as they are: one that no decoder can hold, in a field that isn't ours, costs no event."""


def without_transcripts(frame: bytes) -> bytes:
    """A batch frame with the same stamps and without the spoken words."""
    batch = _batch.decode(frame)
    events = [Raw(_strip(event)) for event in batch.events]
    return msgspec.json.encode(RawBatch(seq=batch.seq, at=batch.at, events=events, local=batch.local))


def _strip(raw: Raw) -> bytes:
    try:
        event = _members.decode(raw)
        name = _text(event["type"])
        fields = {field: event[field] for field in event.keys() & _ALLOWED.get(name, _ENVELOPE)}
        del fields["type"]
        if "act" in event and _text(event["act"]) == NUMERIC_ACT and _is_step(_text(event.get("text"))):
            fields["text"] = event["text"]
        violates, reason = (
            bytes(event.get("compliance_violation", b"")) == b"true",
            _text(event.get("reason")),
        )
        if violates and reason and not _text(event.get("label")):
            fields["reason"] = Raw(msgspec.json.encode(_placeholder(reason)))
        if name == "malformed":
            fields["payload"] = Raw(b'""')
        return msgspec.json.encode({"type": name, **fields})
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return b'{"type":"withheld"}'


def _text(raw: Raw | None) -> str:
    """A text; empty for anything else."""
    value = msgspec.json.decode(raw) if raw is not None else ""
    return value if isinstance(value, str) else ""


def _placeholder(text: str) -> str:
    """Stands for a text that an alert is named after, so that clients who may not read it count the same alerts."""
    return f"withheld {hashlib.blake2b(text.encode(), key=_KEY, digest_size=4).hexdigest()}"


def _is_step(text: str) -> bool:
    """Whether a text is an integer and nothing else."""
    return len(text) < 8 and text.strip().removeprefix("-").isdecimal()
