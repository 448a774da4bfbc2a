"""Local speech: espeak-ng speaks, pocketsphinx transcribes. No model to download, no key, no network."""

from __future__ import annotations

import asyncio
import io
import subprocess
import wave
from collections.abc import AsyncGenerator, AsyncIterator

import numpy as np
import pocketsphinx
from numpy.typing import NDArray
from pipecat.frames.frames import ErrorFrame, Frame, TranscriptionFrame
from pipecat.services.settings import STTSettings, TTSSettings
from pipecat.services.stt_service import SegmentedSTTService
from pipecat.services.tts_service import TTSService
from pipecat.transcriptions.language import Language
from pipecat.utils.time import time_now_iso8601

RATE = 16_000


def speak(text: str, voice: str, words_per_minute: int = 190) -> NDArray[np.int16]:
    """Speak `text` with espeak-ng; returns 16-bit samples at 16 kHz."""
    command = ["espeak-ng", "-v", voice, "-s", str(words_per_minute), "--stdout", text]
    sound = subprocess.run(command, capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(sound)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(10**9), np.int16)
    count = len(samples) * RATE // rate
    return np.interp(np.arange(count) * rate / RATE, np.arange(len(samples)), samples).astype(np.int16)


class PocketSphinxSTT(SegmentedSTTService):
    """Transcribes one utterance at a time with a grammar of a few sentences, which is fast and accurate."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__(
            settings=STTSettings(model="pocketsphinx-en-us", language="en"), ttfs_p99_latency=0.5
        )
        grammar = f"#JSGF V1.0; grammar caller; public <sentence> = {' | '.join(sentences)} ;"
        self._decoder = pocketsphinx.Decoder(samprate=RATE, loglevel="FATAL", lm=None)
        self._decoder.add_jsgf_string("caller", grammar)
        self._decoder.activate_search("caller")

    def can_generate_metrics(self) -> bool:
        return True

    @property
    def wants_wav_segments(self) -> bool:
        return False

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame, None]:
        await self.start_processing_metrics()
        text = await asyncio.to_thread(self._listen, audio)
        await self.stop_processing_metrics()
        if text:
            yield TranscriptionFrame(text, "caller", time_now_iso8601(), Language.EN)

    def _listen(self, audio: bytes) -> str:
        self._decoder.start_utt()
        self._decoder.process_raw(audio, full_utt=True)
        self._decoder.end_utt()
        heard = self._decoder.hyp()
        return str(heard.hypstr) if heard else ""


class EspeakTTS(TTSService):
    """Speaks every text but one: on that one its backend crashes."""

    def __init__(self, crash_on: str) -> None:
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            stop_frame_timeout_s=20.0,  # a busy machine may need seconds for its first sentence
            settings=TTSSettings(model="espeak-ng", voice="en-us", language="en"),
        )
        self._crash_on = crash_on

    def can_generate_metrics(self) -> bool:
        return True

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame, None]:
        try:
            await self.start_tts_usage_metrics(text)
            samples = await asyncio.to_thread(self._synthesize, text)
            frames = self._stream_audio_frames_from_iterator(
                _pieces(samples), in_sample_rate=RATE, context_id=context_id
            )
            async for frame in frames:
                await self.stop_ttfb_metrics()
                yield frame
        except Exception as error:  # noqa: BLE001 - as Pipecat's own services do
            yield ErrorFrame(error=f"TTS failed: {error}", exception=error)
        finally:
            await self.stop_ttfb_metrics()

    def _synthesize(self, text: str) -> NDArray[np.int16]:
        if self._crash_on in text:
            raise RuntimeError("the speech backend crashed (injected)")
        return speak(text, "en-us", 210)


async def _pieces(samples: NDArray[np.int16]) -> AsyncIterator[bytes]:
    for at in range(0, len(samples), RATE // 10):
        yield samples[at : at + RATE // 10].tobytes()
