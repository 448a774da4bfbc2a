"""What a Pipecat processor is: its component, its provider's name, the model that it asks for and the one that answers.

By class names, so that no Pipecat module is imported that the agent doesn't use.
"""

from __future__ import annotations

from pipecat.processors.frame_processor import FrameProcessor

from voicetop.adapters.pipecat.vocabulary import component_of
from voicetop.wire.values import MAX_LABEL

_COMPONENT_CLASSES = {
    "LLMService": "llm",
    "STTService": "stt",
    "TTSService": "tts",
    "BaseInputTransport": "transport",
    "BaseOutputTransport": "transport",
}
_TURN_CLASSES = frozenset({"LLMUserAggregator", "UserTurnProcessor"})


def component(processor: FrameProcessor) -> str:
    """stt, llm, tts, transport, or a guess by its name."""
    for base in type(processor).__mro__:
        if base.__name__ in _COMPONENT_CLASSES:
            return _COMPONENT_CLASSES[base.__name__]
    return component_of(processor.name)


def is_output(processor: FrameProcessor) -> bool:
    """It sends the agent's audio to the caller."""
    return any(base.__name__ == "BaseOutputTransport" for base in type(processor).__mro__)


def reports_turns(processor: FrameProcessor) -> bool:
    """It decides what is a turn of the caller, and says so in frames."""
    return any(base.__name__ in _TURN_CLASSES for base in type(processor).__mro__)


def identity(processor: FrameProcessor) -> dict[str, str]:
    """Its name and the model that it asks for."""
    model = getattr(getattr(processor, "_settings", None), "model", "")
    return {"processor": processor.name, "model": _label(model)}


def answering_model(processor: FrameProcessor) -> str:
    """The model that its last response named; empty if it named none."""
    return _label(getattr(processor, "_full_model_name", ""))


def http_status(error: BaseException | None) -> int:
    """The HTTP status of a failed request, or 0."""
    response = getattr(error, "response", None)
    for holder in (response, error):
        for name in ("status_code", "status"):
            value = getattr(holder, name, None)
            if isinstance(value, int) and not isinstance(value, bool):
                return value
    return 0


def _label(text: object) -> str:
    return text[:MAX_LABEL] if isinstance(text, str) else ""
