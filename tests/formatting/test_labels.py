"""Labels of stages, components and figures."""

from __future__ import annotations

from voicetop.engine.attribution.stages import SPLIT
from voicetop.formatting import labels


def test_every_stage_that_is_measured_has_one_label() -> None:
    assert [labels.stage(name) for name in SPLIT] == ["STT", "endpointing", "LLM", "tool", "TTS"]
    assert [labels.short_stage(name) for name in SPLIT] == ["STT", "EOU", "LLM", "tool", "TTS"]
    for one, other in (("llm", "llm_ttft"), ("tts", "tts_ttfb"), ("stt", "asr"), ("eou", "endpointing")):
        assert labels.stage(one) == labels.stage(other)


def test_an_unknown_name_stays_as_it_is() -> None:
    assert labels.stage("guard_rails") == labels.short_stage("guard_rails") == "guard rails"
    assert labels.stage("") == ""


def test_figures_are_named_by_stage() -> None:
    assert labels.latency("e2e") == "P95 response"
    assert labels.latency("llm_ttft", "P50") == "P50 LLM"
    assert labels.short_latency("e2e", "P99") == "P99 e2e"
    assert labels.short_latency("eou", "P99") == "P99 EOU"
    assert labels.errors() == "errors"
    assert labels.errors("llm", "rate_limit") == "LLM rate limit errors"
