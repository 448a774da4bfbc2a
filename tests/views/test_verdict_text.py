from __future__ import annotations

from voicetop.engine.snapshot import Trouble, Where
from voicetop.views.verdict_text import of_trouble, ranked_statements, sentence

WHO: Where = (("intent", "billing"), ("language", "es"))
SLOW = of_trouble(
    Trouble(
        *("latency", 10.0, "degraded", 3_910.0, 1_630.0, 312, WHO, 0.91, "llm_ttft"),
        stage_more_ms=1_900.0,
    )
)
FAILING = of_trouble(Trouble("errors", 20.0, "degraded", 0.041, 0.012, 631, stage="llm", category="timeout"))


def test_headline_segment_and_stage_come_first() -> None:
    assert sentence([SLOW, FAILING]) == (
        "P95 response 3,910 ms = 2.4× normal (n 312) · billing × es explain 91 % · LLM +1,900 ms"
        " · errors 4.1 % = 3.4× normal (n 631) · mostly LLM timeout"
    )


def test_nothing_is_said_twice() -> None:
    errors = Trouble("errors", 20.0, "degraded", 0.04, n=100, where=WHO, explains=0.91)
    assert sentence([SLOW, of_trouble(errors)]).count("explain") == 1


def test_a_segments_trouble_is_omitted_while_the_fleet_has_it() -> None:
    local = of_trouble(Trouble("latency", 5.0, "degraded", 3_900.0, where=WHO, local=True))
    assert ranked_statements([local, SLOW]) == [SLOW]
    assert ranked_statements([local, FAILING]) == [local, FAILING]


def test_down_comes_before_degraded_and_the_older_before_the_newer() -> None:
    down = of_trouble(Trouble("waiting", 30.0, "down", 83.0, n=97, line=8.0, stage="llm"))
    assert ranked_statements([FAILING, SLOW, down]) == [down, SLOW, FAILING]
