"""The observer itself, given frames by hand: what it reads, and that it never breaks a call."""

from __future__ import annotations

import array
import math
import warnings
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Pipecat's imports warn of what Python 3.13 drops
    pytest.importorskip("pipecat.transports.base_transport")

from pipecat.frames import frames
from pipecat.metrics.metrics import STTUsage, STTUsageMetricsData, TTFBMetricsData, TTSUsageMetricsData
from pipecat.observers.base_observer import FramePushed
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_transport import BaseTransport

from voicetop.clock import ManualClock
from voicetop.errors import UsageError
from voicetop.publish.pipecat import VoicetopObserver, shared_publisher
from voicetop.wire.events import (
    Audio,
    CallEnd,
    CallOutcome,
    CallStart,
    CallStep,
    CallUpdate,
    Error,
    Event,
    Turn,
    Usage,
)

START = 1_700_000_000.0


class LLMService(FrameProcessor):
    """An LLM by its name."""


class KokoroVoice(FrameProcessor):
    """A TTS whose name doesn't show it."""


class TTSService(KokoroVoice):
    """Its base class does."""


class Bench:
    """An observer, its clock and its published events."""

    def __init__(self, **options: Any) -> None:
        self.clock = ManualClock(START)
        self.events: list[Event] = []
        self.observer = VoicetopObserver(self, "c1", clock=self.clock, **options)
        self.llm, self.tts = LLMService(name="brain"), TTSService(name="voice")

    def emit(self, event: Event) -> None:
        self.events.append(event)

    async def show(
        self, frame: frames.Frame, source: FrameProcessor | None = None, *, up: bool = False
    ) -> None:
        direction = FrameDirection.UPSTREAM if up else FrameDirection.DOWNSTREAM
        where = source or self.llm
        await self.observer.on_push_frame(FramePushed(where, where, frame, direction, 0))

    async def speak(self, loud: int = 0) -> None:
        """The caller speaks for two seconds."""
        now = self.clock.now
        await self.show(frames.VADUserStartedSpeakingFrame(start_secs=0.2, timestamp=now))
        if loud:
            tone = array.array("h", [int(loud * math.sin(number / 5)) for number in range(16_000)])
            await self.show(
                frames.InputAudioRawFrame(audio=tone.tobytes(), sample_rate=16_000, num_channels=1)
            )
        self.clock.now += 2.0
        await self.show(frames.VADUserStoppedSpeakingFrame(stop_secs=0.2, timestamp=self.clock.now))
        await self.show(frames.TranscriptionFrame("please help me", "u", "", finalized=True))

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if type(event) is kind]


async def test_a_reply_is_measured_as_pipecat_measures_it() -> None:
    bench = Bench(segments={"intent": "billing"})
    await bench.show(frames.ClientConnectedFrame())
    await bench.speak()
    bench.clock.now += 0.3
    await bench.show(frames.LLMFullResponseStartFrame())
    bench.clock.now += 0.5
    await bench.show(frames.LLMTextFrame("Of course."))
    await bench.show(frames.BotStartedSpeakingFrame())
    [turn] = bench.of(Turn)
    assert turn.e2e_ms == pytest.approx(1_000.0, abs=0.01)
    assert turn.additive
    assert turn.latency.vad == pytest.approx(200.0, abs=0.01)
    assert (turn.user_text, turn.agent_text) == ("please help me", "Of course.")
    assert bench.of(CallStart)[0].segments == {"intent": "billing"}


async def test_the_callers_loudness_is_measured_during_speech() -> None:
    bench = Bench()
    await bench.speak(loud=16_384)
    await bench.show(frames.LLMFullResponseStartFrame())
    await bench.show(frames.BotStartedSpeakingFrame())
    [audio] = bench.of(Audio)
    assert audio.loudness_dbfs == pytest.approx(-9.0, abs=0.2)  # a sine of half the full scale


async def test_an_error_belongs_to_the_service_that_raised_it_whatever_its_name() -> None:
    bench = Bench()
    await bench.speak()
    for processor in (bench.tts, bench.llm):
        error = RuntimeError("odd")
        error.status_code = 503  # type: ignore[attr-defined]
        await bench.show(frames.ErrorFrame("odd", processor=processor, exception=error), processor, up=True)
    assert [
        (error.component, error.category, error.provider, error.error_type) for error in bench.of(Error)
    ] == [
        ("tts", "overloaded", "voice", "RuntimeError"),
        ("llm", "overloaded", "brain", "RuntimeError"),
    ]


async def test_usage_comes_from_the_metrics() -> None:
    bench = Bench()
    await bench.show(frames.ClientConnectedFrame())
    await bench.show(
        frames.MetricsFrame(
            data=[
                TTFBMetricsData(processor="voice", value=0.0),
                TTSUsageMetricsData(processor="voice", model="m", value=12),
                STTUsageMetricsData(processor="EarsSTTService#0", value=STTUsage(audio_seconds=2.5)),
            ]
        ),
        bench.tts,
    )
    assert [(usage.component, usage.characters, usage.audio_s) for usage in bench.of(Usage)] == [
        ("tts", 12, 0.0), ("stt", 0, 2.5)
    ]  # fmt: skip


async def test_the_upstream_copy_of_a_broadcast_is_ignored() -> None:
    bench = Bench()
    await bench.show(frames.ClientConnectedFrame())
    frame = frames.FunctionCallInProgressFrame("lookup", "1", {"a": object()})
    frame.broadcast_sibling_id = 7
    await bench.show(frame, up=True)
    assert len(bench.events) == 1
    await bench.show(frame)
    assert len(bench.events) == 2


async def test_the_application_may_add_segments_steps_and_outcomes() -> None:
    bench = Bench()
    await bench.show(frames.ClientConnectedFrame())
    bench.observer.update({"intent": "refund"}, state="transferring")
    bench.observer.step("identify")
    bench.observer.outcome(success=True, sentiment=4.0)
    assert [type(event) for event in bench.events] == [CallStart, CallUpdate, CallStep, CallOutcome]


async def test_a_call_ends_when_its_pipeline_is_cleaned_up_and_once() -> None:
    bench = Bench()
    await bench.show(frames.ClientConnectedFrame())
    await bench.show(frames.EndFrame(reason="voicemail"))
    assert bench.of(CallEnd) == []
    for _ in range(2):
        await bench.observer.cleanup()
    assert [end.reason for end in bench.of(CallEnd)] == ["voicemail"]


async def test_a_transport_reports_that_the_caller_left() -> None:
    class Line(BaseTransport):
        def __init__(self) -> None:
            super().__init__()
            self._register_event_handler("on_client_disconnected", sync=True)

        def input(self) -> FrameProcessor:
            raise NotImplementedError

        def output(self) -> FrameProcessor:
            raise NotImplementedError

    line = Line()
    bench = Bench(transport=line)
    await bench.show(frames.ClientConnectedFrame())
    await line._call_event_handler("on_client_disconnected", object())
    await bench.show(frames.CancelFrame())
    await bench.observer.cleanup()
    assert [(end.reason, end.party) for end in bench.of(CallEnd)] == [("user_hangup", "user")]


async def test_a_failure_in_the_observer_is_logged_once_and_does_not_affect_the_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench()
    bench.emit = lambda _: 1 / 0  # type: ignore[assignment,method-assign]
    for _ in range(3):
        await bench.show(frames.ClientConnectedFrame())
        await bench.show(frames.BotStartedSpeakingFrame())
    await bench.observer.cleanup()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "the call is not affected" in caplog.text


def test_calls_of_one_process_share_a_publisher_and_a_bad_address_is_refused() -> None:
    publisher = shared_publisher("ws://127.0.0.1:9")
    try:
        assert shared_publisher("ws://127.0.0.1:9") is publisher
        with pytest.raises(UsageError, match="is not a hub URL"):
            VoicetopObserver("127.0.0.1")
    finally:
        publisher.close(timeout=0.5)
