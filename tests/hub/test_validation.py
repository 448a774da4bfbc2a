from __future__ import annotations

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.clients import turn
from voicetop.hub.stamping import MAX_BATCH_BYTES, OpenBatch
from voicetop.hub.validation import MAX_PAYLOAD, ValidatedPart, Validator
from voicetop.wire.codec import Batch, Codec
from voicetop.wire.events import Malformed


def admit(validator: Validator, frame: bytes, *, may_operate: bool = False) -> list[ValidatedPart]:
    return validator.admit(frame, sender="test", may_operate=may_operate, at=1_000.0)


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


def test_invalid_utf8_is_malformed_even_in_unknown_fields() -> None:
    validator = Validator()
    [piece] = admit(validator, b'{"type":"turn","ts":1,"call_id":"c","unknown":"\xff"}')
    assert msgspec.json.decode(piece.text, type=Malformed).payload.endswith(b'"\xff"}')
    assert validator.malformed == 1


def test_one_bad_event_does_not_affect_the_others() -> None:
    validator = Validator()
    frame = msgspec.json.encode([turn(1), {"type": "turn"}, 5, turn(2), {"type": "gap", "ts": 1}, turn(1)])
    types = [msgspec.json.decode(piece.text)["type"] for piece in admit(validator, frame)]
    assert types == ["turn", "malformed", "malformed", "turn", "malformed"]
    assert (validator.events, validator.malformed, validator.duplicates) == (5, 3, 1)


def test_an_oversize_event_is_malformed_and_its_payload_cut() -> None:
    frame = msgspec.json.encode([turn(1), {**turn(2), "extra": "x" * MAX_BATCH_BYTES}])
    good, bad = admit(Validator(), frame)
    assert good.text == msgspec.json.encode(turn(1))
    malformed = msgspec.json.decode(bad.text, type=Malformed)
    assert "the maximum is 196,608" in malformed.error
    assert len(malformed.payload) == MAX_PAYLOAD


def test_a_frame_larger_than_a_batch_is_split() -> None:
    events = [turn(number, agent_text="x" * 2_000) for number in range(300)]
    pieces = admit(Validator(), msgspec.json.encode(events))
    assert [msgspec.json.decode(piece.text) for piece in pieces] == events


def test_deep_nesting_is_malformed() -> None:
    for frame in (
        b"[" * 100_000,
        b'{"type":"turn","ts":1,"call_id":"c","x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    ):
        validator = Validator()
        admit(validator, frame)
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
