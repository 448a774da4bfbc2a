"""The observer of a Pipecat pipeline: turns frames into the records of `adapters/pipecat/call.py`.

It only reads, and hands the resulting events to a publisher, which never blocks. A failure in here costs that frame, is
logged once and doesn't affect the call.

Most frames matter when they are first pushed. Texts and the start of a TTS context matter when the output passes them
on, for that is when they are heard; and what a model writes, if there are several, when it reaches a TTS.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from pipecat.frames import frames
from pipecat.metrics import metrics
from pipecat.observers.base_observer import BaseObserver, FramePushed, ProcessorSetUp
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from voicetop.adapters.pipecat.call import CallFacts, PipecatCall
from voicetop.clock import Clock, WallClock
from voicetop.connection.address import DEFAULT_URL
from voicetop.publish.pipecat.measuring import Loudness, ResponseTime
from voicetop.publish.pipecat.models import RESPONSE, Models
from voicetop.publish.pipecat.processors import (
    answering_model,
    component,
    http_status,
    identity,
    is_output,
    reports_turns,
)
from voicetop.publish.publisher import Publisher
from voicetop.wire.events import Agent, CallOutcome, CallStep, Event
from voicetop.wire.values import Scalar

TICK_S = 0.25
_LEAVE_EVENTS = ("on_client_disconnected", "on_participant_left", "on_participant_disconnected")

log = logging.getLogger("voicetop.publish")


class EventEmitter(Protocol):
    """The part of a publisher that the observer uses."""

    def emit(self, event: Event) -> None: ...


class VoicetopObserver(BaseObserver):
    """Publishes the call of one `PipelineWorker`.

    `publisher` is a publisher shared by calls, or the address of a hub, for which the process has one publisher.
    `segments` are the call's segment values (intent, language, tier, version, ...); pass those that become known later
    to `update`. `texts=False` sends no transcripts or tool arguments. `transport` lets a caller who disconnects be
    distinguished from an agent that is cancelled.
    """

    def __init__(
        self,
        publisher: EventEmitter | str = DEFAULT_URL,
        call_id: str = "",
        segments: Mapping[str, Scalar] | None = None,
        *,
        agent: Agent | None = None,
        direction: str = "",
        caller: str = "",
        texts: bool = True,
        transport: Any = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(observe_every_push=True)
        self._publisher = shared_publisher(publisher) if isinstance(publisher, str) else publisher
        self._clock = clock or WallClock()
        self.call_id = call_id or uuid.uuid4().hex
        self._call = PipecatCall(
            CallFacts(self.call_id, dict(segments or {}), agent, direction, caller, texts)
        )
        self._response_time = ResponseTime(self._clock)
        self._loudness = Loudness()
        self._models = Models()
        self._ticked_at = 0.0
        self._has_failed = False
        self._pipelines = 0
        if transport is not None:
            self._watch_transport(transport)

    # Called by the application.

    def update(self, segments: Mapping[str, Scalar] | None = None, state: str = "") -> None:
        """Segments that became known in mid-call, or a state: held, transferring, active."""
        self._emit(self._call.update(self._clock.time(), segments or {}, state))

    def step(self, step: str) -> None:
        """The conversation reached a named point."""
        self._emit([CallStep(call_id=self.call_id, ts=self._clock.time(), step=step)])

    def outcome(self, success: bool | None, evaluator: str = "agent", **fields: Any) -> None:
        """The call's result; may come after its end."""
        ts = self._clock.time()
        self._emit([CallOutcome(call_id=self.call_id, ts=ts, success=success, evaluator=evaluator, **fields)])

    # Called by Pipecat.

    async def on_pipeline_started(self) -> None:
        self._pipelines += 1
        if self._pipelines == 2:
            log.warning(
                "a VoicetopObserver watches one call, and this one has a second pipeline, whose events are lost or "
                "mixed with those of call %s; make an observer for each call",
                self.call_id,
            )
        await self._response_time.on_pipeline_started()

    async def on_processor_setup(self, data: ProcessorSetUp) -> None:
        with self._isolating_failures():
            self._models.add(component(data.processor))
            if reports_turns(data.processor):
                self._handle("turns_reported")

    async def on_push_frame(self, data: FramePushed) -> None:
        if not (data.first_push or type(data.frame) in _PASSED_ON):
            return
        with self._isolating_failures():
            heard = self._models.reaching_voice(data)
            if heard is not None:
                await self._response_time.on_push_frame(heard)
                self._handle_frame(heard)
            elif not data.first_push and is_output(data.source):
                self._leaves(data.frame)

    async def cleanup(self) -> None:
        """The pipeline has ended, and so has the call."""
        await super().cleanup()
        with self._isolating_failures():
            self._handle("over")

    @contextmanager
    def _isolating_failures(self) -> Iterator[None]:
        try:
            yield
        except Exception:
            if not self._has_failed:
                log.exception(
                    "voicetop couldn't read a frame of call %s and leaves it out, as others from now on without a "
                    "word; the call is not affected",
                    self.call_id,
                )
            self._has_failed = True

    # From frames to records.

    def _emit(self, events: list[Event]) -> None:
        for event in events:
            self._publisher.emit(event)

    def _handle(self, kind: str, **fields: Any) -> None:
        self._handle_at(self._clock.time(), kind, **fields)

    def _handle_at(self, at: float, kind: str, **fields: Any) -> None:
        self._emit(self._call.handle(kind, at, **fields))

    def _handle_frame(self, data: FramePushed) -> None:
        frame = data.frame
        kind = type(frame)
        if kind not in _readers:
            _readers[kind] = _reader_of(kind)
        reader = _readers[kind]
        if reader is not None and not _is_upstream_copy(data):
            reader(self, frame, data.source)
        now = self._clock.time()
        if now - self._ticked_at > TICK_S:
            self._ticked_at = now
            self._handle("tick")

    def _watch_transport(self, transport: Any) -> None:
        async def on_leave(*_: object) -> None:
            self._handle("disconnected")

        for name in _LEAVE_EVENTS:
            if name in getattr(transport, "_event_handlers", {}):
                transport.add_event_handler(name, on_leave)

    def _vad_start(self, frame: frames.VADUserStartedSpeakingFrame, _source: FrameProcessor) -> None:
        self._loudness.begin()
        self._handle_at(frame.timestamp, "user_speech_start", start_secs=frame.start_secs)

    def _vad_stop(self, frame: frames.VADUserStoppedSpeakingFrame, _source: FrameProcessor) -> None:
        dbfs = self._loudness.end()
        self._handle_at(frame.timestamp, "user_speech_stop", stop_secs=frame.stop_secs, loudness_dbfs=dbfs)

    def _audio(self, frame: frames.InputAudioRawFrame, _source: FrameProcessor) -> None:
        self._loudness.add(frame.audio)

    def _transcript(self, frame: frames.TranscriptionFrame, source: FrameProcessor) -> None:
        language = str(getattr(frame.language, "value", frame.language) or "")
        about = {"language": language, "component": component(source), **identity(source)}
        self._handle("transcript", text=frame.text, **about)

    def _interim(self, frame: frames.InterimTranscriptionFrame, _source: FrameProcessor) -> None:
        self._handle("interim", text=frame.text)

    def _stt_ready(self, frame: frames.STTMetadataFrame, _source: FrameProcessor) -> None:
        self._handle("stt_ready", seconds=frame.ttfs_p99_latency)

    def _llm_ready(self, frame: frames.LLMServiceMetadataFrame, source: FrameProcessor) -> None:
        if frame.is_realtime_service:
            self._handle("realtime", **identity(source))

    def _llm_start(self, _frame: frames.Frame, source: FrameProcessor) -> None:
        self._handle("llm_start", **identity(source))

    def _text(self, frame: frames.TextFrame | frames.TTSSpeakFrame, _source: FrameProcessor) -> None:
        self._handle("llm_text", text=frame.text)

    def _announce(self, frame: frames.AggregatedTextFrame, _source: FrameProcessor) -> None:
        if frame.will_be_spoken:
            context, backchannel = str(frame.context_id or ""), _is_backchannel(frame)
            self._handle("announce", text=frame.text, context=context, backchannel=backchannel)

    def _leaves(self, frame: Any) -> None:
        """The output passes it on: it is being heard, or has been."""
        if isinstance(frame, frames.TTSStartedFrame):
            self._handle("play", context=str(frame.context_id or ""))
        elif isinstance(frame, frames.TTSTextFrame):
            about = {"backchannel": _is_backchannel(frame), "spaced": frame.includes_inter_frame_spaces}
            timed, context = frame.pts is not None, str(frame.context_id or "")
            self._handle("said", text=frame.text, context=context, timed=timed, **about)
        elif isinstance(frame, frames.AggregatedTextFrame) and _is_answer(frame):
            self._handle("saying", text=frame.text, context=str(frame.context_id or ""))

    def _agent_audio(self, _frame: frames.TTSAudioRawFrame, source: FrameProcessor) -> None:
        if is_output(source):
            self._handle("audio")

    def _tts_start(self, frame: frames.TTSStartedFrame, source: FrameProcessor) -> None:
        self._handle("tts_start", context=str(frame.context_id or ""), **identity(source))

    def _bot_start(self, _frame: frames.Frame, _source: FrameProcessor) -> None:
        breakdown = self._response_time.take()
        if breakdown is not None:
            parts = [(part.key, part.duration_secs) for part in breakdown.contributions]
            self._handle("breakdown", contributions=parts, measured_from=str(breakdown.measured_from or ""))
        self._handle("bot_start")

    def _tool_start(self, frame: frames.FunctionCallInProgressFrame, _source: FrameProcessor) -> None:
        arguments = json.dumps(frame.arguments, default=str, ensure_ascii=False)
        self._handle("tool_start", call=frame.tool_call_id, name=frame.function_name, arguments=arguments)

    def _tool_result(self, frame: frames.FunctionCallResultFrame, _source: FrameProcessor) -> None:
        if frame.properties is None or frame.properties.is_final:
            self._handle("tool_end", call=frame.tool_call_id, error=frame.error or "")

    def _tool_cancel(self, frame: frames.FunctionCallCancelFrame, _source: FrameProcessor) -> None:
        """Pipecat asks for inference only after a deadline cancelled a call."""
        self._handle("tool_cancel", call=frame.tool_call_id, timed_out=frame.run_llm)

    def _error(self, frame: frames.ErrorFrame, source: FrameProcessor) -> None:
        processor = frame.processor or source
        self._handle(
            "error",
            message=str(frame.error),
            processor=processor.name,
            component=component(processor),
            category=frame.category.value if frame.category else "",
            error_type=type(frame.exception).__name__ if frame.exception else "",
            http_status=http_status(frame.exception),
        )

    def _metrics(self, frame: frames.MetricsFrame, source: FrameProcessor) -> None:
        for data in frame.data:
            where = {"processor": data.processor, "model": data.model or ""}
            if data.processor == source.name:
                where |= {"component": component(source), "answered_by": answering_model(source)}
            self._metric(data, where)

    def _metric(self, data: metrics.MetricsData, where: dict[str, str]) -> None:
        if isinstance(data, metrics.TTFBMetricsData):
            self._handle("ttfb", seconds=data.value, **where)
        elif isinstance(data, metrics.LLMUsageMetricsData):
            tokens = data.value
            self._handle(
                "usage",
                input_tokens=tokens.prompt_tokens,
                output_tokens=tokens.completion_tokens,
                cached_tokens=tokens.cache_read_input_tokens or 0,
                **where,
            )
        elif isinstance(data, metrics.TTSUsageMetricsData):
            self._handle("usage", characters=data.value, **where)
        elif isinstance(data, metrics.STTUsageMetricsData):
            self._handle("usage", audio_s=data.value.audio_seconds, **where)
        elif isinstance(data, metrics.ProcessingMetricsData) and where.get("component") == "stt":
            self._handle("stt_done")


_PASSED_ON = frozenset({*RESPONSE, frames.TTSStartedFrame, frames.AggregatedTextFrame, frames.TTSTextFrame})

_Reader = Callable[[VoicetopObserver, Any, FrameProcessor], None]


def _as(kind: str) -> _Reader:
    """A reader for frames whose type says everything."""
    return lambda observer, _frame, _source: observer._handle(kind)


def _as_end(how: str) -> _Reader:
    return lambda observer, frame, _source: observer._handle("end", how=how, reason=_reason(frame))


def _ignore(_observer: VoicetopObserver, _frame: Any, _source: FrameProcessor) -> None:
    """It matters only when it leaves the output, or not at all."""


_READERS: tuple[tuple[type[frames.Frame], _Reader], ...] = (
    (frames.ClientConnectedFrame, _as("connected")),
    (frames.VADUserStartedSpeakingFrame, VoicetopObserver._vad_start),
    (frames.VADUserStoppedSpeakingFrame, VoicetopObserver._vad_stop),
    (frames.InputAudioRawFrame, VoicetopObserver._audio),
    (frames.UserStartedSpeakingFrame, _as("user_turn_start")),
    (frames.UserStoppedSpeakingFrame, _as("user_turn_stop")),
    (frames.TranscriptionFrame, VoicetopObserver._transcript),
    (frames.InterimTranscriptionFrame, VoicetopObserver._interim),
    (frames.UserBackchannelFrame, _as("backchannel")),
    (frames.InputDTMFFrame, _as("key")),
    (frames.UserMuteStartedFrame, _as("mute")),
    (frames.UserMuteStoppedFrame, _as("unmute")),
    (frames.STTMetadataFrame, VoicetopObserver._stt_ready),
    (frames.LLMServiceMetadataFrame, VoicetopObserver._llm_ready),
    (frames.LLMFullResponseStartFrame, VoicetopObserver._llm_start),
    (frames.LLMTextFrame, VoicetopObserver._text),
    (frames.BotBackchannelFrame, _ignore),
    (frames.TTSSpeakFrame, VoicetopObserver._text),
    (frames.TTSTextFrame, _ignore),
    (frames.AggregatedTextFrame, VoicetopObserver._announce),
    (frames.TTSAudioRawFrame, VoicetopObserver._agent_audio),
    (frames.LLMFullResponseEndFrame, _as("llm_end")),
    (frames.TTSStartedFrame, VoicetopObserver._tts_start),
    (frames.BotStartedSpeakingFrame, VoicetopObserver._bot_start),
    (frames.BotStoppedSpeakingFrame, _as("bot_stop")),
    (frames.InterruptionFrame, _as("interruption")),
    (frames.FunctionCallInProgressFrame, VoicetopObserver._tool_start),
    (frames.FunctionCallResultFrame, VoicetopObserver._tool_result),
    (frames.FunctionCallCancelFrame, VoicetopObserver._tool_cancel),
    (frames.ErrorFrame, VoicetopObserver._error),
    (frames.MetricsFrame, VoicetopObserver._metrics),
    (frames.EndFrame, _as_end("end")),
    (frames.CancelFrame, _as_end("cancel")),
    (frames.StopFrame, _as_end("stop")),
)

_readers: dict[type[frames.Frame], _Reader | None] = {}


def _reader_of(kind: type[frames.Frame]) -> _Reader | None:
    return next((reader for base, reader in _READERS if issubclass(kind, base)), None)


def _is_upstream_copy(data: FramePushed) -> bool:
    """A broadcast arrives as two frames, one each way: the upstream one adds nothing."""
    return data.frame.broadcast_sibling_id is not None and data.direction is not FrameDirection.DOWNSTREAM


def _is_backchannel(frame: frames.AggregatedTextFrame) -> bool:
    return str(frame.text_type) == "backchannel"


def _is_answer(frame: frames.AggregatedTextFrame) -> bool:
    return frame.will_be_spoken and not _is_backchannel(frame)


def _reason(frame: Any) -> str:
    reason = getattr(frame, "reason", None)
    return str(reason) if reason is not None else ""


_shared: dict[str, Publisher] = {}


def shared_publisher(url: str) -> Publisher:
    """The process's publisher for a hub; its token is VOICETOP_TOKEN. Raises UsageError for a bad address."""
    if url not in _shared:
        _shared[url] = Publisher(url)
    return _shared[url]
