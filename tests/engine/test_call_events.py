"""A call's events, those of a recording among them."""

from __future__ import annotations

import numpy as np

from voicetop.engine.call_events import StoredEvents
from voicetop.formatting.numbers import known
from voicetop.wire.events import AnyEvent, CallStart, Durations, Turn


def test_absurd_stage_times_of_a_recording_are_as_unknown_as_when_they_came() -> None:
    read: list[AnyEvent] = [
        CallStart(ts=1.0, call_id="c"),
        Turn(
            ts=2.0,
            call_id="c",
            turn=0,
            e2e_ms=900.0,
            latency=Durations(stt=120.0, llm_ttft=-5.0, tts_ttfb=9e8),
        ),
        Turn(ts=3.0, call_id="c", turn=1, e2e_ms=800.0, latency=Durations(stt=110.0)),
    ]
    story = StoredEvents(np.arange(3), lambda: read)
    first, second = (event.latency for event in story if isinstance(event, Turn))
    assert first is not None
    assert first.stt == 120.0
    assert not known(first.llm_ttft)
    assert not known(first.tts_ttfb)
    assert second is not None
    assert second.stt == 110.0


def test_events_appended_to_those_of_a_recording_follow_them() -> None:
    story = StoredEvents(np.arange(1), lambda: [CallStart(ts=1.0, call_id="c")])
    story.append(Turn(ts=2.0, call_id="c", turn=0))
    assert len(story) == 2
    assert story.unloaded == 1
    assert [type(event) for event in story] == [CallStart, Turn]
    assert len(story) == 2
