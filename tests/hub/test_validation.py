from __future__ import annotations

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.clients import turn
from voicetop.hub.stamping import MAX_BATCH_BYTES, OpenBatch
from voicetop.hub.validation import MAX_PAYLOAD, Sender, ValidatedPart, Validator
from voicetop.wire.codec import Batch, Codec
from voicetop.wire.events import Malformed, Repaired


def admit(validator: Validator, frame: bytes, *, may_operate: bool = False) -> list[ValidatedPart]:
    parts = list(validator.admit(frame, Sender("test", may_operate), at=1_000.0))
    return parts + list(validator.repaired(1_000.0))


def as_batch(pieces: list[ValidatedPart]) -> bytes:
    batch = OpenBatch()
    seq = 1
    for piece in pieces:
        batch.add(seq, piece.text, piece.count, 1_000.0)
        seq += piece.count
    return batch.seal().frame


def test_a_valid_frame_passes_byte_for_byte() -> None:
    validator = Validator()
    text = b'{"ts":1, "type":"turn","call_id":"c",  "later_field":[1,{"x":null}]}'
    assert admit(validator, text) == [ValidatedPart(text, 1)]
    assert admit(validator, b" [%b , %b]\n" % (text, text)) == [ValidatedPart(b"%b , %b" % (text, text), 2)]
    assert admit(validator, b"[]") == []


def test_a_line_break_between_tokens_becomes_a_space() -> None:
    [piece] = admit(Validator(), b'[\r\n{"type":"turn",\n"ts":1,"call_id":"c\\n"}\r\n]')
    assert piece.text.strip() == b'{"type":"turn", "ts":1,"call_id":"c\\n"}'


def test_invalid_utf8_is_repaired_even_in_unknown_fields() -> None:
    validator = Validator()
    event, repaired = admit(validator, b'{"type":"turn","ts":1,"call_id":"c","unknown":"\xff"}')
    assert msgspec.json.decode(event.text)["unknown"] == "\ufffd"
    assert msgspec.json.decode(repaired.text, type=Repaired).kind == "character"
    assert validator.malformed == 0


def test_one_bad_event_does_not_affect_the_others() -> None:
    validator = Validator()
    frame = msgspec.json.encode([turn(1), {"type": "turn"}, 5, turn(2), {"type": "gap", "ts": 1}, turn(1)])
    types = [msgspec.json.decode(piece.text)["type"] for piece in admit(validator, frame)]
    assert types == ["turn", "malformed", "malformed", "turn", "malformed"]
    assert (validator.events, validator.malformed, validator.duplicates) == (5, 3, 1)


def test_an_oversize_event_loses_what_is_too_large() -> None:
    frame = msgspec.json.encode([turn(1), {**turn(2), "extra": "x" * MAX_BATCH_BYTES}])
    passed, repaired = admit(Validator(), frame)
    assert msgspec.json.decode(b"[%b]" % passed.text) == [turn(1), turn(2)]
    assert "`extra` has 196,610 bytes" in msgspec.json.decode(repaired.text, type=Repaired).why


def test_the_payload_of_a_malformed_event_is_cut() -> None:
    (part,) = admit(Validator(), b'{"type":"turn","x":"%b"}' % (b"x" * MAX_BATCH_BYTES))
    assert len(msgspec.json.decode(part.text, type=Malformed).payload) == MAX_PAYLOAD


def test_a_frame_larger_than_a_batch_is_split() -> None:
    events = [turn(number, agent_text="x" * 2_000) for number in range(300)]
    pieces = admit(Validator(), msgspec.json.encode(events))
    assert all(len(piece.text) <= MAX_BATCH_BYTES for piece in pieces)
    assert [event for piece in pieces for event in msgspec.json.decode(b"[%b]" % piece.text)] == events


def test_deep_nesting_costs_the_field_or_the_event() -> None:
    validator = Validator()
    (part,) = admit(validator, b"[" * 100_000)
    assert msgspec.json.decode(part.text)["type"] == "malformed"
    parts = admit(validator, b'{"type":"turn","ts":1,"call_id":"c","x":' + b"[" * 9_000 + b"]" * 9_000 + b"}")
    assert [msgspec.json.decode(part.text)["type"] for part in parts] == ["turn", "repaired"]
    assert validator.malformed == 1


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 2**32))
def test_any_input_is_stamped_as_valid_frames(noise: bytes, seed: int) -> None:
    rng = random.Random(seed)
    frame = bytearray(msgspec.json.encode([turn(n, user_text="señor “x” \u202e") for n in range(3)]))
    for _ in range(rng.randint(0, 4)):
        place = rng.randrange(len(frame))
        frame[place : place + rng.randint(0, 3)] = noise[: rng.randint(0, 8)]
    for each in (bytes(frame), noise):
        validator = Validator()
        pieces = admit(validator, each)
        assert validator.events == sum(piece.count for piece in pieces)
        if not pieces:
            continue
        text = as_batch(pieces)
        assert b"\n" not in text
        text.decode()
        codec = Codec()
        events = [event for step in codec.decode(text) if isinstance(step, Batch) for event in step.events]
        unknown = sum(codec.stats.unknown_types.values())
        assert codec.stats.events == validator.events
        assert len(events) + unknown + codec.stats.duplicates == validator.events
        assert codec.stats.malformed == validator.malformed
