"""Dollars per call: as reported, else from the dated table, and then they say so."""

from __future__ import annotations

from typing import Any

import pytest

from engine.feeding import Line
from voicetop.engine.config import EngineConfig, Price
from voicetop.engine.pricing import micro_dollars
from voicetop.wire.events import CallEnd, Usage

PRICES = {
    "acme/large": Price(input_per_million=3.0, output_per_million=15.0, cached_per_million=0.3),
    "large": Price(input_per_million=1.0),
    "tts": Price(per_thousand_characters=0.05),
    "stt": Price(per_audio_minute=0.01),
}


def usage(component: str, **fields: Any) -> Usage:
    return Usage(ts=1.0, call_id="c1", component=component, **fields)


@pytest.mark.parametrize(
    ("told", "micro"),
    [
        (usage("llm", provider="acme", model="large", input_tokens=1_000, output_tokens=100), 4_500),
        (usage("llm", provider="acme", model="large", input_tokens=1_000, cached_tokens=900), 570),
        (usage("llm", provider="other", model="large", input_tokens=1_000), 1_000),
        (usage("tts", provider="voices", model="v1", characters=2_000), 100_000),
        (usage("stt", audio_s=90.0), 15_000),
    ],
)
def test_the_most_exact_price_of_the_table_is_an_estimate(told: Usage, micro: int) -> None:
    assert micro_dollars(told, PRICES) == (micro, True)


def test_a_reported_cost_beats_the_table_and_is_none() -> None:
    assert micro_dollars(usage("tts", characters=2_000, cost_usd=0.002), PRICES) == (2_000, False)
    assert micro_dollars(usage("tts", cost_usd=0.002, estimated=True), PRICES) == (2_000, True)
    assert micro_dollars(usage("vad", characters=2_000), PRICES) is None


def spent(*told: Usage) -> Line:
    line = Line(EngineConfig(prices=PRICES))
    line.begin("c1")
    line.hear(*told)
    line.pass_(1)
    return line


def test_usage_adds_up_and_a_cumulative_one_replaces_its_own() -> None:
    line = spent(
        usage("llm", model="a", cost_usd=0.1),
        usage("llm", model="a", cost_usd=0.1),
        usage("llm", model="b", cost_usd=0.4),
        usage("llm", model="a", cost_usd=0.3, cumulative=True),
        usage("llm", model="a", cost_usd=0.35, cumulative=True),
        usage("llm", model="a", cost_usd=0.05),
    )
    assert line.row("c1").cost_usd == pytest.approx(0.8)
    assert not line.row("c1").estimated


def test_a_cumulative_cost_that_falls_began_again_and_an_older_one_is_ignored() -> None:
    line = spent(
        usage("llm", model="a", cost_usd=0.3, cumulative=True),
        usage("llm", model="a", cost_usd=0.1, cumulative=True),
        usage("llm", model="a", cost_usd=0.2, cumulative=True),
    )
    assert line.row("c1").cost_usd == pytest.approx(0.5)
    line.tell(Usage, "c1", ts=0.5, component="llm", model="a", cost_usd=0.15, cumulative=True)
    assert line.row("c1").cost_usd == pytest.approx(0.5)


def test_a_cumulative_cost_below_zero_takes_nothing_back() -> None:
    told = (0.3, -0.2, 0.1)
    line = spent(*[usage("llm", model="a", cost_usd=cost, cumulative=True) for cost in told])
    assert line.row("c1").cost_usd == pytest.approx(0.4)


def test_a_price_from_the_table_is_marked_estimated() -> None:
    line = spent(usage("tts", characters=2_000), usage("llm", cost_usd=0.1))
    assert line.row("c1").estimated
    assert line.row("c1").cost_usd == pytest.approx(0.2)
    line.begin("c2")
    line.tell(Usage, "c2", component="llm", cost_usd=0.4)
    for call_id in ("c1", "c2"):
        line.tell(CallEnd, call_id, reason="completed")
    cost = line.see().cost
    assert cost.estimated == 0.5
    assert cost.per_call.value == pytest.approx(0.3)


def test_a_call_without_usage_has_no_cost_rather_than_none() -> None:
    line = spent()
    line.tell(CallEnd, "c1", reason="completed")
    assert line.see().cost.per_call.n == 0
    row = line.row("c1", ended=True)
    assert row.cost_usd != row.cost_usd


def test_usage_beyond_all_measure_overflows_nothing() -> None:
    most = 2**53
    line = spent(*[usage("tts", characters=most), usage("llm", model="large", input_tokens=most)] * 50)
    line.tell(CallEnd, "c1", reason="completed")
    line.pass_(100, every=20)
    assert line.see().cost.per_call.value > 1e6
    assert line.session.digest()
