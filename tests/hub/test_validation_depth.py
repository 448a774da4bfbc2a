from __future__ import annotations

from collections.abc import Callable

import pytest

from voicetop.hub.validation import Sender, Validator
from voicetop.wire.codec import Batch, Codec, Step
from voicetop.wire.events import TurnStart

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
    pieces = list(validator.admit(sent, Sender("a"), at=1.0))
    events = b",".join([GOOD, *(piece.text for piece in pieces), GOOD])
    frame = b'{"type":"batch","seq":1,"at":[[1.0,3]],"events":[%s]}' % events
    (batch,) = from_further_down(100, lambda: Codec().decode(frame))
    assert isinstance(batch, Batch)
    starts = [event for event in batch.events if type(event) is TurnStart]
    assert [event.call_id for event in starts] == ["good", "deep", "good"]
    assert validator.malformed == 0
    assert set(validator.faults) <= ({"a"} if levels > 300 else set())


def test_a_large_frame_of_shallow_events_passes_whole() -> None:
    (piece,) = Validator().admit(b"[" + b",".join([GOOD] * 2_000) + b"]", Sender("a"), at=1.0)
    assert piece.count == 2_000
