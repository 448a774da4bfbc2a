"""Labels of stages, components, kinds of error and figures, on every screen and in alerts.

The feed, the config and rules have "llm_ttft" and "p95_llm"; people read "LLM" and "P95 LLM".
"""

from __future__ import annotations

STAGES = {
    "stt": "STT", "asr": "STT", "eou": "endpointing", "endpointing": "endpointing", "aggregation": "aggregation",
    "llm": "LLM", "llm_ttft": "LLM", "llm_total": "LLM", "tool": "tool", "tts": "TTS", "tts_ttfb": "TTS",
    "tts_leading_silence": "leading silence", "vad": "VAD", "output": "output",
}  # fmt: skip
"""Stages of a turn and components of an agent, by every name used in feeds and in the engine's windows."""
_SHORT = {"endpointing": "EOU", "leading silence": "silence", "aggregation": "wait", "output": "out"}
_KINDS = {"STT": "stt", "endpointing": "eou", "LLM": "llm", "tool": "tool", "TTS": "tts"}
FIGURES = {
    "errors": "errors",
    "success": "task success",
    "escalation": "escalation rate",
    "abandonment": "abandonment rate",
    "cost": "cost per call",
    "sentiment": "sentiment",
    "frustrated": "frustrated calls",
    "capacity": "share of the tested limit",
    "live_calls": "live calls",
    "arrivals": "calls per minute",
    "stuck": "stuck callers",
    "waiting": "waiting callers",
}
"""Figures by their names in rules; labels of latencies and kinds of error are composed of their parts."""


def stage(name: str) -> str:
    """A stage or component in a sentence: "llm_ttft" is LLM; unknown names stay as they are."""
    return STAGES.get(name.lower()) or words(name)


def short_stage(name: str) -> str:
    """The same for a narrow column or a bar: endpointing is EOU (end of utterance)."""
    label = stage(name)
    return _SHORT.get(label, label)


def stage_kind(name: str) -> str:
    """The kind of a stage, which decides its colour: stt, eou, llm, tool, tts or other."""
    return _KINDS.get(stage(name), "other")


def words(name: str) -> str:
    """A name from the feed as words: "rate_limit" → "rate limit"."""
    return name.replace("_", " ")


def latency(name: str, quantile: str = "P95") -> str:
    """A percentile of the response time ("e2e") or of a stage: "P95 response", "P95 LLM"."""
    return f"{quantile} {'response' if name == 'e2e' else stage(name)}"


def short_latency(name: str, quantile: str) -> str:
    """The same for a narrow column: "P95 e2e", "P95 EOU"."""
    return f"{quantile} {short_stage(name)}"


def errors(component: str = "", category: str = "") -> str:
    """A kind of error: "errors", "LLM errors", "LLM rate limit errors"."""
    return f"{fault(component, category)} errors".lstrip()


def fault(component: str, category: str) -> str:
    """Component and category of an error: "LLM rate limit"."""
    return " ".join(part for part in (stage(component), words(category)) if part)


def unknown_replies(number: int, when: str) -> str:
    """Waits of a silent publisher: "5 replies unknown since 14:02:10: their publisher has been silent"."""
    replies, whose = ("reply", "its") if number == 1 else ("replies", "their")
    return f"{number:,} {replies} unknown {when}: {whose} publisher has been silent"
