"""Each incident changes what its name says, for its segment, with realistic effects on callers."""

from __future__ import annotations

import statistics
from collections import Counter
from functools import cache

import pytest
from msgspec import Struct

from voicetop.errors import UsageError
from voicetop.simulator import SCENARIOS, Detail, Fleet, FleetConfig, SimulatedIncident
from voicetop.wire.events import (
    Audio,
    CallEnd,
    CallOutcome,
    CallStart,
    CallUpdate,
    Error,
    Event,
    Interruption,
    Marker,
    Turn,
    TurnStart,
    Usage,
)

START = 1_794_999_600.0
DURATION_S = 480.0
_DETAIL = Detail(stages=0, texts=0, tool_starts=False, usage_by_turn=False)


class Figures(Struct):
    """The figures of eight minutes of a fleet."""

    p95: float
    llm: float
    tts: float
    failed: dict[str, float]
    arrivals: int
    success: float
    judged: int
    cost: float
    left: float
    left_at_account: float
    sentiment: float
    pace: float
    interrupted: float
    intents: dict[str, float]
    markers: list[str]


@cache
def run(name: str, segment: tuple[tuple[str, str], ...] = (), magnitude: float = 1.0) -> tuple[Event, ...]:
    incident = SimulatedIncident(name, 0.0, DURATION_S, dict(segment), magnitude)
    config = FleetConfig(start=START, seed=11, calls=400, detail=_DETAIL, incidents=(incident,))
    return tuple(Fleet(config).until(START + DURATION_S))


def segments_of_calls(events: tuple[Event, ...]) -> dict[str, dict[str, object]]:
    calls: dict[str, dict[str, object]] = {}
    for event in events:
        if isinstance(event, CallStart):
            version = event.agent.version if event.agent else ""
            calls[event.call_id] = {**event.segments, "version": version}
        elif isinstance(event, CallUpdate):
            calls[event.call_id].update(event.segments)
    return calls


def figures(events: tuple[Event, ...], **segment: str) -> Figures:
    """The figures of the calls that started after START, of one segment if given."""
    seen = segments_of_calls(events)
    mine = {c for c, values in seen.items() if all(values.get(k) == v for k, v in segment.items())}
    started = [e.call_id for e in events if isinstance(e, CallStart) and e.ts >= START and e.call_id in mine]
    of = [e for e in events if getattr(e, "call_id", "") in mine]
    turns = [e for e in of if isinstance(e, Turn)]
    errors = [e for e in of if isinstance(e, Error) and e.final]
    ok = [e for e in turns if e.latency is not None]
    began = set(started)
    ends = [e for e in of if isinstance(e, CallEnd) and e.call_id in began]
    costs: Counter[str] = Counter()
    for event in of:
        if isinstance(event, Usage):
            costs[event.call_id] += event.cost_usd  # type: ignore[assignment]
    outcomes = [e for e in of if isinstance(e, CallOutcome)]
    left = [e for e in ends if e.reason == "user_hangup" and e.step != "close"]
    intents = Counter(str(seen[c].get("intent")) for c in started if "intent" in seen[c])
    return Figures(
        p95=statistics.quantiles([e.e2e_ms for e in ok], n=20)[18],
        llm=statistics.median(e.latency.llm_ttft for e in ok if e.latency),
        tts=statistics.median(e.latency.tts_ttfb for e in ok if e.latency),
        failed={
            part: sum(e.component == part for e in errors) / len(turns)
            for part in ("stt", "llm", "tool", "tts")
        },
        arrivals=len(started),
        success=statistics.fmean(e.success is True for e in outcomes) if outcomes else -1.0,
        judged=len(outcomes),
        cost=statistics.fmean(costs[e.call_id] for e in ends),
        left=len(left) / len(ends),
        left_at_account=sum(e.step == "ask_account" for e in left) / len(ends),
        sentiment=statistics.fmean(e.sentiment for e in outcomes) if outcomes else 0.0,
        pace=statistics.fmean(e.speech_rate_wpm for e in of if isinstance(e, Audio)),
        interrupted=sum(isinstance(e, Interruption) for e in of) / len(turns),
        intents={name: n / len(started) for name, n in intents.items()},
        markers=[e.kind for e in events if isinstance(e, Marker)],
    )


@pytest.fixture(scope="module")
def calm() -> Figures:
    return figures(run("healthy"))


def test_all_required_scenarios_exist() -> None:
    names = """llm_outage llm_brownout asr_timeouts tool_5xx tts_slow traffic_drop seg_success seg_latency seg_errors
    cost_double abandon_step sentiment_deploy frustration_rise new_intent ttft_drift success_drift healthy
    traffic_double campaign latency_blip deploy_noop eval_lag"""
    assert set(SCENARIOS) == set(names.split())


def test_nothing_happens_in_health(calm: Figures) -> None:
    assert calm.markers == []
    assert calm.p95 < 2000
    assert calm.intents.get("pricing_tiers", 0.0) == 0.0


def test_an_llm_outage_fails_turns_and_drives_callers_away(calm: Figures) -> None:
    it = figures(run("llm_outage"))
    assert 0.25 < it.failed["llm"] < 0.5
    assert it.left > 5 * calm.left
    assert it.p95 > 1.3 * calm.p95


def test_in_an_outage_callers_wait_for_a_reply_that_does_not_come() -> None:
    events = run("llm_outage", magnitude=2.0)
    at = START + 60.0
    started = {(e.call_id, e.turn): e.ts for e in events if isinstance(e, TurnStart) and e.ts <= at}
    answered = {(e.call_id, e.turn) for e in events if isinstance(e, Turn) and e.ts <= at}
    ended = {e.call_id: e.ts for e in events if isinstance(e, CallEnd)}
    waiting = {
        key: at - ts for key, ts in started.items() if key not in answered and ended.get(key[0], at + 1) > at
    }
    assert sum(wait > 8.0 for wait in waiting.values()) > 15
    failed = [e for e in events if isinstance(e, Turn) and e.status == "failed"]
    assert all(e.e2e_ms != e.e2e_ms for e in failed)
    errors = {(e.call_id, e.turn) for e in events if isinstance(e, Error) and e.final}
    assert {(e.call_id, e.turn) for e in failed} <= errors
    silent = [e for e in events if isinstance(e, Error) and e.final and e.provider == "acme-llm"]
    silent = [e for e in silent if e.category == "timeout"]
    waits = [e.ts - started[e.call_id, e.turn] for e in silent if (e.call_id, e.turn) in started]
    assert min(waits) > 15.0


def test_some_callers_hang_up_while_they_wait() -> None:
    events = run("llm_outage", magnitude=2.0)
    last: dict[str, Event] = {}
    for event in events:
        if isinstance(event, TurnStart | Turn):
            last[event.call_id] = event
    gone = [
        e
        for e in events
        if isinstance(e, CallEnd) and isinstance(last.get(e.call_id), TurnStart) and e.reason == "user_hangup"
    ]
    assert len(gone) > 20
    assert all(e.ts - last[e.call_id].ts < 17.0 for e in gone)


def test_a_brownout_is_a_smaller_outage(calm: Figures) -> None:
    it = figures(run("llm_brownout"))
    assert 0.02 < it.failed["llm"] < 0.08
    assert it.llm > 1.12 * calm.llm


def test_asr_timeouts_cost_time_and_the_agent_asks_again(calm: Figures) -> None:
    it = figures(run("asr_timeouts"))
    assert 0.07 < it.failed["stt"] < 0.13
    assert it.p95 > calm.p95 + 300


def test_a_failing_crm_hits_billing_and_account(calm: Figures) -> None:
    events = run("tool_5xx")
    assert figures(events, intent="billing").failed["tool"] > 0.05
    assert figures(events, intent="orders").failed["tool"] < 0.01
    assert calm.failed["tool"] < 0.01


def test_a_slow_voice_is_slow(calm: Figures) -> None:
    assert figures(run("tts_slow")).tts > 4 * calm.tts


def test_traffic_drops(calm: Figures) -> None:
    assert figures(run("traffic_drop")).arrivals < 0.2 * calm.arrivals


def test_traffic_doubles(calm: Figures) -> None:
    assert figures(run("traffic_double")).arrivals == pytest.approx(2 * calm.arrivals, rel=0.15)


def test_a_campaign_brings_sales(calm: Figures) -> None:
    it = figures(run("campaign"))
    assert it.arrivals > 1.2 * calm.arrivals
    assert it.intents["sales"] > 2 * calm.intents["sales"]
    assert it.markers == ["campaign"]


SEGMENT = {"intent": "billing", "language": "es"}
WHERE = tuple(SEGMENT.items())


def test_a_segment_stops_succeeding() -> None:
    events = run("seg_success", WHERE)
    assert figures(events, **SEGMENT).success < 0.8
    assert figures(events, language="en").success > 0.87
    assert figures(events).markers == []


def test_a_segment_gets_slow() -> None:
    events = run("seg_latency", WHERE)
    assert figures(events, **SEGMENT).llm > 1.7 * figures(events, intent="billing", language="en").llm


def test_a_segment_gets_errors() -> None:
    events = run("seg_errors", WHERE)
    assert 0.07 < figures(events, **SEGMENT).failed["tts"] < 0.18
    assert figures(events, language="en").failed["tts"] < 0.005


def test_a_segment_incident_has_a_default_segment() -> None:
    events = run("seg_errors")
    assert figures(events, intent="billing", language="es", version="v42").failed["tts"] > 0.06
    assert figures(events, intent="billing", language="es", version="v41").failed["tts"] < 0.02
    assert figures(events).markers == ["deploy"]


def test_any_incident_can_be_restricted_to_a_segment() -> None:
    events = run("llm_outage", (("language", "es"),))
    assert figures(events, language="es").failed["llm"] > 0.25
    assert figures(events, language="en").failed["llm"] < 0.01
    dropped = run("traffic_drop", (("language", "en"),))
    before, after = segments_of_calls(run("healthy")), segments_of_calls(dropped)
    english = [sum(values["language"] == "en" for values in calls.values()) for calls in (before, after)]
    spanish = [sum(values["language"] == "es" for values in calls.values()) for calls in (before, after)]
    assert english[1] < 0.4 * english[0]
    assert spanish[1] > 0.8 * spanish[0]


def test_costs_double_with_a_deploy(calm: Figures) -> None:
    it = figures(run("cost_double"))
    assert 1.7 < it.cost / calm.cost < 2.4
    assert it.markers == ["deploy"]


def test_callers_leave_at_one_step(calm: Figures) -> None:
    it = figures(run("abandon_step"))
    assert it.left_at_account > calm.left_at_account + 0.08


def test_a_deploy_is_disliked(calm: Figures) -> None:
    events = run("sentiment_deploy")
    assert figures(events, version="v42").sentiment < figures(events, version="v41").sentiment - 0.3
    assert figures(events).markers == ["deploy"]


def test_frustration_rises(calm: Figures) -> None:
    it = figures(run("frustration_rise"))
    assert it.pace > calm.pace * 1.08
    assert it.interrupted > calm.interrupted + 0.05


def test_a_new_intent_appears() -> None:
    it = figures(run("new_intent", magnitude=2.0))
    assert it.intents["pricing_tiers"] > 0.08


def test_drifts_complete_within_their_duration(calm: Figures) -> None:
    slower, worse = figures(run("ttft_drift", magnitude=4.0)), figures(run("success_drift", magnitude=4.0))
    assert slower.llm > 1.12 * calm.llm
    assert worse.success < calm.success - 0.1


def test_a_blip_passes() -> None:
    config = FleetConfig(
        start=START, seed=11, calls=300, incidents=(SimulatedIncident("latency_blip", 60.0),)
    )
    turns = [e for e in Fleet(config).until(START + 180) if isinstance(e, Turn) and e.latency]
    during = [e.e2e_ms for e in turns if START + 65 < e.ts < START + 105]
    after = [e.e2e_ms for e in turns if e.ts > START + 115]
    assert statistics.median(during) > 1.6 * statistics.median(after)


def test_a_deploy_that_changes_nothing_is_only_a_marker(calm: Figures) -> None:
    it = figures(run("deploy_noop"))
    assert it.markers == ["deploy"]
    assert it.p95 == pytest.approx(calm.p95, rel=0.1)


def test_outcomes_come_late(calm: Figures) -> None:
    assert figures(run("eval_lag")).judged < 0.5 * calm.judged
    config = FleetConfig(
        start=START, seed=11, calls=100, incidents=(SimulatedIncident("eval_lag", 0.0, 240.0),)
    )
    late = [e.ts for e in Fleet(config).until(START + 320) if isinstance(e, CallOutcome)]
    assert sum(ts >= START + 240 for ts in late) > 0.8 * len(late)


@pytest.mark.parametrize(
    ("incident", "message"),
    [
        (SimulatedIncident("llm_outag"), "did you mean 'llm_outage'?"),
        (SimulatedIncident("tts_slow", segment={"intnt": "billing"}), "did you mean 'intent'?"),
        (SimulatedIncident("tts_slow", segment={"intent": "biling"}), "did you mean 'billing'?"),
        (SimulatedIncident("tts_slow", duration=-1.0), "negative"),
    ],
)
def test_unknown_names_are_reported_with_the_nearest(incident: SimulatedIncident, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        Fleet(FleetConfig(start=START, incidents=(incident,)))
