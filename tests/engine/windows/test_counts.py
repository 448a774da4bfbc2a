"""What is counted once a call: bounded whatever names a feed makes up."""

from __future__ import annotations

import pytest

from engine.feeding import Line, sums
from voicetop.engine.windows.counts import MAX_KINDS, MAX_PER_FAMILY
from voicetop.wire.events import CallEnd, CallStart, CallStep, Error, Turn, Usage


def test_made_up_names_count_as_other_and_crowd_out_nobody() -> None:
    line = Line()
    line.hear(*[CallStep(ts=line.at, call_id=f"c{n}", step=f"step {n}") for n in range(1_000)])
    line.hear(
        *[Error(ts=line.at, call_id=f"c{n}", component=f"part {n}", category="odd") for n in range(1_000)],
        *[Usage(ts=line.at, call_id=f"c{n}", component=f"part {n}", cost_usd=0.01) for n in range(1_000)],
        *[Turn(ts=line.at, call_id=f"c{n}", measured_from=f"place {n}") for n in range(1_000)],
        *[CallEnd(ts=line.at, call_id=f"c{n}", reason="completed") for n in range(1_000)],
    )
    line.pass_(10)
    seen = line.see(span="24h")
    assert sums(line)["step:other"] == 1_000 - (MAX_PER_FAMILY["step"] - 1)
    assert len(line.session.engine.ledger.counts.kinds) <= MAX_KINDS
    assert (seen.errors.rate.value, seen.errors.rate.n) == (1.0, 1_000)
    other = next(kind for kind in seen.errors.kinds if kind.component == "other")
    assert other.rate.value == pytest.approx(1 - (MAX_PER_FAMILY["error"] - 1) / 1_000)
    assert seen.cost.per_call.value == pytest.approx(0.01)
    assert "mostly other other" in seen.verdict.text


def test_a_call_that_starts_twice_counts_once_at_the_earlier_time() -> None:
    line = Line()
    line.turn("c1", 800)
    line.tell(CallStart, "c1", ts=line.at - 400)
    line.beat(line.at + 1)
    assert sums(line, "30m")["started"] == 1
    assert "started" not in sums(line, "5m")
