"""Which of the models in a pipeline the caller hears."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from pipecat.frames import frames
from pipecat.observers.base_observer import FramePushed
from pipecat.processors.frame_processor import FrameProcessor

from voicetop.publish.pipecat.processors import component

MAX_ORIGINS = 1_000
RESPONSE = (frames.LLMFullResponseStartFrame, frames.LLMTextFrame, frames.LLMFullResponseEndFrame)


class Models:
    """Which model the caller hears, if there are several: the one whose response reaches a TTS."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._origins: dict[int, FrameProcessor] = {}

    def add(self, kind: str) -> None:
        """A part of the pipeline."""
        self._counts[kind] += 1

    def reaching_voice(self, data: FramePushed) -> FramePushed | None:
        """What is to be read now. A response is read when it reaches a TTS, as from the model that wrote it."""
        if not isinstance(data.frame, RESPONSE) or self._counts["llm"] < 2 or not self._counts["tts"]:
            return data if data.first_push else None
        if data.first_push:
            self._origins[data.frame.id] = data.source
            if len(self._origins) > MAX_ORIGINS:
                del self._origins[next(iter(self._origins))]
        if component(data.destination) != "tts":
            return None
        origin = self._origins.pop(data.frame.id, None)
        return replace(data, source=origin, first_push=True) if origin is not None else None
