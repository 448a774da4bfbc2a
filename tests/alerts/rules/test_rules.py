from __future__ import annotations

import msgspec
import pytest

from engine.feeding import START, Line
from ui.session_feed import SessionFeed
from voicetop.alerts.rules import metrics
from voicetop.alerts.rules.metrics import Readings
from voicetop.alerts.rules.rule_files import parse
from voicetop.alerts.rules.rules import with_rule_threshold
from voicetop.alerts.signals import Effect
from voicetop.engine.config import EngineConfig
from voicetop.engine.snapshot import Figure, Normal, Snapshot, View
from voicetop.formatting.numbers import bare_ms
from voicetop.session import Session
from voicetop.simulator import SimulatedIncident
from voicetop.ui.renderables.written_figure import derivation as derived
from voicetop.wire.events import Capacity, Error, Marker, Operator, Security

SLOW = '[rules.slow]\nmetric = "p95_e2e"\nfire = "2 s"\nclear = "1 s"\nmin_n = 10\nfor = "10s"\n'
SLOW += 'keep_firing_for = "20s"\n'


def line(text: str) -> tuple[Line, list[Effect]]:
    book = parse(text)
    assert book.mistakes == ()
    made = Line(EngineConfig(rules=book.rules, policies=book.policies))
    told: list[Effect] = []
    made.session.on_effect.append(told.append)
    return made, told


def turns(feed: Line, e2e_ms: float, n: int = 20, call: str = "c") -> None:
    for number in range(n):
        feed.turn(f"{call}{number}", e2e_ms)


def test_a_rule_fires_by_the_figure_on_the_panel_and_says_why() -> None:
    feed, told = line(SLOW)
    turns(feed, 3000)
    feed.pass_(20)
    (fired,) = told
    assert (fired.reason, fired.rule, fired.family, fired.tier) == ("fired", "slow", "latency", "warning")
    assert fired.summary.startswith("P95 response 2,992 ms, over 2,000 ms (n 20)")
    (row,) = feed.see().alerts.incidents
    assert (row.state, row.because, row.runbook) == ("firing", "2,000 ms, over at 1,000 ms", "latency")
    assert feed.see().verdict.severity == "degraded"


def test_it_is_over_only_when_it_is_back_at_the_second_line() -> None:
    feed, told = line(SLOW)
    turns(feed, 3000)
    feed.pass_(20)
    turns(feed, 1500, 600, "d")
    feed.pass_(60)
    assert feed.see().latency.e2e.p95.value < 2000
    assert [effect.reason for effect in told] == ["fired"]
    turns(feed, 500, 13_000, "e")
    feed.pass_(60)
    assert [effect.reason for effect in told] == ["fired", "resolved"]


def test_it_waits_for_its_n_and_for_its_time() -> None:
    feed, told = line(SLOW)
    turns(feed, 3000, 9)
    feed.pass_(60)
    assert told == []
    turns(feed, 3000, 5, "d")
    feed.pass_(9)
    assert told == []
    feed.pass_(11)
    assert [effect.reason for effect in told] == ["fired"]


def test_a_rule_of_a_segment_looks_at_that_segment() -> None:
    feed, told = line(SLOW.replace("min_n", 'where = { language = "es" }\nmin_n'))
    for number in range(12):
        feed.begin(f"c{number}", language="es" if number % 2 else "en")
        feed.turn(f"c{number}", 3000)
    feed.pass_(20)
    assert told == [], "six Spanish turns are too few"
    for number in range(12, 32):
        feed.begin(f"c{number}", language="es")
        feed.turn(f"c{number}", 3000)
    feed.pass_(20)
    assert [effect.where for effect in told] == [(("language", "es"),)]


def test_a_rule_on_errors_began_when_the_verdict_says_that_they_began() -> None:
    feed, _ = line('[rules.e]\nmetric = "errors.llm"\nfire = "10 %"\nmin_n = 10\nfor = "0s"\n')
    for number in range(60):
        feed.begin(f"c{number}")
        feed.pass_(2)
    began = feed.at
    for number in range(20):
        feed.tell(Error, f"c{number}", component="llm", category="timeout")
        feed.pass_(2)
    (row,) = feed.see().alerts.incidents
    held = feed.session.engine.judge.standing["errors"]
    assert row.began == held.since
    assert abs(row.began - began) <= 10


def test_the_blame_says_which_stage_which_segment_and_after_what() -> None:
    slow = SimulatedIncident("seg_latency", at=20.0, duration=600.0, segment={"language": "es"})
    feed = SessionFeed((slow,), seed=3, calls=200, history=7200.0)
    book = parse('[rules.slow]\nmetric = "p95_e2e"\nfire = "1.2 × normal"\nfor = "0s"\n')
    alone = msgspec.structs.replace(feed.session.engine.config, rules=book.rules, verdict=False)
    feed.session.engine.config = alone
    feed.session.engine.markers.append(Marker(ts=feed.at + 15.0, kind="deploy", label="v42"))
    for _ in range(20):
        feed.run(10)
        rows = [row for row in feed.look().alerts.incidents if row.rule == "slow"]
        if rows and rows[0].where:
            break
    (row,) = rows
    assert row.where == (("language", "es"),)
    for part in ("P95 response", "× normal", "n ", "es explains", "after deploy v42"):
        assert part in row.blame
    assert " in " in row.blame


def test_rules_in_force_are_the_hubs_and_go_with_the_checkpoint() -> None:
    feed, _ = line(SLOW)
    turns(feed, 3000)
    feed.pass_(12)
    other = Session()
    other.load(feed.session.checkpoint())
    assert other.engine.config.rules == feed.session.engine.config.rules
    assert other.digest() == feed.session.digest()
    shown = (other.snapshot(View()).alerts, feed.see().alerts)
    assert msgspec.msgpack.encode(shown[0]) == msgspec.msgpack.encode(shown[1])


def test_security_is_told_at_once_and_between_two_marks() -> None:
    feed, told = line("")
    feed.beat(START + 1)
    feed.hear(Security(ts=feed.at, kind="prompt_injection", label="tool abuse", severity="high"))
    feed.beat(START + 1.25)
    (fired,) = told
    assert (fired.family, fired.tier, fired.at) == ("security", "critical", START + 1.25)


def test_what_people_do_comes_through_the_feed() -> None:
    feed, told = line(SLOW)
    turns(feed, 3000)
    feed.pass_(20)
    feed.tell(Operator, act="ack", target="i1", by="ana")
    feed.beat(feed.at + 0.25)
    assert [(effect.reason, effect.by) for effect in told[1:]] == [("acknowledged", "ana")]
    feed.tell(Operator, act="resolve", target="i1", by="ana", text="known")
    feed.beat(feed.at + 0.25)
    assert told[-1].reason == "resolved", "at the next heartbeat, not at the next mark"
    feed.pass_(30)
    assert [row.state for row in feed.see().alerts.incidents] == ["resolved"]


@pytest.mark.parametrize("seed", [4])
def test_every_metric_is_the_figure_that_its_panel_shows(seed: int) -> None:
    feed = SessionFeed(
        (SimulatedIncident("llm_outage", at=10.0, duration=600.0),), seed=seed, calls=80, history=3600.0
    )
    feed.run(60)
    engine = feed.session.engine
    engine.load.limit = 200
    readings = Readings(engine)
    short, long = (feed.session.snapshot(View(span=span)) for span in ("5m", "30m"))
    seen = _shown(short, long)
    for name, (window, shown) in seen.items():
        made = readings.read(name, (), window)  # type: ignore[arg-type]
        assert made.value == pytest.approx(shown.value, nan_ok=True), name
        assert made.n == shown.n, name
        assert made.normal.value == pytest.approx(shown.normal.value, nan_ok=True), name
    for name in metrics.names():
        readings.read(name, (), "5m")
        readings.read(name, (("language", "es"),), "30m")


def _shown(short: Snapshot, long: Snapshot) -> dict[str, tuple[str, Figure]]:
    return {
        "p50_e2e": ("5m", short.latency.e2e.p50),
        "p95_e2e": ("5m", short.latency.e2e.p95),
        "p99_e2e": ("5m", short.latency.e2e.p99),
        "p95_llm": ("5m", next(stage.p95 for stage in short.latency.stages if stage.name == "llm_ttft")),
        "errors": ("5m", short.errors.rate),
        "success": ("30m", long.outcome.success),
        "escalation": ("30m", long.outcome.escalation),
        "abandonment": ("30m", long.abandonment.rate),
        "cost": ("30m", long.cost.per_call),
        "sentiment": ("30m", long.mood.sentiment),
        "frustrated": ("5m", short.mood.frustrated),
    }


def test_counts_are_those_of_the_panels() -> None:
    feed, _ = line("")
    feed.tell(Capacity, limit=50)
    for number in range(20):
        feed.begin(f"c{number}")
        feed.wait(f"c{number}")
    feed.tell(Error, "c1", component="llm", category="timeout", final=True)
    feed.pass_(20)
    readings = Readings(feed.session.engine)

    def read(name: str) -> float:
        return readings.read(name, (), "5m").value

    assert read("live_calls") == 20
    assert read("capacity") == 0.4
    assert (read("waiting"), read("stuck")) == (20, 20)
    assert read("arrivals") == 4
    assert read("errors.llm.timeout") == read("errors.llm") == read("errors") == 0.05
    assert read("errors.tts") == 0


def test_the_line_on_a_chart_is_the_mildest_rules() -> None:
    book = parse('presets = ["playbook", "hamming"]\n' + SLOW)
    figure = Figure(1700, 500, normal=Normal(1000.0, n=900), warn=1500)
    assert with_rule_threshold(book.rules, (), "p95_e2e", figure).warn == 800, "hamming's is only drawn"
    assert with_rule_threshold(parse(SLOW).rules, (), "p95_e2e", figure).warn == 2000
    assert with_rule_threshold((), (), "p95_e2e", figure).warn == 1500
    assert with_rule_threshold(parse(SLOW).rules, (), "errors", figure) is figure


def test_a_rules_line_is_drawn_on_its_panel() -> None:
    feed, _ = line(SLOW)
    turns(feed, 500)
    feed.pass_(5)
    shown = feed.see().latency.e2e.p95
    assert derived(shown, bare_ms) == "warn 2,000 by rule slow"
    times, _ = line(SLOW.replace('"2 s"', '"1.5 × normal"').replace('"1 s"', '"1.2 × normal"'))
    made = with_rule_threshold(
        times.session.engine.config.rules, (), "p95_e2e", Figure(500, 90, normal=Normal(1800.0, n=900))
    )
    assert derived(made, bare_ms) == "warn 2,700 = 1.5 × normal 1,800"
