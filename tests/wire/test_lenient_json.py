from __future__ import annotations

import json
import math
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicetop.wire.lenient_json import (
    UNREADABLE,
    members_of,
    nests_deeply,
    read_value,
    split_events,
)
from wire_events import any_texts, events

SHARP = [
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\x00",
    b"\xff",
    b"\n",
    b'"a"b"',
    b"NaN",
    b"{{",
    b'\\"',
]
values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | any_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(values, max_size=5))
def test_a_valid_array_is_split_as_any_json_reader_would(items: list[object]) -> None:
    parts = [json.dumps(item).encode() for item in items]
    for separator in (b",", b" ,\n"):
        assert list(split_events(b"[%b]" % separator.join(parts))) == parts


@given(
    st.dictionaries(any_texts, values, max_size=6),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")]),
)
def test_the_members_of_a_valid_object_keep_their_text(
    item: dict[str, object], separators: tuple[str, str]
) -> None:
    found, whole = members_of(json.dumps(item, separators=separators).encode())
    assert whole
    assert found == {name: json.dumps(value, separators=separators).encode() for name, value in item.items()}


@given(
    st.lists(events().map(msgspec.json.encode), min_size=3, max_size=6),
    st.data(),
)
def test_a_damaged_event_does_not_cost_its_neighbours(items: list[bytes], data: st.DataObject) -> None:
    hit = data.draw(st.integers(0, len(items) - 1))
    whole = items[hit]
    at = data.draw(st.integers(1, len(whole) - 1))
    until = at + data.draw(st.integers(0, 3))
    damaged = whole[:at] + data.draw(st.sampled_from([b"", *SHARP])) + whole[until:]
    found = list(split_events(b"[%b]" % b",".join([*items[:hit], damaged, *items[hit + 1 :]])))
    assert found[:hit] == items[:hit]
    assert found[len(found) - len(items) + hit + 1 :] == items[hit + 1 :]


@pytest.mark.parametrize("between", [b"", b"\n", b",", b", garbage ,", b"\x00\xff\x01"])
def test_events_without_brackets_and_with_garbage_between_are_found(between: bytes) -> None:
    event = b'{"type":"turn.start","ts":1,"call_id":"c"}'
    found = list(split_events(between.join([event] * 3)))
    assert found.count(event) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"a":1,"b":[1,{"c":"}"}],}', {"a": b"1", "b": b'[1,{"c":"}"}]'}),
        (b'{"a":NaN,"b":undefined,"c":0x1F,"d":}', {"a": b"NaN", "b": b"undefined", "c": b"0x1F", "d": b""}),
        (b'{"a":1 "b":2}', {"a": b"1", "b": b"2"}),
        (b'{"a":"he said "hi" to me","b":2}', {"a": b'"he said "', "b": b"2"}),
        (b'{"a":1,"b":"cut', {"a": b"1", "b": b'"cut'}),
        (b'{"a":1,"a":2}', {"a": b"2"}),
        (b"{}", {}),
        (b"{", {}),
    ],
)
def test_what_can_be_read_of_a_damaged_object_is_read(text: bytes, expected: dict[str, bytes]) -> None:
    assert members_of(text)[0] == expected


def test_values_that_python_and_javascript_write_are_read() -> None:
    assert math.isnan(read_value(b"NaN"))
    assert read_value(b"-Infinity") == -math.inf
    assert read_value(b'"\\ud83d"') == "\ud83d"
    assert read_value(b'"a\nb"') == "a\nb"
    assert read_value(b"1e400") == math.inf
    assert read_value(b"1" * 5_000) == math.inf
    assert read_value(b"-" + b"1" * 5_000) == -math.inf
    assert read_value(b"undefined") is UNREADABLE
    assert read_value(b"[" * 100_000) is UNREADABLE


def test_nesting_is_measured() -> None:
    assert not nests_deeply(b"[" * 100 + b"]" * 100)
    assert nests_deeply(b"[" * 5_000 + b"]" * 5_000)


LONG = [
    b"[" * 1_000_000,
    b"{" * 1_000_000,
    b'{"a":' * 200_000,
    b'{"a' * 300_000,
    b',"' * 500_000,
    b"[[," * 300_000,
    b"{,    " * 170_000,
    b'{"a":"\\' * 130_000,
    b'{"a":1,' + b'"b":2,' * 170_000,
    b"{}" * 500_000,
    b'{"type":' * 125_000,
    b'{"type":"x" "' * 77_000,
    b'{"type":"x' * 100_000,
    b'{"type":"x,{"' * 77_000,
]


@pytest.mark.parametrize("text", LONG, ids=[text[:12].decode() for text in LONG])
def test_no_text_takes_more_than_time_in_proportion_to_it(text: bytes) -> None:
    began = time.process_time()
    for part in split_events(text):
        members_of(part)
    members_of(text)
    assert time.process_time() - began < 8.0
