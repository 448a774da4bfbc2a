from __future__ import annotations

import re
from typing import get_type_hints

import msgspec
import pytest
from hypothesis import given

from voicetop.wire.events import EVENT_TYPES, AnyEvent, Event, Latency, Turn
from wire_events import events, told

decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


@given(events())
def test_events_round_trip_through_json(event: Event) -> None:
    again = decoder.decode(msgspec.json.encode(event))
    assert type(again) is type(event)
    assert told(again) == told(event)


def test_missing_values_are_not_sent() -> None:
    turn = Turn(ts=1.5, call_id="c", turn=3, latency=Latency(stt=140.0))
    assert msgspec.json.decode(msgspec.json.encode(turn)) == {
        "type": "turn",
        "ts": 1.5,
        "call_id": "c",
        "turn": 3,
        "latency": {"stt": 140.0},
    }


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_optional_fields_have_defaults_so_that_old_recordings_decode(name: str) -> None:
    kind = EVENT_TYPES[name]
    needed = {field.name: 1 for field in msgspec.structs.fields(kind) if field.required}
    hints = get_type_hints(kind)
    least = {key: {str: "x", bytes: "eA=="}.get(hints[key], 1) for key in needed}
    assert isinstance(decoder.decode(msgspec.json.encode({"type": name, **least})), kind)


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_field_names_carry_their_units(name: str) -> None:
    units = {"_ms": float, "_usd": float, "_s": float}
    for field, hint in get_type_hints(EVENT_TYPES[name]).items():
        for suffix, kind in units.items():
            if re.search(suffix + "$", field):
                assert hint is kind


@pytest.mark.parametrize(
    "wrong",
    [
        {"ts": 1_760_000_000_000},  # milliseconds
        {"ts": -1},
        {"turn": 10**30},
        {"turn": -2},
        {"turn": 1.5},
        {"e2e_ms": 1e300},
        {"e2e_ms": "742"},
        {"call_id": "x" * 513},
        {"user_text": "x" * 20_001},
        {"call_id": None},
    ],
)
def test_values_past_their_bounds_are_rejected(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        decoder.decode(msgspec.json.encode({"type": "turn", "ts": 1, "call_id": "c", **wrong}))
