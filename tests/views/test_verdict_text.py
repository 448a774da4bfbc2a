from __future__ import annotations

from voicetop.engine.snapshot import Trouble, Where
from voicetop.views.verdict_text import sentence, standing

WHO: Where = (("intent", "billing"), ("language", "es"))
SLOW = Trouble(
    *(
        "latency",
        "P95 response 3,910 ms = 2.4× normal (n 312) · LLM +1,900 ms · billing × es explain 91 %",
        10.0,
        "degraded",
    ),
    where=WHO,
    explains=0.91,
)
FAILING = Trouble("errors", "errors 4.1 % = 3.4× normal (n 631) · mostly LLM timeout", 20.0, "degraded")


def test_what_for_whom_and_which_stage_come_first() -> None:
    assert sentence([SLOW, FAILING]) == (
        "P95 response 3,910 ms = 2.4× normal (n 312) · billing × es explain 91 % · LLM +1,900 ms"
        " · errors 4.1 % = 3.4× normal (n 631) · mostly LLM timeout"
    )


def test_nothing_is_said_twice() -> None:
    words = sentence(
        [
            SLOW,
            Trouble(
                "errors", "errors 4 % · billing × es explain 91 %", 20.0, "degraded", where=WHO, explains=0.91
            ),
        ]
    )
    assert words.count("explain") == 1


def test_a_trouble_of_some_is_left_out_while_everybody_has_it() -> None:
    local = Trouble("local latency", "P95 response of es 3.9 s", 5.0, "degraded")
    assert standing([local, SLOW]) == [SLOW]
    assert standing([local, FAILING]) == [local, FAILING]


def test_down_comes_before_degraded_and_the_older_before_the_newer() -> None:
    down = Trouble("stuck", "83 of 97 waiting callers stuck in LLM", 30.0, "down")
    assert standing([FAILING, SLOW, down]) == [down, SLOW, FAILING]
