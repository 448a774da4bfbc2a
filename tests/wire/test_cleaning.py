from __future__ import annotations

import json
from typing import Any, get_type_hints

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voicetop.wire.cleaning import clean_events, is_plain
from voicetop.wire.events import EVENT_TYPES, AnyEvent, CallStart, Error, Event
from voicetop.wire.text import safe_text
from voicetop.wire.values import MAX_LABEL, MAX_TEXT
from wire_events import HOSTILE, any_texts, events, texts_in, told

decoder = msgspec.json.Decoder(AnyEvent)


@given(events(any_texts))
def test_cleaning_changes_nothing_in_plain_frames(event: Event) -> None:
    raw = msgspec.json.encode(event)
    if is_plain(raw):
        assert all(safe_text(text) is text for text in texts_in(decoder.decode(raw)))
        assert clean_events([decoder.decode(raw)]) == 0


@given(st.characters(codec="utf-8"), st.sampled_from([b'"%s"', b'"%s x"', b'["\xc3\xa9","%s"]']))
@example("\u2028", b'"%s"')
@example("\u00ad", b'"%s"')
def test_no_dangerous_character_passes_as_plain(char: str, around: bytes) -> None:
    written = [char.encode(), json.dumps(char).strip('"').encode()]
    for raw in (around % way for way in written if char not in '"\\' and char >= " "):
        if is_plain(raw):
            assert all(safe_text(text) is text for text in texts_in(msgspec.json.decode(raw)))


@pytest.mark.parametrize(
    "text", ["plain ASCII", 'quotes " and slashes /', "¿Qué? ÆØÅ ŁŻ", "dash – quote “” dots … bullet •"]
)
def test_western_text_is_plain(text: str) -> None:
    assert is_plain(msgspec.json.encode(text))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_never_plain(text: str) -> None:
    assert not is_plain(msgspec.json.encode(text))
    assert not is_plain(json.dumps(text).encode())


@given(st.lists(events(any_texts), max_size=5))
def test_after_cleaning_every_text_of_every_event_is_safe(items: list[Event]) -> None:
    clean_events(items)
    assert all(safe_text(text) is text for text in texts_in(items))
    before = told_all(items)
    assert clean_events(items) == 0
    assert told_all(items) == before


def told_all(items: list[Event]) -> list[Any]:
    return [told(item) for item in items]


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_every_text_of_every_type_is_cleaned(name: str) -> None:
    kind = EVENT_TYPES[name]
    hints = get_type_hints(kind)
    for text in HOSTILE:
        fields: dict[str, Any] = {field: text for field, hint in hints.items() if hint is str}
        fields |= {field: {text: text} for field in hints if field in ("segments", "segment")}
        fields |= {field: {"name": text, "version": text} for field in hints if field == "agent"}
        needed: dict[str, Any] = {
            f.name: 1 for f in msgspec.structs.fields(kind) if f.required and f.name not in fields
        }
        if "payload" in needed:
            needed["payload"] = "eA=="
        event = msgspec.convert({"type": kind.__struct_config__.tag, **needed, **fields}, kind)
        assert clean_events([event])
        assert all(safe_text(part) is part for part in texts_in(event))


def test_changed_texts_are_counted() -> None:
    start = CallStart(ts=1, call_id="c", platform="a\x1b", segments={"intent": "b\x00"})
    assert clean_events([start, CallStart(ts=1, call_id="d")]) == 2
    assert (start.platform, start.segments) == ("a", {"intent": "b"})


def test_long_texts_keep_their_length_and_names_their_bound() -> None:
    error = Error(ts=1, call_id="c", component="llm\x1b", category="server", message="m\t" * (MAX_TEXT // 2))
    clean_events([error])
    assert len(error.message) == MAX_TEXT
    assert len(error.component) <= MAX_LABEL
