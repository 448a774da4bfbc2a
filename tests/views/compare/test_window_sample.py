from __future__ import annotations

import itertools

import numpy as np
import pytest
from msgspec.structs import replace

from engine.feeding import START, Line
from engine.traffic import Traffic
from voicetop.engine.snapshot import View
from voicetop.engine.snapshot.comparison import WindowSample
from voicetop.views.compare import window_sample
from voicetop.views.compare.compare import compare
from voicetop.views.compare.natural_variation import NaturalVariation
from voicetop.views.compare.sample_arrays import SampleArrays, SamplePart
from voicetop.wire.events import CallEnd, Error, Marker


def told(line: Line, made: WindowSample, where: tuple[tuple[str, str], ...] = ()) -> SamplePart:
    side = SampleArrays(made)
    return SamplePart(side, side.within(where))


def steady(
    line: Line, seconds: float, *, e2e_ms: float, every: float = 2.0, segments: str = "billing"
) -> None:
    """A call every so many seconds: a turn after a second, and an end after three."""
    numbers = itertools.count(int(line.at * 10))
    until = line.at + seconds
    while line.at < until:
        call_id = f"c{next(numbers)}"
        line.begin(call_id, intent=segments)
        line.beat(line.at + every / 2)
        line.turn(call_id, e2e_ms)
        line.tell(CallEnd, call_id, reason="completed")
        line.beat(line.at + every / 2)


def test_the_window_s_figures_are_those_of_the_screens() -> None:
    """Over random traffic, for every window, narrowed and not."""
    line, traffic = Line(at=START), Traffic(5)
    for at, event in traffic.stream(6_000):
        if at > line.at:
            line.beat(at)
        line.hear(event)
    line.beat(line.at + 1)
    for span in ("5m", "30m", "24h"):
        for where in ((), (("intent", "billing"),), (("language", "es"), ("tier", "gold"))):
            snap = line.see(span=span, where=where, moment=True)
            assert snap.moment is not None
            part = told(line, snap.moment, where)
            counts = part.histograms.get("e2e")
            assert (int(counts.sum()) if counts is not None else 0) + waiting(part) == snap.latency.e2e.p50.n
            assert part.live == snap.capacity.live if not where else part.live <= snap.capacity.live
            assert part.share("error", "") == (
                round(snap.errors.rate.value * snap.errors.rate.n),
                snap.errors.rate.n,
            )
            by_slot = part.by_slot("turns").sum()
            assert by_slot == (counts.sum() if counts is not None else 0)


def waiting(part: SamplePart) -> int:
    """Waits, which the screens count among the turns."""
    counts = part.histograms.get("waited")
    return int(counts.sum()) if counts is not None else 0


def test_samples_before_and_after_a_deploy_have_its_events() -> None:
    line = Line(at=START)
    steady(line, 600, e2e_ms=800)
    line.hear(Marker(ts=line.at, kind="deploy", label="v42"))
    at = line.at
    steady(line, 400, e2e_ms=1_600)
    made = window_sample.around(line.session.engine, at, "5m", NaturalVariation(line.session.engine))
    assert made is not None
    before, after = (told(line, one) for one in made)
    assert [one.end - one.start for one in made] == [300.0, 300.0]
    assert made[0].end <= at <= made[1].start
    assert made[1].start - made[0].end == 60.0
    assert [part.sums["ended"] for part in (before, after)] == [150, 150]
    assert [int(part.histograms["e2e"].sum()) for part in (before, after)] == [150, 150]
    found = compare(*made)
    row = next(row for row in found.rows if row.name == "e2e P50")
    assert row.finding == "worse"
    assert row.difference == pytest.approx(800, rel=0.02)
    assert not any(row.name == "interruptions" for row in found.rows)


def test_past_live_calls_are_reconstructed() -> None:
    line = Line(at=START)
    for number in range(7):
        line.begin(f"long{number}", intent="billing")
    steady(line, 120, e2e_ms=800)
    for number in range(5):
        line.tell(CallEnd, f"long{number}", reason="completed")
    line.begin("later", intent="orders")
    for _ in range(3):
        for call_id in ("long5", "long6", "later"):
            line.turn(call_id, 800)
        steady(line, 100, e2e_ms=800)
    made = window_sample.around(line.session.engine, START + 150, "5m", NaturalVariation(line.session.engine))
    assert made is not None
    before, after = (told(line, one) for one in made)
    assert before.live == 7
    assert after.live == told(line, line.see(moment=True).moment or made[0]).live


def test_a_past_window_counts_who_waited_at_its_end_and_errors_before_later_ones() -> None:
    line = Line(at=START)
    steady(line, 230, e2e_ms=800)
    for number in range(30):
        line.begin(f"stuck{number}", intent="billing")
        line.wait(f"stuck{number}")
        line.tell(Error, f"stuck{number}", component="llm", category="timeout")
    steady(line, 60, e2e_ms=800)
    for number in range(29):
        line.turn(f"stuck{number}", 60_000.0)
        line.tell(Error, f"stuck{number}", component="llm", category="timeout")
    steady(line, 100, e2e_ms=800)
    made = window_sample.around(line.session.engine, START + 250, "5m", NaturalVariation(line.session.engine))
    assert made is not None
    rows = {row.name: row for row in compare(*made).rows}
    p95, errors = rows["e2e P95"], rows["errors"]
    assert (p95.least_a, p95.least_b) == (True, False)
    assert p95.a == pytest.approx(10_000, rel=0.02)
    assert (p95.n_a, errors.n_a) == (120 + 30, 120 + 30)
    assert errors.a == pytest.approx(30 / errors.n_a)


def test_a_deploy_of_this_minute_has_nothing_after_it_yet() -> None:
    line = Line(at=START)
    steady(line, 300, e2e_ms=800)
    at = line.at
    steady(line, 20, e2e_ms=800)
    assert window_sample.around(line.session.engine, at, "5m", NaturalVariation(line.session.engine)) is None
    assert line.see(around=at).comparison is None
    assert (
        window_sample.around(line.session.engine, START - 7_200, "5m", NaturalVariation(line.session.engine))
        is None
    )


def test_undecided_hang_ups_do_not_improve_a_window() -> None:
    """Half of the calls are hung up on: the last two minutes, in which only good ends are known, don't count."""
    line = Line(at=START)
    numbers = itertools.count()
    for _ in range(300):
        for reason in ("user_hangup", "completed"):
            call_id = f"c{next(numbers)}"
            line.begin(call_id)
            line.tell(CallEnd, call_id, reason=reason)
        line.beat(line.at + 1)
    made = line.see(moment=True).moment
    assert made is not None
    hits, n = told(line, made).share("abandoned", "decided")
    assert hits / n == 0.5
    assert n < told(line, made).sums["ended"]


def test_a_sample_outlives_its_windows() -> None:
    line = Line(at=START)
    steady(line, 300, e2e_ms=800)
    a = line.see(moment=True).moment
    assert a is not None
    line.pass_(3_600, every=30)
    steady(line, 300, e2e_ms=1_600)
    for view in (View(against=a), View(against=a, where=(("intent", "billing"),))):
        found = line.session.snapshot(view).comparison
        assert found is not None
        row = next(row for row in found.rows if row.name == "e2e P50")
        assert (row.n_a, row.finding) == (150, "worse")
    nobody = line.session.snapshot(View(against=a, where=(("intent", "none"),))).comparison
    assert nobody is not None
    assert not nobody.news


def test_waiting_callers_count_in_a_sample() -> None:
    line = Line(at=START)
    steady(line, 120, e2e_ms=800)
    a = line.see(moment=True).moment
    for number in range(20):
        line.begin(f"w{number}")
        line.wait(f"w{number}")
    steady(line, 30, e2e_ms=800)
    found = line.session.snapshot(View(against=a)).comparison
    assert found is not None
    row = next(row for row in found.rows if row.name == "e2e P95")
    assert row.least_b
    assert row.b > 20_000
    assert not row.least_a


def test_a_comparison_is_rebuilt_every_five_seconds() -> None:
    line = Line(at=START)
    steady(line, 300, e2e_ms=800)
    view = View(against=line.see(moment=True).moment)
    line.beat(START + 400)
    first = line.session.snapshot(view).comparison
    line.beat(START + 404)
    assert line.session.snapshot(view).comparison is first
    line.beat(START + 405)
    assert line.session.snapshot(view).comparison is not first


def test_natural_variation_includes_error_clusters() -> None:
    line = Line(at=START)
    dice = np.random.default_rng(2)
    numbers = itertools.count()
    for minute in range(60):
        chance = 0.05 if minute % 2 else 0.35
        for _ in range(40):
            call_id = f"c{next(numbers)}"
            line.begin(call_id)
            if dice.random() < chance:
                line.tell(Error, call_id, component="tts", category="server", final=True)
            line.tell(CallEnd, call_id, reason="completed")
        line.beat(line.at + 60)
    line.session.engine.judge = replace(line.session.engine.judge, troubled=[])
    shares, units = NaturalVariation(line.session.engine).shares(line.at)
    assert units >= 6
    assert dict(shares)["errors"] > 0.5
