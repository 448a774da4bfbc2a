"""One bad value costs that value: the rest of its event is saved as it was, and the fault is named."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicetop.wire.events import (
    EVENT_TYPES,
    AnyEvent,
    CallEnd,
    CallStart,
    Event,
    Operator,
    Turn,
)
from voicetop.wire.field_rules import rules_of
from voicetop.wire.frames import HUB_ONLY_TYPES, MAX_EVENT_BYTES
from voicetop.wire.lenient_json import members_of
from voicetop.wire.repair import KINDS, Repair, repair
from voicetop.wire.values import MAX_LABEL, MAX_SEGMENTS, MAX_TEXT
from wire_events import events, told

AT = 1_796_027_000.25
NUMBERS = [
    "NaN",
    "-Infinity",
    "1e400",
    "1" * 5_000,
    "null",
    '"950"',
    "true",
    "[]",
    "{}",
    "undefined",
    "-1e12",
    "1e12",
]
TEXTS = [
    "null",
    "true",
    "NaN",
    "[1,{}]",
    '"' + "x" * 20_001 + '"',
    '"half \\ud83d"',
    '"\\udc00half"',
    '"line\nbreak"',
]
BOOLS = ["null", "1", '"true"', "NaN", "[]"]
PARTS = ["5", '"text"', "[]", "true", "NaN"]
PUBLISHED = sorted(set(EVENT_TYPES) - HUB_ONLY_TYPES - {"operator"})


def turn(**values: str) -> bytes:
    """A turn with these values, as JSON text."""
    fields = {
        "type": '"turn"',
        "ts": "1796027000.5",
        "call_id": '"c"',
        "agent_text": '"Hello."',
        "e2e_ms": "950.0",
    }
    return b"{%b}" % ",".join(f'"{name}":{value}' for name, value in (fields | values).items()).encode()


def saved(raw: bytes, kind: str) -> AnyEvent:
    """The event of known type that is saved with one fault of that kind."""
    result = repair(raw, AT)
    assert [fault.kind for fault in result.faults] == [kind]
    assert result.event is not None
    return result.event


def saved_turn(kind: str, **values: str) -> Turn:
    event = saved(turn(**values), kind)
    assert isinstance(event, Turn)
    assert (event.ts, event.call_id, event.agent_text) == (1_796_027_000.5, "c", "Hello.")
    return event


def refusal(raw: bytes) -> str:
    result = repair(raw, AT)
    assert not result.raw
    assert result.event is None
    (fault,) = result.faults
    assert fault.kind == "refused"
    return fault.why


def published() -> st.SearchStrategy[Event]:
    return events().filter(lambda event: event.__struct_config__.tag in PUBLISHED)


def bad_values(kind: type[Event], name: str) -> list[str]:
    rule = rules_of(kind)[name]
    if rule.limit:
        return TEXTS
    if rule.expected == "an object":
        return PARTS
    return BOOLS if rule.expected == "true or false" else NUMBERS


@given(published())
def test_an_event_that_is_right_is_not_touched(event: Event) -> None:
    raw = msgspec.json.encode(event)
    result = repair(raw, AT)
    assert (result.raw, result.faults) == (raw, [])
    assert told(result.event) == told(event)


@settings(max_examples=400, deadline=None)
@given(published(), st.data())
def test_a_bad_value_costs_that_value_alone(event: Event, data: st.DataObject) -> None:
    raw = msgspec.json.encode(event)
    optional = sorted(name for name, rule in rules_of(type(event)).items() if not rule.required)
    name = data.draw(st.sampled_from(optional))
    bad = data.draw(st.sampled_from(bad_values(type(event), name)))
    before, _ = members_of(raw)
    damaged = {**before, name: bad.encode()}
    result = repair(
        b"{%b}" % b",".join(b'"%b":%b' % (key.encode(), text) for key, text in damaged.items()), AT
    )
    after, _ = members_of(result.raw)
    assert {key: text for key, text in after.items() if key != name} == {
        key: text for key, text in before.items() if key != name
    }
    if after.get(name) != bad.encode():  # null is allowed in a few places
        assert result.faults
        assert {fault.kind for fault in result.faults} <= set(KINDS)
    assert (
        f"`{name}" in "".join(fault.why for fault in result.faults)
        or not result.faults
        or bad == '"line\nbreak"'
    )


@given(published(), st.data())
def test_a_bad_unknown_field_costs_that_field_alone(event: Event, data: st.DataObject) -> None:
    raw = msgspec.json.encode(event)
    bad = data.draw(st.sampled_from(["NaN", '["\\ud83d"]', "undefined", "[" * 5_000 + "]" * 5_000, "'x'"]))
    result = repair(b'%b,"later_field":%b}' % (raw[:-1], bad.encode()), AT)
    assert result.raw == raw
    assert [fault.kind for fault in result.faults] == ["dropped"]


@pytest.mark.parametrize(
    ("fields", "kept", "why"),
    [
        (r'"mine\ud800":1', '"mine\ufffd":1', "a name has half of a character"),
        (r'"latency":{"x\udc00":1}', '"latency":{"x\ufffd":1}', "a name in `latency` has half"),
        (r'"mine":"a\ud83d"', '"mine":"a\ufffd"', "`mine` has half of a character"),
    ],
)
def test_half_a_character_in_any_name_or_text_is_replaced(fields: str, kept: str, why: str) -> None:
    result = repair(b'{"type":"turn","ts":1,"call_id":"c",%b}' % fields.encode(), AT)
    assert kept in result.raw.decode()
    assert [fault.kind for fault in result.faults] == ["character"]
    assert why in result.faults[0].why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"type":"turn","ts":1,"call_id":"c",}', "isn't valid JSON: trailing comma in object (byte 36)"),
        (b'{"type":"turn","ts":1,"call_id":"c" /* x */}', "isn't valid JSON: expected ',' or '}' (byte 36)"),
        (b'{"type":"stage","type":"turn","ts":1,"call_id":"c"}', "it has a name twice"),
        (b'{"type":"turn","ts":1,"call_id":"c","mine":{"a":NaN}}', "`mine` is not valid JSON throughout"),
        (b'{"type":"turn","ts":1,"call_id":"c","turn":1.0}', "2,147,483,647, without a decimal point"),
        (b'{"type":"turn","ts":1,"call_id":"c","user_text":[1]}', "`user_text` is an array, not text"),
    ],
)
def test_the_fault_says_where_it_is(text: bytes, why: str) -> None:
    assert why in repair(text, AT).faults[0].why


@pytest.mark.parametrize("digits", [19, 20, 308, 309, 399, 400, 513, 5_000])
@pytest.mark.parametrize(
    "field", ["call_id", "user_text", "e2e_ms", "turn", "ts", "mine", "interrupted", "latency"]
)
@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_of_any_length_in_any_field_is_bearable(field: str, digits: int, sign: str) -> None:
    number = sign + "9" * digits
    result = repair(turn(**{field: number}), AT)
    if result.raw:
        assert len(result.faults) <= 2
        msgspec.json.decode(result.raw, type=AnyEvent)
    else:
        assert field in ("ts", "call_id")


def test_the_fault_says_that_a_value_nests_too_deeply() -> None:
    assert repair(turn(e2e_ms="[" * 5_000 + "]" * 5_000), AT).faults[0].why == "`e2e_ms` nests too deeply"


def test_the_sample_of_a_long_event_shows_where_it_is_no_json() -> None:
    text = b'{"type":"turn","ts":1,"call_id":"c","user_text":"%b","interrupted":true,,}' % (b"x" * 5_000)
    assert '"interrupted":true,,}' in repair(text, AT).faults[0].sample


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("NaN", "`e2e_ms` is NaN"),
        ("null", "`e2e_ms` is null"),
        ("-5", "`e2e_ms` is -5, not a number from 0 to 3,600,000"),
        ("9e8", "`e2e_ms` is 9e8, not a number from 0 to 3,600,000"),
        ('"950"', "`e2e_ms` is text, not a number"),
        ("true", "`e2e_ms` is a bool, not a number"),
        ("1e400", "`e2e_ms` is out of range"),
        ("-Infinity", "`e2e_ms` is infinite"),
        ("undefined", "`e2e_ms` is not JSON"),
    ],
)
def test_the_fault_names_the_field_and_what_is_wrong_with_it(value: str, why: str) -> None:
    result = repair(turn(e2e_ms=value), AT)
    (fault,) = result.faults
    assert (fault.kind, fault.why, fault.sample) == ("dropped", why, value)
    assert result.raw == turn().replace(b',"e2e_ms":950.0', b"")


def test_texts_that_are_too_long_are_cut() -> None:
    event = saved_turn("cut", user_text=f'"{"y" * 25_000}"')
    assert event.user_text == "y" * (MAX_TEXT - 1) + "…"
    event = saved_turn("cut", step=f'"{"s" * 600}"')
    assert event.step == "s" * (MAX_LABEL - 1) + "…"


def test_two_long_ids_stay_two() -> None:
    ids = []
    for last in "ab":
        event = saved(turn(call_id=f'"{"c" * 600}{last}"', event_id='"e"'), "cut")
        assert isinstance(event, Turn)
        assert len(event.call_id) == MAX_LABEL
        ids.append(event.call_id)
    assert ids[0] != ids[1]


def test_half_a_character_becomes_a_replacement_character() -> None:
    assert saved_turn("character", user_text='"cut \\ud83d"').user_text == "cut \ufffd"
    assert saved_turn("character", user_text='"\\ude00 cut"').user_text == "\ufffd cut"
    assert not repair(turn(user_text='"\\ud83d\\ude00"'), AT).faults
    raw = turn(user_text='"caf@"').replace(b"@", b"\xe9")
    event = saved(raw, "character")
    assert isinstance(event, Turn)
    assert event.user_text == "caf\ufffd"


def test_a_stage_that_is_absurd_costs_that_stage() -> None:
    for bad in ("-1", "9e8", "NaN", "null", '"5"', "1e308"):
        event = saved_turn("dropped", latency=f'{{"stt":120.5,"llm_ttft":{bad},"tts_ttfb":80}}')
        assert event.latency is not None
        assert (event.latency.stt, event.latency.tts_ttfb) == (120.5, 80)
        assert event.latency.llm_ttft != event.latency.llm_ttft
    assert saved_turn("dropped", latency="850").latency is None


def test_segments_keep_what_is_right() -> None:
    values = {"intent": '"billing"', "a": "NaN", "b": '{"x":1}', "vip": "true", "account": "1" * 30}
    text = ",".join(f'"{name}":{value}' for name, value in values.items())
    result = repair(b'{"type":"call.start","ts":1,"call_id":"c","segments":{%b}}' % text.encode(), AT)
    assert isinstance(result.event, CallStart)
    assert result.event.segments == {"intent": "billing", "vip": True, "account": "1" * 30}
    assert [fault.kind for fault in result.faults] == ["dropped", "dropped", "converted"]


def test_of_too_many_segments_the_first_are_kept() -> None:
    segments = {f"s{number}": number for number in range(100)}
    raw = msgspec.json.encode({"type": "call.start", "ts": 1.0, "call_id": "c", "segments": segments})
    event = saved(raw, "dropped")
    assert isinstance(event, CallStart)
    assert list(event.segments) == [f"s{number}" for number in range(MAX_SEGMENTS)]


def test_a_missing_name_is_unknown_and_a_missing_time_that_of_receipt() -> None:
    event = saved(b'{"type":"call.end","ts":1,"call_id":"c"}', "filled")
    assert isinstance(event, CallEnd)
    assert event.reason == "unknown"
    for ts in ("null", "NaN", '"2026-11-30T12:00:00Z"', "-5"):
        assert saved(turn(ts=ts), "filled").ts == AT
    assert saved(b'{"type":"turn.start","call_id":"c"}', "filled").ts == AT


def test_a_number_for_an_id_and_json_for_arguments_are_taken_as_text() -> None:
    assert saved(b'{"type":"turn.start","ts":1,"call_id":4711}', "converted").call_id == "4711"  # type: ignore[union-attr]
    raw = b'{"type":"tool","ts":1,"call_id":"c","name":"n","state":"ok","result":{"slots":[9,10]}}'
    assert saved(raw, "converted").result == '{"slots":[9,10]}'  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"type":"turn.start","ts":1,"call_id":"c",}',
        b'{"type":"turn.start","ts":1 "call_id":"c"}',
        b'{"type":"turn.start","ts":1,"call_id":"c"',
        b'{"type":"turn.start","ts":1,"call_id":"c"}}',
        b'{"type":"turn.start","ts":1,"call_id":"c","turn":"x","turn":-1}',
        b'{"type":"turn.start","ts":1,"call_id":"c","trace_id":"a",garbage}',
    ],
)
def test_damaged_json_is_read_as_far_as_it_goes(raw: bytes) -> None:
    event = saved(raw, "json")
    assert (event.ts, event.call_id) == (1.0, "c")  # type: ignore[union-attr]


def test_a_byte_order_mark_and_space_around_an_event_are_no_fault() -> None:
    raw = b'{"type":"turn.start","ts":1,"call_id":"c"}'
    assert repair(b"\xef\xbb\xbf " + raw + b"\r\n", AT) == Repair(raw, [], repair(raw, AT).event)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "it is empty"),
        (b"5", "it is a number"),
        (b'"text"', "it is a text"),
        (b"[]", "it is an array"),
        (b"null", "not JSON"),
        (b"hello", "not JSON"),
        (b"{}", "it is empty"),
        (b"{'type': 'turn'}", "double quotes"),
        (b'{"ts":1,"call_id":"c"}', "no `type`"),
        (b'{"type":7,"ts":1}', "no `type`"),
        (b'{"type":"turn","ts":1}', "no `call_id`"),
        (b'{"type":"turn","ts":1,"call_id":null}', "its `call_id` is null, so it can't be counted"),
        (turn(ts="1796027000500"), "`ts` is 1796027000500, in milliseconds: send seconds since 1970"),
        (turn(ts="1796027000500000"), "microseconds"),
        (turn(ts="1796027000500000000"), "nanoseconds"),
        (b'{"type":"benchmark","ts":1,"suite":"s","conversation":"c","score":NaN}', "its `score` is NaN, so"),
        (
            b'{"type":"capacity","ts":1,"limit":-5}',
            "its `limit` is -5, not a whole number from 0 to 9,007,199,254,740,992, so",
        ),
        (b'{"type":"capacity","ts":1,"limit":"300"}', "its `limit` is text, not a whole number, so"),
        (b'{"type":"capacity","ts":1}', "it has no `limit`, so it can't be counted"),
        (b'{"type":"hello","role":"publisher"}', "a hello is a frame of its own"),
        (b'{"type":"heartbeat","ts":1,"seq":1}', "only a hub may send 'heartbeat'"),
        (b'{"type":"repaired","ts":1,"kind":"cut","count":1,"why":"w"}', "only a hub may send 'repaired'"),
        (b'{"type":"%b"}' % (b"t" * 600), "its `type` has 600 characters"),
    ],
)
def test_what_cannot_be_saved_is_refused_with_the_reason(raw: bytes, why: str) -> None:
    assert why in refusal(raw)


def test_an_operator_event_is_never_repaired() -> None:
    right = {"type": "operator", "ts": 1.0, "act": "note", "by": "sam", "text": "look"}
    assert isinstance(repair(msgspec.json.encode(right), AT).event, Operator)
    for wrong in ({"text": "x" * 30_000}, {"by": None}, {"until": "later"}, {"target": 5}):
        assert "an operator's event is never repaired: `" in refusal(msgspec.json.encode(right | wrong))


def test_events_of_unknown_types_are_kept_as_they_are() -> None:
    raw = b'{"type":"holo.gram","depth":[1,{"x":null}],"event_id":"e"}'
    result = repair(raw, AT)
    assert (result.raw, result.faults, result.event, result.event_id) == (raw, [], None, "e")
    result = repair(b'{"type":"holo.gram","depth":NaN,"event_id":"e","width":2}', AT)
    assert result.raw == b'{"type":"holo.gram","event_id":"e","width":2}'


def test_an_event_that_is_too_large_is_cut_to_size() -> None:
    escaped = "\\u0939" * 20_000
    raw = turn(user_text=f'"{escaped}"', agent_text=f'"{escaped}"')
    assert len(raw) > MAX_EVENT_BYTES
    result = repair(raw, AT)
    assert result.event == msgspec.json.decode(raw, type=Turn)
    for name, value in (("blob", f'"{"x" * 300_000}"'), ("user_text", f'"{"x" * 300_000}"')):
        result = repair(turn(**{name: value}), AT)
        assert len(result.raw) <= MAX_EVENT_BYTES
        assert result.event is not None
    dots = "\\u0001" * 20_000
    result = repair(turn(user_text=f'"{dots}"', agent_text=f'"{dots}"', step='"s"'), AT)
    assert isinstance(result.event, Turn)
    assert len(result.raw) <= MAX_EVENT_BYTES
    assert (result.event.step, result.event.e2e_ms) == ("s", 950)


def test_the_source_is_known_even_of_what_is_refused() -> None:
    assert repair(b'{"type":"turn","ts":1,"source":"agent-7"}', AT).source == "agent-7"
    assert (
        repair(b'{"type":"turn","ts":1,"call_id":"c","e2e_ms":-1,"source":"agent-7"}', AT).source == "agent-7"
    )


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 2**32))
def test_any_bytes_are_saved_as_a_valid_event_or_refused_in_one_line(noise: bytes, seed: int) -> None:
    dice = random.Random(seed)
    raw = bytearray(turn(latency='{"stt":1}', segments='{"a":1}', user_text='"señor \\ud83d\\ude00"'))
    for _ in range(dice.randint(0, 4)):
        place = dice.randrange(len(raw))
        raw[place : place + dice.randint(0, 3)] = noise[: dice.randint(0, 8)]
    for each in (bytes(raw), noise):
        result = repair(each, AT)
        assert all((fault.why + fault.sample).isprintable() for fault in result.faults)
        if result.raw:
            again = repair(result.raw, AT)
            assert (again.raw, again.faults) == (result.raw, [])
        else:
            assert [fault.kind for fault in result.faults] == ["refused"]


def test_any_field_of_any_type_may_have_any_odd_value() -> None:
    odd: list[Any] = [
        None,
        True,
        -1,
        2**70,
        10**400,
        1e308,
        "",
        "x" * 600,
        "x" * 30_000,
        [],
        {},
        [[]],
        {"a": {"b": 1}},
    ]
    for name in PUBLISHED:
        required = {"type": name, "ts": 1.0, "call_id": "c", "text": "t", "limit": 1, "score": 1.0}
        for field in EVENT_TYPES[name].__struct_fields__:
            for value in odd:
                result = repair(json.dumps(required | {field: value}).encode(), AT)
                assert result.raw or field in required, (name, field, value)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"type":"turn","ts":1,"call_id":"c",' + b'"a":[],' * 500_000 + b"}",
        b'{"type":"turn","ts":1,"call_id":"c","segments":{' + b'"a":{},' * 500_000,
        b'{"type":"turn","ts":1,"call_id":"c","x":' + b"[" * 4_000_000,
        b'{"type":"turn","ts":1,"call_id":"c","user_text":"' + b"\\ud83d" * 600_000 + b'"}',
        b'{"type":"turn","ts":1,"call_id":"c",'
        + b",".join(b'"%d":"%b"' % (n, b"x" * 1_900) for n in range(1_900))
        + b"}",
    ],
    ids=["members", "segments", "brackets", "surrogates", "fields"],
)
def test_the_worst_event_of_a_whole_frame_takes_a_moment(raw: bytes) -> None:
    began = time.process_time()
    repair(raw, AT)
    assert time.process_time() - began < 3.0
