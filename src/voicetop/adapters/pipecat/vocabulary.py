"""Translates Pipecat's terms into the protocol's: errors, reasons, processors, latency stages. No pipecat import."""

from __future__ import annotations

import re
from collections.abc import Iterable

from voicetop.wire.events import Latency

STAGE_OF_CONTRIBUTION = {
    "endpointing_wait": "vad",
    "transcription": "stt",
    "turn_detection": "eou",
    "turn_completion": "eou",
    "waiting_for_user": "eou",
    "llm_inference": "llm_ttft",
    "llm_tool_call": "llm_ttft",
    "function_handler": "tool",
    "awaiting_speakable_text": "aggregation",
    "sentence_aggregation": "aggregation",
    "speech_synthesis": "tts_ttfb",
    "output_transport": "output",
}
"""By the key of a `LatencyContribution`. On a turn with tools the LLM runs twice: both times are `llm_ttft`, so
that the stages still sum to the whole. Other keys and `pipeline` are time that no stage explains."""

_BEFORE_RELEASE = frozenset({"endpointing_wait", "transcription", "turn_detection"})

HOPS_S = 0.06
"""Frames take this long between the services, and no longer: it counts as `output`. Anything above is unexplained."""


def latency_of(
    contributions: Iterable[tuple[str, float]], tools_s: float = 0.0, llm_s: float = 0.0
) -> tuple[float, Latency]:
    """(e2e in ms, stages in ms) of contributions (key, seconds), while tools ran and the LLM was awaited for so long.

    The stages sum exactly to e2e unless there is time that none of them explains. Pipecat leaves a tool that timed out
    or was cancelled unexplained, and, without its metrics, the LLM.

    >>> latency_of([("transcription", 0.25), ("llm_inference", 0.5), ("llm_inference", 0.125)])[0]
    875.0
    >>> latency_of([("llm_inference", 0.5), ("pipeline", 4.0)], tools_s=4.0)[1].tool
    4000.0
    """
    stages: dict[str, float] = {}
    unexplained = 0.0
    for key, seconds in contributions:
        stage = STAGE_OF_CONTRIBUTION.get(key)
        if stage is None:
            unexplained += seconds
        else:
            stages[stage] = stages.get(stage, 0.0) + seconds
    for stage, measured_s in (("tool", tools_s), ("llm_ttft", llm_s)):
        missing_s = min(unexplained, measured_s - stages.get(stage, 0.0))
        if missing_s > HOPS_S:
            stages[stage] = stages.get(stage, 0.0) + missing_s
            unexplained -= missing_s
    if 0.0 < unexplained <= HOPS_S:
        stages["output"] = stages.get("output", 0.0) + unexplained
        unexplained = 0.0
    reported = {stage: round(seconds * 1000.0, 3) for stage, seconds in stages.items()}
    return round(sum(reported.values()) + unexplained * 1000.0, 3), Latency(**reported)


def name_wait_for_release(
    parts: list[tuple[str, float]], released_s: float, awaited: str
) -> list[tuple[str, float]]:
    """The breakdown of a turn that was released, `released_s` after the end of speech, with that wait named.

    Pipecat counts it as pipeline time if no transcript came during it. What was `awaited`: the words of an STT that
    had none (`transcription`), or the decision that the turn is over (`turn_detection`), if they were there already.

    >>> name_wait_for_release([("endpointing_wait", 0.25), ("pipeline", 5.0)], 4.25, "transcription")
    [('endpointing_wait', 0.25), ('transcription', 4.0), ('pipeline', 1.0)]
    """
    known_s = sum(seconds for key, seconds in parts if key in _BEFORE_RELEASE)
    waited = max(0.0, released_s - known_s)
    named: list[tuple[str, float]] = []
    for key, seconds in parts:
        if key == "pipeline":
            named.append((awaited, min(seconds, waited)))
            seconds -= min(seconds, waited)  # noqa: PLW2901
        named.append((key, seconds))
    return named


_SUFFIX = re.compile(r"(Http|Websocket|Realtime|Live|Segmented)?(LLM|STT|TTS)?(Service|Processor)?(#\d+)?$")
_INSTANCE = re.compile(r"#\d+$")


def provider_of(processor: str) -> str:
    """The provider in a processor's name.

    >>> provider_of("OpenAILLMService#0"), provider_of("CartesiaHttpTTSService#1"), provider_of("my-llm")
    ('openai', 'cartesia', 'my-llm')
    """
    name = _INSTANCE.sub("", processor)
    return (_SUFFIX.sub("", name) or name).lower()


def component_of(processor: str) -> str:
    """The component by a processor's name, if its class is unknown."""
    for sign, component in (("STT", "stt"), ("TTS", "tts"), ("LLMService", "llm"), ("VAD", "vad")):
        if sign in processor:
            return component
    return "transport" if re.search("Transport|Input|Output", processor) else "platform"


_BY_STATUS = {
    400: "invalid_request",
    401: "authentication",
    402: "quota",
    403: "permission",
    404: "invalid_request",
    408: "timeout",
    422: "invalid_request",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}

_BY_TEXT = (
    ("no_output", r"no (audio|output|response)|empty response"),
    ("timeout", r"time?d?[ -]?out|deadline"),
    ("quota", r"quota|insufficient|out of credit|billing|payment required"),
    ("rate_limit", r"rate.?limit|too many requests|throttl"),
    ("authentication", r"unauthori[sz]ed|authenticat|api.?key|credential"),
    ("permission", r"forbidden|permission|access denied"),
    ("content_policy", r"content.?(policy|filter)|moderation|safety"),
    ("overloaded", r"overload|unavailable|over capacity"),
    ("connectivity", r"connect|network|websocket|socket|unreachable|broken pipe|name resolution"),
    ("server", r"crash|internal error|server (had an )?error"),
)

_STATUS_IN_TEXT = re.compile(r"(?:error code|status(?: code)?|http)\W{0,3}([45]\d\d)\b", re.IGNORECASE)


def http_status_in(message: str) -> int:
    """The HTTP status in an error's text, or 0."""
    match = _STATUS_IN_TEXT.search(message)
    return int(match.group(1)) if match else 0


def category_of(reported: str, exception_type: str = "", message: str = "", http_status: int = 0) -> str:
    """The protocol's category of an error.

    `reported` is Pipecat's, which counts timeouts as connectivity and every 5xx as server; the status and the
    exception are more precise. The text is only searched if nothing else decides.
    """
    if reported == "application":
        return "application"
    if http_status == 429 and re.search(_BY_TEXT[2][1], message, re.IGNORECASE):
        return "quota"
    if http_status in _BY_STATUS:
        return _BY_STATUS[http_status]
    if "timeout" in exception_type.lower():
        return "timeout"
    if reported == "authorization":
        return "permission"
    if reported and reported != "unknown":
        return reported
    if http_status >= 500:
        return "server"
    text = f"{exception_type} {message}"
    return next((name for name, pattern in _BY_TEXT if re.search(pattern, text, re.IGNORECASE)), "unknown")


_REASONS = (
    ("error", "", r"error|no longer do its job|exception|fail"),
    ("voicemail", "", r"voice.?mail|answering machine"),
    ("transferred", "", r"transfer|handed.?(off|over)|handoff"),
    ("silence_timeout", "", r"idle|silence|no.?input|inactiv"),
    ("max_duration", "", r"max\w*[ _-]?(call|duration|length|time)|duration[ _-]?limit|time[ _-]?limit"),
    ("not_connected", "", r"no.?answer|busy|not.?connected|unreachable|declined|rejected"),
    ("agent_hangup", "agent", r"(agent|assistant|bot)\w*[ _-]*(ended|end|hung|hang|said|good)|end[_ -]?call"),
    ("user_hangup", "user", r"hang.?up|hung.?up|disconnect|(participant|client|user|caller)\w*[ _-]*(left|end|bye)"),
    ("cancelled", "", r"cancel|interrupt|sigint|sigterm|shutdown|finished"),
    ("completed", "", r"complete|done|success|goodbye|finish"),
)  # fmt: skip


def end_reason(how: str, raw: str) -> tuple[str, str]:
    """(reason, party) of a call that ended by an `end`, `stop` or `cancel` frame with reason text `raw`.

    >>> end_reason("end", "caller_hangup"), end_reason("cancel", "idle timeout"), end_reason("end", "")
    (('user_hangup', 'user'), ('silence_timeout', ''), ('completed', ''))
    """
    for reason, party, pattern in _REASONS:
        if raw and re.search(pattern, raw, re.IGNORECASE):
            return reason, party
    if how == "cancel":
        return "cancelled", ""
    return ("completed", "") if how in ("end", "stop") else ("error", "")
