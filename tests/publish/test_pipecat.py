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
from pipecat.metrics.metrics import (
    ProcessingMetricsData,
    STTUsage,
    STTUsageMetricsData,
    TTFBMetricsData,
    TTSUsageMetricsData,
)
from pipecat.observers.base_observer import FramePushed, ProcessorSetUp
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
    Interruption,
    Service,
    Stage,
    Transcript,
    Turn,
    TurnStart,
    Usage,
)

START = 1_700_000_000.0


class LLMService(FrameProcessor):
    """An LLM by its name."""

    _settings: Any = None
    _full_model_name: str = ""


class STTService(FrameProcessor):
    """An STT by its name."""


class BaseOutputTransport(FrameProcessor):
    """An output by its name."""


class LLMUserAggregator(FrameProcessor):
    """What reports turns, by its name."""


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
        self.stt, self.output = STTService(name="ears"), BaseOutputTransport(name="speaker")

    def emit(self, event: Event) -> None:
        self.events.append(event)

    async def show(
        self,
        frame: frames.Frame,
        source: FrameProcessor | None = None,
        to: FrameProcessor | None = None,
        *,
        up: bool = False,
        again: bool = False,
    ) -> None:
        direction = FrameDirection.UPSTREAM if up else FrameDirection.DOWNSTREAM
        where = source or self.llm
        data = FramePushed(where, to or where, frame, direction, 0, first_push=not again)
        await self.observer.on_push_frame(data)

    async def set_up(self, *processors: FrameProcessor) -> None:
        for processor in processors:
            await self.observer.on_processor_setup(ProcessorSetUp(processor, 0, 0))

    async def leave(self, frame: frames.Frame) -> None:
        """First pushed by the TTS, then passed on by the output."""
        await self.show(frame, self.tts)
        await self.show(frame, self.output, again=True)

    async def say(self, text: str, context: str, kind: str = "sentence") -> None:
        """The agent speaks a sentence of its own context."""
        announced = frames.AggregatedTextFrame(text, kind, context_id=context)
        announced.will_be_spoken = True
        await self.leave(announced)
        await self.leave(frames.TTSStartedFrame(context_id=context))
        await self.show(frames.BotStartedSpeakingFrame(), self.output)
        await self.show(frames.TTSAudioRawFrame(b"00", 16_000, 1), self.output)
        self.clock.now += 1.0
        await self.leave(frames.TTSTextFrame(text, kind, context_id=context))
        await self.show(frames.BotStoppedSpeakingFrame(), self.output)

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

    async def speak_over(self, text: str) -> None:
        """The caller says something while the agent speaks, which Pipecat takes for an acknowledgment."""
        await self.show(frames.VADUserStartedSpeakingFrame(start_secs=0.2, timestamp=self.clock.now))
        await self.show(frames.VADUserStoppedSpeakingFrame(stop_secs=0.2, timestamp=self.clock.now + 0.5))
        await self.show(frames.UserBackchannelFrame(text, "u", ""))

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


async def test_the_text_of_a_turn_is_what_left_the_output() -> None:
    bench = Bench()
    await bench.speak()
    await bench.say("One.", "a")
    await bench.say("Two.", "b")
    held_back = frames.TTSTextFrame("Three.", "sentence", context_id="c")
    await bench.show(held_back, bench.tts)
    await bench.observer.cleanup()
    assert [turn.agent_text for turn in bench.of(Turn)] == ["One.", "One. Two."]


async def test_a_model_that_no_tts_speaks_is_not_the_one_that_answers() -> None:
    bench = Bench()
    shadow = LLMService(name="shadow")
    await bench.set_up(bench.llm, shadow, bench.tts)
    await bench.speak()
    start, text = frames.LLMFullResponseStartFrame(), frames.LLMTextFrame("Never heard.")
    for frame in (start, text):
        await bench.show(frame, shadow, bench.output)
    assert bench.of(Stage)[-1].name == "eou"
    await bench.show(frames.LLMFullResponseStartFrame(), bench.llm, bench.tts)
    assert bench.of(Stage)[-1].name == "llm"
    await bench.say("Heard.", "a")
    assert [turn.agent_text for turn in bench.of(Turn)] == ["Heard."]


async def test_a_response_that_passes_other_parts_is_read_when_it_reaches_the_tts() -> None:
    bench = Bench()
    await bench.set_up(bench.llm, LLMService(name="shadow"), bench.tts)
    await bench.speak()
    start = frames.LLMFullResponseStartFrame()
    await bench.show(start, bench.llm, bench.output)
    assert bench.of(Stage)[-1].name == "eou"
    await bench.show(start, bench.output, bench.tts, again=True)
    assert (bench.of(Stage)[-1].name, bench.of(Stage)[-1].provider) == ("llm", "brain")


async def test_a_backchannel_of_the_agent_is_no_reply() -> None:
    bench = Bench()
    await bench.speak()
    await bench.show(frames.BotBackchannelFrame("Mm-hmm."))
    await bench.say("Mm-hmm.", "m", kind="backchannel")
    assert bench.of(Turn) == []
    await bench.say("Of course.", "a")
    assert [(turn.agent_text, turn.e2e_ms) for turn in bench.of(Turn)] == [("Of course.", 1_200.0)]


async def test_the_models_name_is_that_of_the_response() -> None:
    bench = Bench()
    bench.llm._settings = type("Settings", (), {"model": "asked-for"})()
    for answering in ("", "answered"):
        if answering:
            bench.llm._full_model_name = answering
        await bench.speak()
        await bench.show(frames.LLMFullResponseStartFrame())
        metric = TTFBMetricsData(processor="brain", model="asked-for", value=0.2)
        await bench.show(frames.MetricsFrame(data=[metric]))
        await bench.show(frames.BotStartedSpeakingFrame())
        await bench.show(frames.BotStoppedSpeakingFrame())
    assert [each.model for each in bench.of(Service) if each.component == "llm"] == ["", "answered"]


async def test_an_stt_that_finishes_without_words_makes_a_sound_noise() -> None:
    bench = Bench()
    await bench.set_up(LLMUserAggregator(name="user"), bench.stt)
    await bench.show(frames.STTMetadataFrame(service_name="ears", ttfs_p99_latency=0.5), bench.stt)
    await bench.show(frames.VADUserStartedSpeakingFrame(start_secs=0.2, timestamp=bench.clock.now))
    bench.clock.now += 0.5
    await bench.show(frames.VADUserStoppedSpeakingFrame(stop_secs=0.2, timestamp=bench.clock.now))
    done = ProcessingMetricsData(processor="ears", value=0.1)
    await bench.show(frames.MetricsFrame(data=[done]), bench.stt)
    bench.clock.now += 0.6
    await bench.show(frames.InputAudioRawFrame(b"", 16_000, 1))
    assert [turn.status for turn in bench.of(Turn)] == ["noise"]


async def test_words_of_the_caller_are_told_as_they_become_known() -> None:
    bench = Bench()
    await bench.show(frames.VADUserStartedSpeakingFrame(start_secs=0.2, timestamp=bench.clock.now))
    await bench.show(frames.InterimTranscriptionFrame("please", "u", ""), bench.stt)
    await bench.show(frames.VADUserStoppedSpeakingFrame(stop_secs=0.2, timestamp=bench.clock.now + 1))
    await bench.show(frames.TranscriptionFrame("please help", "u", "", finalized=True), bench.stt)
    told = [(each.text, each.final, each.turn) for each in bench.of(Transcript)]
    assert told == [("please", False, 0), ("please help", True, 0)]


async def test_mhm_that_pipecat_recognizes_is_a_backchannel() -> None:
    bench = Bench()
    await bench.set_up(LLMUserAggregator(name="user"))
    await bench.show(frames.ClientConnectedFrame())
    await bench.show(frames.BotStartedSpeakingFrame())
    await bench.speak_over("mhm")
    assert [(each.by, each.backchannel) for each in bench.of(Interruption)] == [("user", True)]
    assert bench.of(TurnStart) == []


async def test_words_to_a_muted_agent_are_in_no_turn() -> None:
    bench = Bench()
    await bench.speak()
    await bench.show(frames.LLMFullResponseStartFrame())
    await bench.show(frames.UserMuteStartedFrame())
    await bench.say("One.", "a")
    await bench.show(frames.TranscriptionFrame("stop it", "u", "", finalized=True))
    await bench.show(frames.UserMuteStoppedFrame())
    await bench.observer.cleanup()
    assert {turn.user_text for turn in bench.of(Turn)} == {"please help me"}
    assert {words.text for words in bench.of(Transcript)} == {"please help me"}


async def test_a_realtime_model_gets_its_callers_late_words_into_their_turn() -> None:
    bench = Bench()
    ready = frames.LLMServiceMetadataFrame(service_name=bench.llm.name, is_realtime_service=True)
    await bench.show(ready)
    await bench.show(frames.UserStartedSpeakingFrame())
    await bench.show(frames.UserStoppedSpeakingFrame())
    await bench.show(frames.LLMFullResponseStartFrame())
    await bench.say("One.", "a")
    await bench.show(frames.TranscriptionFrame("help me", "", ""), up=True)
    await bench.show(frames.UserStartedSpeakingFrame())
    await bench.observer.cleanup()
    assert bench.of(Turn)[-1].user_text == "help me"
    assert {turn.turn for turn in bench.of(Turn)} == {0}


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


async def test_a_frame_that_cannot_be_read_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    for _ in range(3):
        await bench.show(frames.TranscriptionFrame(None, "u", ""))  # type: ignore[arg-type]
    await bench.speak()
    await bench.say("One.", "a")
    await bench.observer.cleanup()
    assert [turn.agent_text for turn in bench.of(Turn)][-1] == "One."
    assert len(caplog.records) == 1


async def test_an_observer_that_watches_a_second_call_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    await bench.observer.on_pipeline_started()
    await bench.observer.cleanup()
    assert caplog.records == []
    for _ in range(2):
        await bench.observer.on_pipeline_started()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "one call" in caplog.text


def test_calls_of_one_process_share_a_publisher_and_a_bad_address_is_refused() -> None:
    publisher = shared_publisher("ws://127.0.0.1:9")
    try:
        assert shared_publisher("ws://127.0.0.1:9") is publisher
        with pytest.raises(UsageError, match="is not a hub URL"):
            VoicetopObserver("127.0.0.1")
    finally:
        publisher.close(timeout=0.5)
