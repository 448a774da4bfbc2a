"""Calls laid out field by field come back as they were, whatever stands in them."""

from __future__ import annotations

import math
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicetop.engine.calls import Call, Evaluation, VoiceLevels, WindowMark
from voicetop.engine.windows.ledger import RECORD
from voicetop.replay.checkpoints.state_parts import pack_calls, unpack_calls
from voicetop.wire.events import NAN

numbers = st.one_of(
    st.floats(allow_nan=False), st.just(NAN), st.integers(0, 10**9).map(lambda micro: 1.76e9 + micro / 1e6)
)
marks = st.dictionaries(
    st.text("abc:", max_size=4),
    st.builds(WindowMark, st.floats(allow_nan=False), st.integers(-(2**40), 2**40)),
    max_size=4,
)
records = st.lists(
    st.tuples(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 7_000), max_size=9)), max_size=5
).map(
    lambda told: b"".join(
        RECORD.pack(slot, len(rest)) + struct.pack(f"<{len(rest)}H", *rest) for slot, rest in told
    )
)
calls = st.builds(
    Call,
    call_id=st.text(max_size=8),
    started=numbers,
    seen=numbers,
    cell=st.integers(0, 3),
    segments=st.dictionaries(st.sampled_from(["intent", "tier"]), st.text(max_size=3)),
    known_at=st.dictionaries(st.text(max_size=3), numbers, max_size=2),
    e2e=numbers,
    voice=st.none() | st.builds(VoiceLevels, numbers, numbers, numbers, numbers, st.integers(0, 99)),
    spent=st.dictionaries(st.text(max_size=3), st.integers(0, 10**12), max_size=2),
    opinions=st.dictionaries(st.text(max_size=3), st.builds(Evaluation, numbers), max_size=2),
    marks=marks,
    observed=records.map(bytearray),
    waits=records,
)


@given(st.lists(calls, max_size=6))
def test_calls_come_back_as_they_were(held: list[Call]) -> None:
    encode = msgspec.msgpack.encode
    assert [encode(call) for call in unpack_calls(pack_calls(held))] == [encode(call) for call in held]


def test_what_is_damaged_is_told() -> None:
    whole = pack_calls([Call(call_id="a", started=1.5, seen=math.pi, marks={"ended": WindowMark(2.0, 1)})])
    with pytest.raises((msgspec.DecodeError, ValueError, LookupError)):
        unpack_calls(whole[:-9])
