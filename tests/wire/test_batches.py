"""A frame split anywhere and read part by part is the same frame: no record lost or restamped."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from voicetop.wire.batches import (
    after_seq,
    batch_frame,
    count_to_first_heartbeat,
    count_to_last_heartbeat,
    ends_with_heartbeat,
    expand_stamps,
    first_stamp,
    is_welcome,
    split,
    split_at,
)
from voicetop.wire.frames import RawBatch, Welcome

BEAT = b'{"type":"heartbeat","ts":1.0,"seq":1}'
TURN = b'{"type":"turn","ts":1.0,"call_id":"heartbeat"}'
"""Not a heartbeat, though it contains the word."""

Record = tuple[int, float, bytes]
batches = st.builds(
    lambda seq, steps, local: (seq, steps, local),
    st.integers(1, 10**9),
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.25, 7.5]), st.sampled_from([BEAT, TURN])), min_size=1, max_size=12
    ),
    st.booleans(),
)


def made(drawn: tuple[int, list[tuple[float, bytes]], bool]) -> tuple[bytes, list[float], list[bytes]]:
    """(frame, stamps, records) of a drawn batch."""
    seq, steps, local = drawn
    at, ats = 1_000.0, []
    for step, _ in steps:
        at += step
        ats.append(at)
    records = [record for _, record in steps]
    return batch_frame(seq, ats, [Raw(record) for record in records], local=local), ats, records


def records_of(frame: bytes) -> list[Record]:
    """Each record with its number and its stamp; what is local has the number of the record before it."""
    if not frame:
        return []
    batch = msgspec.json.decode(frame, type=RawBatch)
    ats = expand_stamps(batch.at, len(batch.events))
    numbers = [batch.seq + (0 if batch.local else n) for n in range(len(batch.events))]
    return list(zip(numbers, ats, map(bytes, batch.events), strict=True))


@given(batches, st.integers(0, 14))
def test_the_parts_of_a_split_frame_make_up_the_frame(
    drawn: tuple[int, list[tuple[float, bytes]], bool], count: int
) -> None:
    frame, ats, _ = made(drawn)
    head, tail = split(frame, min(count, len(ats)) if count else count)
    assert [*records_of(head), *records_of(tail)] == records_of(frame)
    assert len(records_of(head)) == min(count, len(ats))


@given(batches, st.sampled_from([999.0, 1_000.0, 1_000.25, 1_007.5, 1_030.0, 1_200.0]))
def test_a_split_at_a_time_is_by_stamp(drawn: tuple[int, list[tuple[float, bytes]], bool], at: float) -> None:
    frame, ats, _ = made(drawn)
    before, after = split_at((ats[-1], frame), at)
    assert [record for _, part in before for record in records_of(part)] == [
        record for record in records_of(frame) if record[1] <= at
    ]
    assert [record for _, part in after for record in records_of(part)] == [
        record for record in records_of(frame) if record[1] > at
    ]
    assert all(stamp == records_of(part)[-1][1] for stamp, part in [*before, *after])


@given(batches)
def test_the_first_and_the_last_heartbeat_of_a_frame_are_found(
    drawn: tuple[int, list[tuple[float, bytes]], bool],
) -> None:
    frame, ats, records = made(drawn)
    beats = [number for number, record in enumerate(records, 1) if record == BEAT]
    assert (count_to_first_heartbeat(frame), count_to_last_heartbeat(frame)) == (
        (beats[0], beats[-1]) if beats else (0, 0)
    )
    assert ends_with_heartbeat(frame) == (records[-1] == BEAT)
    assert first_stamp((ats[-1], frame)) == ats[0]


def test_records_that_a_console_has_are_skipped() -> None:
    frame = batch_frame(5, [1.0, 1.0, 2.0], [Raw(TURN)] * 3, local=False)
    assert [number for number, _, _ in records_of(after_seq(frame, 5))] == [6, 7]
    assert after_seq(frame, 4) == frame
    assert after_seq(frame, 7) == b""


def test_a_welcome_is_never_split_and_counts_as_a_heartbeat() -> None:
    frame = msgspec.json.encode(Welcome(epoch="e", seq=3))
    assert is_welcome(frame)
    assert (count_to_first_heartbeat(frame), count_to_last_heartbeat(frame), ends_with_heartbeat(frame)) == (
        1,
        1,
        True,
    )
    assert split(frame, 1) == (frame, b"")
    assert split_at((4.0, frame), 9.0) == ([], [(4.0, frame)])
    assert first_stamp((4.0, frame)) == 4.0


def test_invalid_bytes_are_never_split() -> None:
    for junk in (b"", b"\xff", b"[]", b'{"type":"batch","heartbeat":1}'):
        assert split(junk, 1) == (junk, b"")
        assert split_at((1.0, junk), 2.0) == ([], [(1.0, junk)])
        assert (count_to_first_heartbeat(junk), count_to_last_heartbeat(junk)) == (0, 0)
        assert not is_welcome(junk)
        assert not ends_with_heartbeat(junk)


def test_runs_of_stamps_that_do_not_add_up_are_cut_or_extended() -> None:
    assert expand_stamps([(1.0, 2), (2.0, 5)], 3) == [1.0, 1.0, 2.0]
    assert expand_stamps([(1.0, 1), (2.0, 1)], 4) == [1.0, 2.0, 2.0, 2.0]
    assert expand_stamps([], 2) == [0.0, 0.0]
