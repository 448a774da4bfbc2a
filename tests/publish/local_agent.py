"""A Pipecat agent of local parts, and its own log of what really happened: it shares nothing with the adapter.

Real pipeline, real frames, real time. Speech is a square wave whose height says which sentence it is, so that the
loudspeaker knows what it plays, and the "speech recognition" what it hears. The language model is an OpenAI-compatible
server on loopback.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiohttp import web
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.audio.turn.base_turn_analyzer import BaseTurnAnalyzer, BaseTurnParams, EndOfTurnState
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams
from pipecat.frames.frames import (
    CancelFrame,
    ClientConnectedFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    StartFrame,
    TranscriptionFrame,
)
from pipecat.pipeline.parallel_pipeline import ParallelPipeline
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.settings import STTSettings, TTSSettings
from pipecat.services.stt_service import SegmentedSTTService, STTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pipecat.turns.user_turn_strategies import UserTurnStrategies

RATE = 16_000
FRAME = RATE // 50
LOWEST, STEP = 1_000, 40
ENDING = RATE // 20
ASKED_FOR, ANSWERED_BY = "stub-mini", "stub-mini-2026-07-18"
SHADOW = "shadow-model"
SHADOW_SAYS = "This is never heard."


@dataclass
class Entry:
    """Something that happened: `what` is caller, voice (as it was detected), audio or tool."""

    what: str
    text: str
    begin: float
    end: float = float("nan")
    how: str = ""


@dataclass
class Log:
    """What really happened in one call."""

    entries: list[Entry] = field(default_factory=list)

    def begin(self, what: str, text: str) -> Entry:
        self.entries.append(Entry(what, text, time.time()))
        return self.entries[-1]

    def of(self, what: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.what == what]


class Sounds:
    """Sentences as square waves, each of its own height."""

    def __init__(self) -> None:
        self._texts: list[str] = [""]

    def of(self, text: str, seconds: float) -> np.ndarray[Any, Any]:
        if text not in self._texts:
            self._texts.append(text)
        height = LOWEST + STEP * self._texts.index(text)
        wave = np.where(np.arange(int(seconds * RATE)) // 8 % 2, height, -height)
        wave[-ENDING:] = wave[-ENDING:] // height * (height + STEP // 2)
        return wave.astype(np.int16)

    def heard(self, pcm: bytes) -> str:
        """The sentence that most of the loud samples belong to."""
        heights = np.abs(np.frombuffer(pcm, np.int16).astype(np.int32))
        loud = heights[heights >= LOWEST]
        if not len(loud):
            return ""
        return self._text(int(np.median(loud)))

    def heard_out(self, pcm: bytes) -> str:
        """The sentence whose end this is, however much of it was cut off before."""
        heights = np.abs(np.frombuffer(pcm, np.int16).astype(np.int32))
        ends = heights[(heights >= LOWEST) & (heights % STEP == STEP // 2)]
        return self._text(int(np.median(ends))) if len(ends) else ""

    def _text(self, height: int) -> str:
        index = (height - LOWEST) // STEP
        return self._texts[index] if index < len(self._texts) else ""


class Loudness(VADAnalyzer):
    """Voice is what is loud. It logs when it heard some: on a busy machine that is later than it was spoken."""

    def __init__(self, log: Log) -> None:
        super().__init__(params=VADParams(start_secs=0.2, stop_secs=0.2, min_volume=0.0))
        self._log = log
        self._entry: Entry | None = None
        self._silent = 0

    def num_frames_required(self) -> int:
        return FRAME

    def voice_confidence(self, buffer: bytes) -> float:
        is_loud = bool(np.abs(np.frombuffer(buffer, np.int16)).max() > LOWEST // 2)
        self._silent = 0 if is_loud else self._silent + 1
        if is_loud:
            self._entry = self._entry or self._log.begin("voice", "")
            self._entry.end = time.time()
        elif self._silent == 10:
            self._entry = None
        return float(is_loud)


class Judge(BaseTurnAnalyzer):
    """As a smart turn model: whoever ends on a word of `open_ends` has more to say."""

    def __init__(self, sounds: Sounds, open_ends: tuple[str, ...]) -> None:
        super().__init__()
        self._sounds, self._open_ends = sounds, open_ends
        self._speech = b""

    @property
    def speech_triggered(self) -> bool:
        return bool(self._speech)

    @property
    def params(self) -> BaseTurnParams:
        return BaseTurnParams()

    def append_audio(self, buffer: bytes, is_speech: bool) -> EndOfTurnState:
        if is_speech:
            self._speech = (self._speech + buffer)[-RATE:]
        return EndOfTurnState.INCOMPLETE

    async def analyze_end_of_turn(self) -> tuple[EndOfTurnState, None]:
        said = self._sounds.heard(self._speech)
        is_open = said.endswith(self._open_ends)
        return (EndOfTurnState.INCOMPLETE if is_open else EndOfTurnState.COMPLETE), None

    def clear(self) -> None:
        self._speech = b""


class Ears(SegmentedSTTService):
    """Hears what voice detection has cut out. A text in brackets is a sound without words."""

    def __init__(self, sounds: Sounds) -> None:
        super().__init__(settings=STTSettings(model="ears", language="en"), ttfs_p99_latency=1.0)
        self._sounds = sounds

    @property
    def wants_wav_segments(self) -> bool:
        return False

    def can_generate_metrics(self) -> bool:
        return True

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        await self.start_processing_metrics()
        await asyncio.sleep(0.15)
        text = self._sounds.heard_out(audio)
        await self.stop_processing_metrics()
        if text and not text.startswith("["):
            yield TranscriptionFrame(text, "caller", "")


class StreamingEars(STTService):
    """Hears all the time, and finds the end of speech by itself."""

    def __init__(self, sounds: Sounds) -> None:
        super().__init__(settings=STTSettings(model="stream", language="en"), ttfs_p99_latency=1.0)
        self._sounds = sounds
        self._text, self._pieces, self._silent = "", 0, 0

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        heard = self._sounds.heard(audio)
        if heard:
            self._text, self._pieces, self._silent = heard, self._pieces + 1, 0
            if self._pieces % 10 == 0:
                words = heard.split()[: self._pieces // 10]
                yield InterimTranscriptionFrame(" ".join(words), "caller", "")
        elif self._text:
            self._silent += 1
            if self._silent == 10:
                text, self._text, self._pieces = self._text, "", 0
                yield TranscriptionFrame(text, "caller", "", finalized=True)
        yield None


class Mouth(TTSService):
    """Speaks 25 characters a second."""

    def __init__(self, sounds: Sounds) -> None:
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            settings=TTSSettings(model="mouth", voice="square", language="en"),
        )
        self._sounds = sounds

    def can_generate_metrics(self) -> bool:
        return True

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        await self.start_tts_usage_metrics(text)
        await asyncio.sleep(0.05)
        sound = self._sounds.of(text.strip(), len(text) / 25).tobytes()

        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(sound), RATE // 5):
                yield sound[at : at + RATE // 5]

        stream = self._stream_audio_frames_from_iterator(pieces(), in_sample_rate=RATE, context_id=context_id)
        async for frame in stream:
            await self.stop_ttfb_metrics()
            yield frame


class Microphone(BaseInputTransport):
    """The caller: silence, and whatever is put into the queue."""

    def __init__(self, params: TransportParams, log: Log) -> None:
        super().__init__(params)
        self.queue: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._log = log
        self._task: asyncio.Task[None] | None = None

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)
        self._task = self.create_task(self._pump())

    async def stop(self, frame: EndFrame) -> None:
        await self._hang_up()
        await super().stop(frame)

    async def cancel(self, frame: CancelFrame) -> None:
        await self._hang_up()
        await super().cancel(frame)

    async def _hang_up(self) -> None:
        if self._task:
            task, self._task = self._task, None
            await self.cancel_task(task)

    async def _pump(self) -> None:
        due = time.monotonic()
        pcm, entry = b"", None
        while True:
            if not pcm and not self.queue.empty():
                text, pcm = self.queue.get_nowait()
                entry = self._log.begin("caller", text)
            piece, pcm = pcm[: FRAME * 2], pcm[FRAME * 2 :]
            audio = piece + bytes(FRAME * 2 - len(piece))
            await self.push_audio_frame(InputAudioRawFrame(audio=audio, sample_rate=RATE, num_channels=1))
            due += FRAME / RATE
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if entry and not pcm:
                entry.end, entry = time.time(), None


class Loudspeaker(BaseOutputTransport):
    """Plays at the pace of a loudspeaker, and logs when which sentence left."""

    def __init__(self, params: TransportParams, log: Log, sounds: Sounds) -> None:
        super().__init__(params)
        self._log, self._sounds = log, sounds
        self._due = 0.0
        self._entry: Entry | None = None
        self.quiet_since = time.time()

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        text = self._sounds.heard(frame.audio)
        now = time.monotonic()
        if text and (self._entry is None or self._entry.text != text):
            self._entry = self._log.begin("audio", text)
        self._due = max(now, self._due) + len(frame.audio) / 2 / frame.sample_rate
        await asyncio.sleep(self._due - now)
        if text and self._entry:
            self.quiet_since = time.time()
            if self._sounds.heard_out(frame.audio):
                self._entry.end = self.quiet_since
        return True


class Telephone(BaseTransport):
    def __init__(self, log: Log, sounds: Sounds) -> None:
        super().__init__()
        params = TransportParams(
            audio_in_enabled=True,
            audio_out_enabled=True,
            audio_in_sample_rate=RATE,
            audio_out_sample_rate=RATE,
            audio_out_end_silence_secs=0,
        )
        self.microphone = Microphone(params, log)
        self.loudspeaker = Loudspeaker(params, log, sounds)

    def input(self) -> Microphone:
        return self.microphone

    def output(self) -> Loudspeaker:
        return self.loudspeaker


Answers = dict[str, str | tuple[str, str]]
"""By what the caller said: an answer, or (tool, answer after it)."""


class LanguageModel:
    """Streams answers word by word. The shadow model answers everything with the same sentence."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._tool_calls = 0

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        finally:
            await runner.cleanup()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await asyncio.sleep(0.1)
        said = [each["content"] for each in body["messages"] if each["role"] == "user"][-1]
        answer = SHADOW_SAYS if body["model"] == SHADOW else self._answers[said]
        if isinstance(answer, tuple) and _has_result(body["messages"], said):
            answer = answer[1]
        model = body["model"] if body["model"] == SHADOW else ANSWERED_BY
        if isinstance(answer, tuple):
            self._tool_calls += 1
            call = {"index": 0, "id": f"call_{self._tool_calls}", "type": "function"}
            call["function"] = {"name": answer[0], "arguments": "{}"}
            await _send(response, model, {"role": "assistant", "tool_calls": [call]}, "tool_calls")
        else:
            for word in answer.split(" "):
                if request.transport is None or request.transport.is_closing():
                    return response  # interrupted
                await _send(response, model, {"role": "assistant", "content": f"{word} "})
                await asyncio.sleep(0.02)
            await _send(response, model, {}, "stop")
        await response.write(b"data: [DONE]\n\n")
        return response


def _has_result(messages: list[dict[str, Any]], said: str) -> bool:
    """A tool has been called since the caller said that."""
    last = max(at for at, each in enumerate(messages) if each["role"] == "user" and each["content"] == said)
    return any(each["role"] in ("tool", "developer") for each in messages[last:])


async def _send(response: web.StreamResponse, model: str, delta: dict[str, Any], finish: str = "") -> None:
    choice = {"index": 0, "delta": delta, "finish_reason": finish or None}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": model, "choices": [choice]}
    await response.write(f"data: {json.dumps(chunk)}\n\n".encode())


class Swallow(FrameProcessor):
    """Keeps what the shadow model writes from all that follows."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, (LLMFullResponseStartFrame, LLMTextFrame, LLMFullResponseEndFrame)):
            await self.push_frame(frame, direction)


def _parallel(voice: list[Any], shadow: Any, where: str) -> list[Any]:
    """The shadow model beside model and voice, or beside the model alone, before the voice."""
    if where == "beside voice":
        return [ParallelPipeline(voice, [shadow])]
    return [ParallelPipeline(voice[:1], [shadow, Swallow()]), voice[1]]


class LocalAgent:
    """One call: pipeline, caller and log."""

    def __init__(
        self,
        llm_url: str,
        observer: Any,
        *,
        strategies: Callable[[Sounds], UserTurnStrategies],
        vad: bool = True,
        shadow: str = "",
        metrics: bool = True,
    ) -> None:
        self.log, self.sounds = Log(), Sounds()
        self.phone = Telephone(self.log, self.sounds)
        context = LLMContext(tools=ToolsSchema(standard_tools=[_schema(name) for name in TOOLS]))
        params = LLMUserAggregatorParams(user_turn_strategies=strategies(self.sounds))
        if vad:
            params.vad_analyzer = Loudness(self.log)
        user, assistant = LLMContextAggregatorPair(context, user_params=params)
        voice = [self._model(llm_url, ASKED_FOR), Mouth(self.sounds)]
        parts: list[Any] = [self.phone.input(), (Ears if vad else StreamingEars)(self.sounds), user]
        parts += _parallel(voice, self._model(llm_url, SHADOW), shadow) if shadow else voice
        parts += [self.phone.output(), assistant]
        self.worker = PipelineWorker(
            Pipeline(parts),
            params=PipelineParams(
                enable_metrics=metrics,
                enable_usage_metrics=metrics,
                audio_in_sample_rate=RATE,
                audio_out_sample_rate=RATE,
            ),
            observers=[observer],
        )

    def _model(self, url: str, name: str) -> OpenAILLMService:
        model = OpenAILLMService(api_key="none", base_url=url, settings=OpenAILLMService.Settings(model=name))
        for tool, run in TOOLS.items():
            timeout_s = TOOL_TIMEOUT_S if tool == "hang" else 60.0
            model.register_function(tool, self._logging(tool, run), timeout_secs=timeout_s)
        return model

    def _logging(
        self, name: str, run: Callable[[], Awaitable[None]]
    ) -> Callable[[FunctionCallParams], Awaitable[None]]:
        async def tool(params: FunctionCallParams) -> None:
            entry = self.log.begin("tool", name)
            try:
                await run()
                entry.how = "ok"
            except asyncio.CancelledError:
                entry.how = "cancelled"
                raise
            except RuntimeError:
                entry.how = "error"
                raise
            finally:
                entry.end = time.time()
            await params.result_callback({"done": True})

        return tool

    # The caller.

    async def connect(self) -> None:
        await asyncio.sleep(0.3)
        await self.phone.microphone.push_frame(ClientConnectedFrame())

    async def say(self, text: str, seconds: float = 1.0) -> Entry:
        """Speak to the end."""
        before = len(self.log.of("caller"))
        self.phone.microphone.queue.put_nowait((text, self.sounds.of(text, seconds).tobytes()))
        await until(lambda: len(self.log.of("caller")) > before and known(self.log.of("caller")[-1].end))
        return self.log.of("caller")[-1]

    async def hear(self, text: str) -> Entry:
        """Until this sentence begins to leave the loudspeaker."""
        await until(lambda: any(each.text == text for each in self.log.of("audio")))
        return next(each for each in self.log.of("audio") if each.text == text)

    async def run(self, tool: str) -> None:
        """Until this tool runs."""
        await until(lambda: any(each.text == tool for each in self.log.of("tool")))

    async def hear_out(self, text: str) -> None:
        """Until it has been spoken, and nothing follows for a while."""
        entry = await self.hear(text)
        await until(lambda: known(entry.end) and time.time() - self.phone.loudspeaker.quiet_since > 0.6)


async def _work() -> None:
    await asyncio.sleep(0.8)


async def _die() -> None:
    await asyncio.sleep(0.1)
    raise RuntimeError("no such card")


async def _hang() -> None:
    await asyncio.sleep(60)


TOOL_TIMEOUT_S = 1.5
TOOLS: dict[str, Callable[[], Awaitable[None]]] = {
    "work": _work,
    "die": _die,
    "hang": _hang,
    "stall": _hang,
}


def _schema(name: str) -> FunctionSchema:
    return FunctionSchema(name=name, description=name, properties={}, required=[])


def known(number: float) -> bool:
    return number == number


async def until(condition: Callable[[], bool], within: float = 60.0) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
