from __future__ import annotations

from collections.abc import Callable

import pytest

from voicetop.hub.validation import Validator
from voicetop.wire.codec import Batch, Codec, Step

GOOD = b'{"type":"turn.start","ts":1,"call_id":"good"}'


def deep(levels: int) -> bytes:
    return b'{"type":"turn.start","ts":1,"call_id":"deep","x":' + b"[" * levels + b"]" * levels + b"}"


def from_further_down(frames: int, read: Callable[[], list[Step]]) -> list[Step]:
    """The result of `read` with less room on the stack."""
    return from_further_down(frames - 1, read) if frames else read()


@pytest.mark.parametrize("levels", [1, 300, 700, 800, 900, 950, 970, 985, 1_000, 5_000])
@pytest.mark.parametrize("as_array", [False, True])
def test_an_event_nested_too_deeply_does_not_affect_other_events(levels: int, as_array: bool) -> None:
    validator = Validator()
    sent = b"[" + deep(levels) + b"]" if as_array else deep(levels)
    pieces = validator.admit(sent, sender="a", may_operate=False, at=1.0)
    events = b",".join([GOOD, *(piece.text for piece in pieces), GOOD])
    frame = b'{"type":"batch","seq":1,"at":[[1.0,3]],"events":[%s]}' % events
    (batch,) = from_further_down(100, lambda: Codec().decode(frame))
    assert isinstance(batch, Batch)
    assert len(batch.events) == 3
    assert validator.malformed <= (levels > 300)


def test_a_large_frame_of_shallow_events_passes_whole() -> None:
    (piece,) = Validator().admit(
        b"[" + b",".join([GOOD] * 2_000) + b"]", sender="a", may_operate=False, at=1.0
    )
    assert piece.count == 2_000
