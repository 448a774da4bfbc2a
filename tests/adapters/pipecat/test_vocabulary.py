"""Pipecat's terms in the protocol's."""

from __future__ import annotations

import pytest

from voicetop.adapters.pipecat.vocabulary import (
    category_of,
    component_of,
    end_reason,
    http_status_in,
    latency_of,
    provider_of,
)


@pytest.mark.parametrize(
    ("reported", "exception", "message", "status", "category"),
    [
        ("server", "InternalServerError", "Error code: 500 - The server had an error", 500, "server"),
        ("server", "InternalServerError", "overloaded", 529, "overloaded"),
        ("server", "APIStatusError", "Service Unavailable", 503, "overloaded"),
        ("rate_limit", "RateLimitError", "Too many requests", 429, "rate_limit"),
        ("rate_limit", "RateLimitError", "You exceeded your current quota", 429, "quota"),
        ("authentication", "AuthenticationError", "bad key", 401, "authentication"),
        ("authorization", "", "no access to this model", 0, "permission"),
        ("connectivity", "TimeoutError", "", 0, "timeout"),
        ("connectivity", "ConnectionResetError", "reset by peer", 0, "connectivity"),
        ("application", "RuntimeError", "payment gateway 503", 0, "application"),
        ("unknown", "", "STT timeout after 8s", 0, "timeout"),
        ("unknown", "", "TTS context 12 completed with no audio", 0, "no_output"),
        ("unknown", "", "blocked by the content filter", 0, "content_policy"),
        ("unknown", "RuntimeError", "TTS failed: espeak backend crashed", 0, "server"),
        ("unknown", "ValueError", "something odd", 0, "unknown"),
        ("", "", "", 0, "unknown"),
    ],
)
def test_the_most_precise_source_decides_an_errors_category(
    reported: str, exception: str, message: str, status: int, category: str
) -> None:
    assert category_of(reported, exception, message, status) == category


@pytest.mark.parametrize(
    ("how", "raw", "reason", "party"),
    [
        ("end", "", "completed", ""),
        ("cancel", "", "cancelled", ""),
        ("", "", "error", ""),
        ("end", "caller_hangup", "user_hangup", "user"),
        ("cancel", "client disconnected", "user_hangup", "user"),
        ("cancel", "participant left", "user_hangup", "user"),
        ("end", "agent ended the call", "agent_hangup", "agent"),
        ("end", "transfer to human", "transferred", ""),
        ("end", "voicemail detected", "voicemail", ""),
        ("cancel", "idle timeout", "silence_timeout", ""),
        ("end", "max call duration reached", "max_duration", ""),
        ("cancel", "fatal error: no more", "error", ""),
        ("cancel", "OpenAILLMService#0 can no longer do its job", "error", ""),
        ("end", "booking complete", "completed", ""),
        ("end", "in other words", "completed", ""),
    ],
)
def test_end_reasons_are_mapped_to_the_protocols(how: str, raw: str, reason: str, party: str) -> None:
    assert end_reason(how, raw) == (reason, party)


def test_providers_and_components_are_derived_from_processor_names() -> None:
    assert [provider_of(name) for name in ("OpenAILLMService#0", "DeepgramSTTService#12", "EspeakTTS#0", "LLM#0")] == [
        "openai", "deepgram", "espeak", "llm"
    ]  # fmt: skip
    assert [component_of(name) for name in ("XSTTService#0", "XTTSService#0", "XLLMService#0", "CallerOutput#0")] == [
        "stt", "tts", "llm", "transport"
    ]  # fmt: skip
    assert component_of("LLMUserAggregator#0") == "platform"


def test_a_status_in_a_text_is_found_and_other_numbers_are_not() -> None:
    assert http_status_in("Error code: 429 - slow down") == 429
    assert http_status_in("server rejected WebSocket connection: HTTP 401") == 401
    assert http_status_in("payment gateway 503") == 0
    assert http_status_in("waited 500 ms") == 0


def test_stages_sum_to_e2e_to_the_last_digit() -> None:
    parts = [
        ("transcription", 0.1234567),
        ("llm_inference", 0.3333333),
        ("llm_inference", 0.1),
        ("new_key", 0.0101),
    ]
    e2e_ms, latency = latency_of(parts)
    assert latency.llm_ttft == 433.333
    assert latency.output == 10.1
    assert e2e_ms == pytest.approx(latency.stt + latency.llm_ttft + latency.output, abs=1e-9)
