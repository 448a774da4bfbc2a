"""A trouble's figures in words: each kind in its own unit, against its normal."""

from __future__ import annotations

import pytest

from voicetop.alerts.trouble_text import details, headline, segment
from voicetop.engine.snapshot import NAN, Trouble, Where

ES: Where = (("language", "es"),)


@pytest.mark.parametrize(
    ("trouble", "text"),
    [
        (Trouble("errors", 0.0, "degraded", 0.041, 0.012, 631), "errors 4.1 % = 3.4× normal (n 631)"),
        (Trouble("errors", 0.0, "degraded", 0.1, n=50), "errors 10.0 % (n 50)"),
        (Trouble("errors", 0.0, "degraded", 0.1, 0.0, 50), "errors 10.0 % (n 50)"),
        (
            Trouble("latency", 0.0, "degraded", 3_910.0, 1_630.0, 1_312, at_least=True),
            "P95 response ≥ 3,910 ms = 2.4× normal (n 1,312)",
        ),
        (
            Trouble("latency", 0.0, "degraded", 3_900.0, 1_950.0, 90, ES, local=True),
            "P95 response of es 3,900 ms = 2.0× its normal (n 90)",
        ),
        (
            Trouble("success", 0.0, "degraded", 0.7, 0.85, 240),
            "task success 70.0 %, normal 85.0 % (n 240)",
        ),
        (Trouble("sentiment", 0.0, "degraded", 3.1, 3.9, 240), "sentiment 3.1, normal 3.9 (n 240)"),
        (
            Trouble("capacity", 0.0, "degraded", 412.0, n=412, line=450.0),
            "412 live calls, 92 % of the tested limit of 450",
        ),
        (
            Trouble("waiting", 0.0, "down", 5.0, 0.0, 6, stage="llm", line=8.0),
            "5 of 6 waiting callers stuck in LLM for over 8 s",
        ),
    ],
)
def test_each_kind_is_told_in_its_own_unit(trouble: Trouble, text: str) -> None:
    assert headline(trouble) == text


def test_a_segment_is_named_once() -> None:
    assert segment(Trouble("errors", 0.0, "degraded", 0.1, where=ES, explains=0.9)) == "es explains 90 %"
    assert segment(Trouble("errors", 0.0, "degraded", 0.1, where=ES, local=True)) == ""


def test_details_say_only_what_is_known() -> None:
    assert details(Trouble("latency", 0.0, "degraded", 3_900.0)) == []
    slow = Trouble("latency", 0.0, "degraded", 3_900.0, stage="llm_ttft", stage_more_ms=1_900.0)
    assert details(slow) == ["LLM +1,900 ms"]
    assert details(Trouble("waiting", 0.0, "down", 5.0, NAN, 6, provider="acme")) == ["provider acme"]
