"""The caller: speaks the sentences of the plan, and waits for the agent to finish or interrupts it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    ClientConnectedFrame,
    EndFrame,
    ErrorFrame,
    InputAudioRawFrame,
    OutputAudioRawFrame,
    StartFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams
from plan import Exchange, Plan
from speech import RATE, speak

FRAME = RATE // 50
PATIENCE_S = 12.0


class Microphone(BaseInputTransport):
    """Sends the caller's speech in real time, with faint noise between the sentences."""

    def __init__(self, params: TransportParams) -> None:
        super().__init__(params)
        self.sentences: asyncio.Queue[NDArray[np.int16]] = asyncio.Queue()
        self._pump_task: asyncio.Task[None] | None = None
        self._noise = np.random.default_rng(1)

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)
        self._pump_task = self.create_task(self._pump())

    async def stop(self, frame: EndFrame) -> None:
        await self._hang_up()
        await super().stop(frame)

    async def cancel(self, frame: CancelFrame) -> None:
        await self._hang_up()
        await super().cancel(frame)

    async def _hang_up(self) -> None:
        if self._pump_task is not None:
            task, self._pump_task = self._pump_task, None
            await self.cancel_task(task)

    async def _pump(self) -> None:
        speech = np.zeros(0, np.int16)
        due = time.monotonic()
        while True:
            if len(speech) < FRAME and not self.sentences.empty():
                speech = np.concatenate([speech, self.sentences.get_nowait()])
            piece, speech = speech[:FRAME], speech[FRAME:]
            silence = self._noise.normal(0, 6, FRAME - len(piece)).astype(np.int16)
            audio = np.concatenate([piece, silence]).tobytes()
            await self.push_audio_frame(InputAudioRawFrame(audio=audio, sample_rate=RATE, num_channels=1))
            due += FRAME / RATE
            await asyncio.sleep(max(0.0, due - time.monotonic()))


class Loudspeaker(BaseOutputTransport):
    """Consumes audio at playback speed and discards it."""

    def __init__(self, params: TransportParams) -> None:
        super().__init__(params)
        self._due = 0.0

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        now = time.monotonic()
        self._due = max(now, self._due) + len(frame.audio) / 2 / frame.sample_rate
        await asyncio.sleep(self._due - now)
        return True


class Telephone(BaseTransport):
    """The caller's microphone and loudspeaker as a transport."""

    def __init__(self) -> None:
        super().__init__()
        params = TransportParams(
            audio_in_enabled=True,
            audio_out_enabled=True,
            audio_in_sample_rate=RATE,
            audio_out_sample_rate=RATE,
            audio_out_end_silence_secs=0,
        )
        self._microphone, self._loudspeaker = Microphone(params), Loudspeaker(params)

    def input(self) -> Microphone:
        return self._microphone

    def output(self) -> FrameProcessor:
        return self._loudspeaker


class Ears(BaseObserver):
    """What the caller notices about the agent: whether it speaks, how long it has been silent, how often it failed."""

    def __init__(self) -> None:
        super().__init__(observe_every_push=False)
        self.speeches = 0
        self.speaking = False
        self.quiet_since = 0.0
        self.errors = 0

    async def on_push_frame(self, data: FramePushed) -> None:
        frame = data.frame
        if isinstance(frame, BotStartedSpeakingFrame) and data.direction.name == "DOWNSTREAM":
            self.speeches += 1
            self.speaking = True
        elif isinstance(frame, BotStoppedSpeakingFrame):
            self.speaking, self.quiet_since = False, time.monotonic()
        elif isinstance(frame, ErrorFrame):
            self.errors += 1

    async def until_spoken_to(self, speeches: int) -> bool:
        """Wait until the agent speaks for the `speeches`-th time; False if it doesn't."""
        return await until(lambda: self.speeches >= speeches)

    async def until_quiet(self, seconds: float = 0.5) -> None:
        """Wait until the agent has finished speaking and stays silent for a while."""
        await until(lambda: not self.speaking and time.monotonic() - self.quiet_since >= seconds)

    async def until_error(self, errors: int) -> bool:
        """Wait for the `errors`-th error."""
        return await until(lambda: self.errors >= errors)


async def until(met: Callable[[], bool]) -> bool:
    """Poll until `met` is true or the time is up."""
    deadline = time.monotonic() + PATIENCE_S
    while not met() and time.monotonic() < deadline:  # noqa: ASYNC110 - a caller listens, nobody calls back
        await asyncio.sleep(0.02)
    return met()


class Caller:
    """Carries out the plan."""

    def __init__(self, telephone: Telephone, ears: Ears, plan: Plan) -> None:
        self._microphone = telephone.input()
        self._ears = ears
        self._plan = plan

    async def connect(self) -> None:
        """The call is connected; the agent greets."""
        await self._microphone.push_frame(ClientConnectedFrame())

    async def talk(self) -> None:
        """Hold the whole conversation after the greeting."""
        await self._ears.until_spoken_to(1)
        exchanges = self._plan.exchanges
        for number, exchange in enumerate(exchanges):
            if exchange.injection == "barge-in":
                await asyncio.sleep(1.2)
            else:
                await self._ears.until_quiet()
            is_cut_short = number + 1 < len(exchanges) and exchanges[number + 1].injection == "barge-in"
            await self._say(exchange, is_cut_short=is_cut_short)

    async def _say(self, exchange: Exchange, *, is_cut_short: bool) -> None:
        spoken, errors = self._ears.speeches, self._ears.errors
        self._plan.now = exchange
        self._microphone.sentences.put_nowait(await asyncio.to_thread(speak, exchange.says, "en-us+f3"))
        if exchange.injection in ("llm-500", "tts-crash"):
            await self._ears.until_error(errors + 1)
            await asyncio.sleep(0.6)
        elif await self._ears.until_spoken_to(spoken + 1) and not is_cut_short:
            await self._ears.until_quiet()
