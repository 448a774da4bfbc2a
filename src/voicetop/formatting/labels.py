"""What things are called: stages, components, kinds of error and figures, on every screen and in alerts.

The feed, the config and rules speak of "llm_ttft" and "p95_llm"; people read "LLM" and "P95 LLM".
"""

from __future__ import annotations

STAGES = {
    "stt": "STT", "asr": "STT", "eou": "endpointing", "endpointing": "endpointing", "aggregation": "aggregation",
    "llm": "LLM", "llm_ttft": "LLM", "llm_total": "LLM", "tool": "tools", "tts": "TTS", "tts_ttfb": "TTS",
    "tts_leading_silence": "leading silence", "vad": "VAD", "output": "output",
}  # fmt: skip
"""Stages of a turn and components of an agent, by every name that a feed or an engine's window has for them."""
_SHORT = {
    "endpointing": "EOU",
    "tools": "tool",
    "leading silence": "silence",
    "aggregation": "wait",
    "output": "out",
}


def stage(name: str) -> str:
    """A stage or component in a sentence: "llm_ttft" is LLM; a name of the feed's own stays itself."""
    return STAGES.get(name) or words(name)


def short_stage(name: str) -> str:
    """The same for a narrow column or a legend: endpointing is EOU there (end of utterance)."""
    label = stage(name)
    return _SHORT.get(label, label)


def words(name: str) -> str:
    """A name of the feed's own as words: "rate_limit" → "rate limit"."""
    return name.replace("_", " ")


def latency(name: str, quantile: str = "P95") -> str:
    """A percentile: of "e2e" it is the response time, of a stage its latency: "P95 response", "P95 LLM"."""
    return f"{quantile} {'response' if name == 'e2e' else stage(name)}"


def errors(component: str = "", category: str = "") -> str:
    """A kind of error: "errors", "LLM errors", "LLM rate limit errors"."""
    return " ".join(part for part in (stage(component), words(category), "errors") if part)
