from __future__ import annotations

import struct
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicetop.errors import WireError
from voicetop.wire import codec as codec_module
from voicetop.wire.codec import (
    KEPT_TYPES,
    MAX_FRAME,
    SAMPLE_EVERY,
    Batch,
    Beat,
    Codec,
    pack_durations,
)
from voicetop.wire.events import (
    CallStart,
    Durations,
    Event,
    Gap,
    Heartbeat,
    Latency,
    Malformed,
    Turn,
    TurnStart,
)
from voicetop.wire.frames import Welcome
from wire_events import HOSTILE, any_texts, events, folded, frame, frame_of, told

START = b'{"type":"call.start","ts":1.5,"call_id":"c1"}'
ODD_PAYLOADS = [
    b'{"type":"turn","ts":1}',
    b'{"type":"turn","ts":"x","call_id":"c"}',
    b'{"type":"holo.gram","ts":1,"depth":3}',
    b'{"type":"holo.gram"}',
    b'{"ts":1}',
    b"17",
    b"null",
    b'"text"',
    b"[]",
    b'{"type":"turn.start","ts":1,"call_id":"c","extra":{"deep":[1,2]}}',
    b'{"type":"call.start","ts":1,"call_id":"c","platform":"\xff"}',
    b'{"type":"call.update","ts":1,"call_id":"c","segments":{"a":1e999}}',
    b'{"type":"heartbeat","ts":2,"seq":7}',
    b'{"type":"malformed","ts":2,"payload":"eA==","error":"no"}',
    b'{"type":"call.start","ts":1,"call_id":"c\\u001b[2J","event_id":"twice"}',
]

payloads = st.one_of(
    events(any_texts).map(msgspec.json.encode), st.sampled_from(ODD_PAYLOADS), st.just(ODD_PAYLOADS[-1])
)


def turn(call_id: str = "c1", **fields: object) -> Turn:
    return Turn(ts=1.0, call_id=call_id, **fields)  # type: ignore[arg-type]


@given(st.lists(events(), max_size=8))
def test_a_frame_holds_its_events_in_order(items: list[Event]) -> None:
    codec = Codec(check_duplicates=False)
    seen = [event for _, event in folded(codec, [frame_of(items)]) if not isinstance(event, Beat)]
    assert seen == [told(item) for item in items if not isinstance(item, Heartbeat)]
    assert codec.stats.events == len(items)


@given(st.lists(payloads, max_size=12), st.lists(st.integers(1, 5), max_size=12))
def test_framing_does_not_change_the_events(stream: list[Any], sizes: list[int]) -> None:
    whole, cut = Codec(), Codec()
    expected = folded(whole, [frame(stream)])
    frames, rest = [], stream
    for size in [*sizes, len(stream)]:
        frames.append(frame(rest[:size]))
        rest = rest[size:]
    assert folded(cut, frames) == expected
    assert cut.stats == whole.stats
    assert cut.duplicates.known() == whole.duplicates.known()


def test_batches_end_at_heartbeats() -> None:
    beat = Heartbeat(ts=9.0, seq=3)
    codec = Codec()
    steps = codec.decode(frame_of([turn("a"), turn("b"), beat, turn("c"), beat, beat], at=9.5))
    assert [type(step) for step in steps] == [Batch, Beat, Batch, Beat, Beat]
    assert [step.at for step in steps] == [[9.5, 9.5], 9.5, [9.5], 9.5, 9.5]
    assert steps[1] == Beat(9.5, 3, local=False)


def test_each_event_has_the_receive_time_of_its_run() -> None:
    data = b'{"type":"batch","seq":1,"at":[[5.0,2],[6.25,1]],"events":[%s]}' % b",".join([START] * 3)
    (batch,) = Codec().decode(data)
    assert isinstance(batch, Batch)
    assert batch.at == [5.0, 5.0, 6.25]


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ("[]", [0.0, 0.0, 0.0]),
        ("[[5,1],[6,1]]", [5.0, 6.0, 6.0]),
        ("[[5,9]]", [5.0, 5.0, 5.0]),
        ("[[5,2],[6,900000000000]]", [5.0, 5.0, 6.0]),
        ("[[5,-4],[6,2]]", [6.0, 6.0, 6.0]),
    ],
)
def test_runs_that_do_not_add_up_still_give_each_event_a_time(runs: str, expected: list[float]) -> None:
    data = f'{{"type":"batch","seq":1,"at":{runs},"events":[{",".join([START.decode()] * 3)}]}}'
    (batch,) = Codec().decode(data.encode())
    assert isinstance(batch, Batch)
    assert batch.at == expected


def test_a_beat_in_a_local_batch_is_local() -> None:
    (beat,) = Codec().decode(
        b'{"type":"batch","seq":9,"at":[[4.0,1]],"local":true,"events":[{"type":"heartbeat","ts":4,"seq":9}]}'
    )
    assert beat == Beat(4.0, 9, local=True)


def test_unknown_types_are_counted_exactly_and_skipped() -> None:
    codec = Codec()
    seen = folded(codec, [frame([b'{"type":"holo.gram"}', START, b'{"type":"holo.gram","x":[1]}'])])
    assert len(seen) == 1
    assert codec.stats.unknown_types == {"holo.gram": 2}
    assert codec.stats.malformed == 0


def test_ten_thousand_unknown_types_cost_bounded_memory() -> None:
    codec = Codec()
    codec.decode(frame([b'{"type":"t%d"}' % i for i in range(10_000)]))
    assert len(codec.stats.unknown_types) == KEPT_TYPES + 1
    assert sum(codec.stats.unknown_types.values()) == 10_000
    assert codec.stats.unknown_types["other"] == 10_000 - KEPT_TYPES


def test_unknown_fields_are_skipped_and_sampled() -> None:
    codec = Codec()
    one = b'{"type":"turn.start","ts":1,"call_id":"c","mood_ring":"blue","aura":1}'
    for _ in range(3):
        assert len(folded(codec, [frame([one] * SAMPLE_EVERY)])) == SAMPLE_EVERY
    assert codec.stats.unknown_fields == {"turn.start.aura": 3, "turn.start.mood_ring": 3}


def test_malformed_events_are_counted_and_the_latest_kept_safe_to_print() -> None:
    codec = Codec()
    bad = b'{"type":"turn","ts":1,"source":"a","text":"\\u001b]0;pwned\\u0007"}'
    seen = folded(codec, [frame([bad, START] * 50, at=7.0)])
    assert len(seen) == 50
    assert codec.stats.malformed == 50
    latest = codec.stats.faults["a"]["refused"]
    assert latest.count == 50
    assert latest.at == 7.0
    assert "no `call_id`" in latest.why
    assert latest.sample.startswith('{"type":"turn"')
    assert latest.sample.isprintable()


def test_events_the_hub_found_malformed_are_counted() -> None:
    codec = Codec()
    codec.decode(frame_of([Malformed(ts=1.0, payload=b"\x1b[2J{{{", error="JSON is malformed")], at=3.0))
    assert codec.stats.malformed == 1
    found = codec.stats.faults[""]["refused"]
    assert (found.sample, found.at) == ("[2J{{{", 3.0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"type":"batch"}',
        b'{"type":"batch","seq":1,"at":[],"events":{}}',
        b'{"type":"hello"}',
        b"\xff\xfe",
        b'{"type":"batch","seq":1,"at":[],"events":[{"type":"x","a":"\\ud800"}]}',
        b'{"type":"batch","seq":1,"at":[],"events":[' + b"[" * 100_000,
        b'{"type":"batch","seq":1,"at":[[1e999,1]],"events":[]}',
    ],
)
def test_invalid_bytes_are_a_wire_error_in_one_printable_line(data: bytes) -> None:
    with pytest.raises(WireError) as caught:
        Codec().decode(data)
    assert str(caught.value).isprintable()


def test_a_frame_past_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(WireError, match=r"more than 4,194,304: send smaller batches"):
        Codec().decode(frame([START] * (MAX_FRAME // len(START))))


def test_a_checkpoint_may_be_larger_than_any_other_frame() -> None:
    welcome = Welcome(epoch="e", seq=1, state=b"s" * MAX_FRAME)
    assert Codec().decode(msgspec.json.encode(welcome)) == [welcome]


def test_a_second_event_with_the_same_id_is_dropped_and_counted() -> None:
    codec = Codec()
    first, second = (
        frame_of([turn("a", event_id="x"), turn("b")]),
        frame_of([turn("c", event_id="x"), turn("d")]),
    )
    assert [event["call_id"] for _, event in folded(codec, [first, second])] == ["a", "b", "d"]
    assert codec.stats.duplicates == 1


def test_a_codec_behind_a_hub_skips_the_duplicate_check() -> None:
    codec = Codec(check_duplicates=False)
    assert len(folded(codec, [frame_of([turn(event_id="x")])] * 2)) == 2
    assert codec.stats.duplicates == 0


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_of_a_hub_is_made_safe_too(text: str) -> None:
    codec = Codec()
    for data in (
        Welcome(epoch=text, seq=1, server=text, deployment=text),
        Gap(ts=1.0, from_seq=1, to_seq=2, why=text, source=text),
    ):
        (step,) = codec.decode(msgspec.json.encode(data))
        shown = step.deployment if isinstance(step, Welcome) else step.events[0].why  # type: ignore[union-attr]
        assert shown.isprintable()
    assert codec.stats.cleaned == 5


def test_a_gap_frame_is_a_batch() -> None:
    gap = Gap(ts=4.0, from_seq=3, to_seq=9, why="evicted")
    assert Codec().decode(msgspec.json.encode(gap)) == [Batch([gap], [4.0])]


def test_plain_and_cleaned_frames_bound_segments_equally() -> None:
    many: dict[str, Any] = {f"dimension {i}": f"value {i}" for i in range(64)}
    for name in ("c", "c\x1b"):
        (batch,) = Codec().decode(frame_of([CallStart(ts=1.0, call_id=name, segments=many)]))
        start = batch.events[0]  # type: ignore[union-attr]
        assert isinstance(start, CallStart)
        assert start.segments == many


def test_of_more_than_64_segments_the_first_are_kept() -> None:
    codec = Codec()
    start = CallStart(ts=1.0, call_id="c", segments={str(i): 1 for i in range(65)})
    (batch,) = codec.decode(frame_of([start]))
    assert isinstance(batch, Batch)
    assert batch.events == [CallStart(ts=1.0, call_id="c", segments={str(i): 1 for i in range(64)})]
    assert codec.stats.malformed == 0


def test_events_with_a_bad_value_in_an_old_recording_are_repaired_as_a_hub_does() -> None:
    codec = Codec()
    stream = [
        START,
        b'{"type":"turn","ts":1,"call_id":"c1","e2e_ms":-1,"user_text":"hi","source":"agent-7"}',
        b'{"type":"call.end","ts":2,"call_id":"c1","duration_s":-1.7e9,"source":"agent-7"}',
    ]
    seen = [event for _, event in folded(codec, [frame(stream, at=7.0)])]
    assert [event[""] for event in seen] == ["call.start", "turn", "call.end"]
    assert seen[1]["user_text"] == "hi"
    assert "e2e_ms" not in seen[1]
    dropped = codec.stats.faults["agent-7"]["dropped"]
    assert (dropped.count, dropped.at, dropped.sample) == (2, 7.0, "-1.7e9")
    assert codec.stats.malformed == 0


@given(
    st.lists(st.none() | st.dictionaries(st.sampled_from(Durations.__struct_fields__), st.floats(-1e9, 1e9)))
)
def test_stage_times_pack_to_rows_of_the_same_layout(rows: list[dict[str, float] | None]) -> None:
    turns = [turn(latency=None if row is None else Latency(**row)) for row in rows]
    (batch,) = Codec(check_duplicates=False).decode(frame_of(turns)) or [Batch([], [])]
    decoded = batch.events  # type: ignore[union-attr]
    for source in (turns, [event for event in decoded if isinstance(event, Turn)]):
        block, size, offsets = pack_durations(source)
        assert len(block) == size * len(rows)
        for index, row in enumerate(rows):
            for name, offset in zip(Durations.__struct_fields__, offsets, strict=True):
                (value,) = struct.unpack_from(">d", block, index * size + offset)
                expected = (row or {}).get(name)
                assert value != value if expected is None else value == expected


def test_plain_frames_skip_the_check_of_each_event(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(events: object) -> int:
        raise AssertionError(events)

    monkeypatch.setattr(codec_module, "clean_events", never)
    codec = Codec()
    assert len(folded(codec, [frame_of([turn(user_text="¿Qué? – “no”"), TurnStart(ts=1, call_id="c")])])) == 2


def test_unknown_fields_are_sampled_since_a_check_costs_as_much_as_a_decode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = []
    decode = codec_module._raw_decoder.decode

    class Counting:
        def decode(self, data: bytes) -> Any:
            looks.append(len(data))
            return decode(data)

    monkeypatch.setattr(codec_module, "_raw_decoder", Counting())
    codec, each = Codec(), 64
    for number in range(2 * SAMPLE_EVERY // each):
        codec.decode(frame([START] * each, seq=1 + number * each))
    assert len(looks) == 2
