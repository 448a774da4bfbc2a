"""Notes of turns that were packed together come back call by call."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from voicetop.engine.windows.ledger import RECORD
from voicetop.replay.checkpoints.turn_notes import pack_notes, unpack_notes

records = st.lists(
    st.tuples(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 7_000), max_size=9)), max_size=5
).map(
    lambda told: b"".join(
        RECORD.pack(slot, len(rest)) + struct.pack(f"<{len(rest)}H", *rest) for slot, rest in told
    )
)


@given(st.lists(records, max_size=6))
def test_what_was_noted_of_turns_comes_back(noted: list[bytes]) -> None:
    assert unpack_notes(pack_notes(noted)) == noted
