"""The simulated fleet: the same seed gives the same events, with the figures of a healthy service."""

from __future__ import annotations

import hashlib
import random
import statistics
import sys
import time
from collections import Counter, defaultdict
from itertools import pairwise

import msgspec
import pytest

from voicetop.simulator import BRIEF, Detail, Fleet, FleetConfig, SimulatedIncident, history
from voicetop.simulator.population import Population
from voicetop.simulator.words import BOOKS
from voicetop.wire.events import (
    AnyEvent,
    Audio,
    CallEnd,
    CallOutcome,
    CallStart,
    CallStep,
    CallUpdate,
    Capacity,
    Error,
    Event,
    SourceStatus,
    Stage,
    Tool,
    Turn,
    TurnStart,
    Usage,
)

START = 1_794_996_000.0 + 3_600.0
"""A Wednesday, 10:00 UTC."""


def fleet(**config: object) -> Fleet:
    return Fleet(FleetConfig(start=START, **config))  # type: ignore[arg-type]


def digest(events: list[Event]) -> str:
    return hashlib.sha256(msgspec.json.encode(events)).hexdigest()


def by_kind(events: list[Event]) -> dict[type[Event], list[Event]]:
    kinds: dict[type[Event], list[Event]] = defaultdict(list)
    for event in events:
        kinds[type(event)].append(event)
    return kinds


@pytest.fixture(scope="module")
def five_minutes() -> list[Event]:
    return fleet(seed=3, calls=200).until(START + 300)


@pytest.fixture(scope="module")
def hour() -> list[Event]:
    config = Detail(stages=0, audio=0, texts=0, waits=False, tool_starts=False, usage_by_turn=False)
    return fleet(seed=2, calls=400, detail=config).until(START + 3600)


def test_the_same_seed_gives_the_same_events_byte_for_byte(five_minutes: list[Event]) -> None:
    again = fleet(seed=3, calls=200).until(START + 300)
    assert digest(again) == digest(five_minutes)
    assert digest(fleet(seed=4, calls=200).until(START + 300)) != digest(five_minutes)


def test_how_the_time_is_cut_changes_nothing() -> None:
    config = {
        "seed": 7,
        "calls": 60,
        "history": 4000.0,
        "incidents": (
            SimulatedIncident("llm_outage", 20.0, 60.0),
            SimulatedIncident("traffic_double", 40.0, 60.0),
        ),
    }
    whole = fleet(**config).until(START + 150)
    for seed in range(3):
        cut = fleet(**config)
        rng = random.Random(seed)
        pieces: list[Event] = []
        while cut.now < START + 150:
            step = rng.choice((0.0, 0.0004, 0.02, 0.125, 3.0, 700.0))
            pieces += cut.until(min(START + 150, cut.now + step * rng.random()))
        assert digest(pieces) == digest(whole)


def test_events_come_in_time_order_with_unique_ids(five_minutes: list[Event]) -> None:
    assert all(a.ts <= b.ts for a, b in pairwise(five_minutes))
    ids = [event.event_id for event in five_minutes]
    assert len(set(ids)) == len(ids)
    assert all(ids)


def test_a_fleet_started_at_another_time_has_other_ids(five_minutes: list[Event]) -> None:
    later = Fleet(FleetConfig(start=START + 1000, seed=3, calls=200)).until(START + 1100)
    assert not {event.event_id for event in five_minutes} & {event.event_id for event in later}


def test_every_event_is_one_of_the_protocol(five_minutes: list[Event]) -> None:
    decoded = msgspec.json.decode(msgspec.json.encode(five_minutes), type=list[AnyEvent])
    assert [type(event) for event in decoded] == [type(event) for event in five_minutes]
    assert len(by_kind(five_minutes)) >= 14


def test_stages_add_up_to_e2e(five_minutes: list[Event]) -> None:
    turns = [event for event in five_minutes if isinstance(event, Turn) and event.status == "ok"]
    assert len(turns) > 1000
    for turn in turns:
        assert turn.additive
        assert turn.latency is not None
        reported = [value for value in msgspec.structs.astuple(turn.latency) if value == value]
        assert sum(reported) == turn.e2e_ms


def test_a_turn_begins_with_the_wait_and_ends_as_much_later_as_it_says(five_minutes: list[Event]) -> None:
    waits = {(e.call_id, e.turn): e.ts for e in five_minutes if isinstance(e, TurnStart)}
    turns = [event for event in five_minutes if isinstance(event, Turn) and event.status == "ok"]
    for turn in turns:
        waited = turn.ts - waits[turn.call_id, turn.turn]
        assert waited == pytest.approx(turn.e2e_ms / 1000, abs=0.0011)


def test_a_call_has_events_from_start_to_end(five_minutes: list[Event]) -> None:
    kinds = by_kind(five_minutes)
    starts = {e.call_id: e for e in kinds[CallStart] if isinstance(e, CallStart)}
    ends = {e.call_id: e for e in kinds[CallEnd] if isinstance(e, CallEnd)}
    assert ends.keys() <= starts.keys()
    last: dict[str, float] = {}
    for event in five_minutes:
        call_id = getattr(event, "call_id", "")
        if call_id and not isinstance(event, CallOutcome):
            last[call_id] = event.ts
    for call_id, end in ends.items():
        assert end.ts == last[call_id]
        assert end.step
        assert end.duration_s == pytest.approx(end.ts - starts[call_id].ts, abs=0.06)
        agent = starts[call_id].agent
        assert agent is not None
        assert agent.version in ("v41", "v42")


def test_turns_are_numbered_without_holes(hour: list[Event]) -> None:
    begun = {e.call_id for e in hour if isinstance(e, CallStart) and e.ts >= START}
    turns: dict[str, list[int]] = defaultdict(list)
    for event in hour:
        if isinstance(event, Turn) and event.call_id in begun:
            turns[event.call_id].append(event.turn)
    assert all(numbers == list(range(len(numbers))) for numbers in turns.values())


def test_a_healthy_hour_has_the_figures_of_a_healthy_service(hour: list[Event]) -> None:
    begun = {e.call_id for e in hour if isinstance(e, CallStart) and e.ts >= START}
    ends = {e.call_id: e for e in hour if isinstance(e, CallEnd) and e.call_id in begun}
    waits = statistics.quantiles((e.e2e_ms for e in hour if isinstance(e, Turn) and e.status == "ok"), n=100)
    assert 800 <= waits[49] <= 1000
    assert 1500 <= waits[94] <= 1950
    failed = {e.call_id for e in hour if isinstance(e, Error) and e.final and e.call_id in ends}
    assert 0.006 <= len(failed) / len(ends) <= 0.02
    outcomes = {e.call_id: e for e in hour if isinstance(e, CallOutcome)}
    assert 0.89 <= statistics.fmean(e.success is True for e in outcomes.values()) <= 0.93
    assert len(outcomes.keys() & ends.keys()) / len(ends) > 0.9
    left = [c for c, e in ends.items() if e.reason == "user_hangup" and not _succeeded(outcomes.get(c))]
    assert 0.03 <= len(left) / len(ends) <= 0.05
    costs: Counter[str] = Counter()
    for event in hour:
        if isinstance(event, Usage) and event.call_id in ends:
            costs[event.call_id] += event.cost_usd  # type: ignore[assignment]
    assert 0.075 <= statistics.fmean(costs[call_id] for call_id in ends) <= 0.09
    assert 120 <= statistics.median(e.duration_s for e in ends.values()) <= 180
    turns = Counter(e.call_id for e in hour if isinstance(e, Turn))
    assert 8 <= statistics.fmean(turns[call_id] for call_id in ends) <= 10


def _succeeded(outcome: CallOutcome | None) -> bool:
    return outcome is not None and outcome.success is True


def test_the_number_of_live_calls_is_as_configured(hour: list[Event]) -> None:
    live = [event.active_calls for event in hour if isinstance(event, SourceStatus)]
    assert len(live) == 721
    assert 340 <= statistics.fmean(live) <= 470


def test_status_counts_live_calls() -> None:
    it = fleet(calls=50)
    events = it.until(START + 60)
    on = {e.call_id for e in events if isinstance(e, CallStart)} - {
        e.call_id for e in events if isinstance(e, CallEnd)
    }
    assert it.live.keys() == on
    assert [e.active_calls for e in events if isinstance(e, SourceStatus)][-1] == len(on)
    assert {e.call_id for e in it.announcements()} == on


def test_traffic_follows_the_hour_of_the_day() -> None:
    it = fleet()
    assert it.level(START) == pytest.approx(400)
    assert it.level(START + 17 * 3600) < 150
    assert fleet(traffic="flat").level(START + 17 * 3600) == pytest.approx(400)
    by_day = fleet(traffic="day")
    assert statistics.fmean(by_day.level(START + 1800 * k) for k in range(336)) == pytest.approx(400, rel=0.1)


def test_an_intent_is_often_known_late(five_minutes: list[Event]) -> None:
    starts = [e for e in five_minutes if isinstance(e, CallStart) and e.ts >= START]
    late = {e.call_id for e in starts if "intent" not in e.segments}
    assert 0.25 <= len(late) / len(starts) <= 0.45
    reported = {
        e.call_id: e.segments for e in five_minutes if isinstance(e, CallUpdate) and "intent" in e.segments
    }
    done = {e.call_id for e in five_minutes if isinstance(e, Turn) and e.turn >= 3}
    assert late & done <= reported.keys()
    assert not reported.keys() & ({e.call_id for e in starts} - late)


def test_capacity_comes_first_and_live_calls_are_announced(five_minutes: list[Event]) -> None:
    capacity = next(e for e in five_minutes if isinstance(e, Capacity))
    assert capacity.limit == 310, "half as much again as the busiest hour of the coming day"
    announced = [e for e in five_minutes if isinstance(e, CallStart) and e.ts < START]
    assert len(announced) == 200
    assert all(e.ts >= START - 500 for e in announced)


def test_callers_speak_their_language_with_its_accents(five_minutes: list[Event]) -> None:
    language = {e.call_id: e.segments["language"] for e in five_minutes if isinstance(e, CallStart)}
    texts: dict[object, str] = defaultdict(str)
    for event in five_minutes:
        if isinstance(event, Turn):
            texts[language[event.call_id]] += event.user_text + event.agent_text
    for name, letters in {"es": "¿éñ", "fr": "éèç", "de": "äöüß", "hi": "हकम"}.items():
        assert set(letters) & set(texts[name]), name
    assert texts["en"].isprintable()


def test_there_are_phrases_for_every_intent_and_step() -> None:
    for kind in Population().kinds:
        steps = set(kind.plan(0.0)) | set(kind.plan(0.5)) | set(kind.plan(0.999))
        book = kind.book
        assert book.openings[kind.segments["intent"]]
        assert book.answers[kind.segments["intent"]]
        assert all(book.caller[step] for step in steps - {"greeting"})
        assert all(book.agent[step] for step in steps - {"resolve"})
    assert set(BOOKS) == {"en", "es", "fr", "hi", "de"}


def test_tools_have_arguments_that_are_json_and_end_as_they_began(five_minutes: list[Event]) -> None:
    tools = [event for event in five_minutes if isinstance(event, Tool)]
    assert {tool.state for tool in tools} >= {"start", "ok"}
    assert all(isinstance(msgspec.json.decode(tool.arguments), dict) for tool in tools)
    ended = [tool.duration_ms for tool in tools if tool.state == "ok"]
    assert 100 < statistics.median(ended) < 400


def test_steps_follow_the_order_of_the_flow(five_minutes: list[Event]) -> None:
    order = ["greeting", "ask_account", "verify", "intent_confirm", "lookup", "resolve", "confirm", "close"]
    steps: dict[str, list[str]] = defaultdict(list)
    for event in five_minutes:
        if isinstance(event, CallStep):
            steps[event.call_id].append(event.step)
    for reported in steps.values():
        assert reported == sorted(reported, key=order.index)
    assert Counter(len(reported) for reported in steps.values()).most_common(1)[0][0] >= 5


def test_successful_retries_are_reported_and_are_no_failure(hour: list[Event]) -> None:
    retried = [e for e in hour if isinstance(e, Error) and not e.final]
    ok = {(e.call_id, e.turn) for e in hour if isinstance(e, Turn) and e.status == "ok"}
    saved = [e for e in retried if (e.call_id, e.turn) in ok]
    assert len(saved) > 100
    assert all(e.recoverable and e.retry_count for e in saved)


def test_detail_thins_out_above_two_thousand_calls() -> None:
    assert Detail.for_calls(2_000) == Detail()
    thin = fleet(calls=10_000, traffic="flat").until(START + 20)
    kinds = by_kind(thin)
    assert 0.1 < len({e.call_id for e in kinds[Stage] if isinstance(e, Stage)}) / 10_000 < 0.3
    assert len(kinds[TurnStart]) > 10 * len(kinds[Audio]) / 3


def test_a_history_ends_at_the_present_and_its_calls_continue() -> None:
    it = fleet(calls=100, history=6 * 3600.0)
    pieces = list(history(it))
    past = [event for piece in pieces for event in piece]
    assert it.now == START
    assert past[0].ts < START - 6 * 3600 + 60
    assert past[-1].ts <= START
    assert not by_kind(past)[Stage]
    on = set(it.live)
    assert 60 <= len(on) <= 150
    live = it.until(START + 120)
    kinds = by_kind(live)
    assert {e.call_id for e in kinds[Turn] if isinstance(e, Turn)} & on
    assert len(on - {e.call_id for e in kinds[CallEnd] if isinstance(e, CallEnd)}) < len(on) / 2
    assert {e.call_id for e in kinds[Stage] if isinstance(e, Stage)} & on


def test_a_history_is_thin_at_first_and_full_at_the_end() -> None:
    it = fleet(calls=100, history=12 * 3600.0, traffic="flat", thin=0.1)
    starts = [e.ts for piece in history(it) for e in piece if isinstance(e, CallStart)]
    old = [ts for ts in starts if ts < START - 2100]
    new = [ts for ts in starts if ts >= START - 1800]
    rate = (len(new) / 1800) / (len(old) / (12 * 3600 - 2100))
    assert 8 < rate < 12
    assert sum(len(e) for e in history(fleet(calls=100, history=3600.0, detail=BRIEF))) > 10_000


def test_speed_compresses_people_and_not_the_agent() -> None:
    usual, fast = fleet(calls=100).until(START + 200), fleet(calls=100, speed=4.0).until(START + 200)

    def median_wait(events: list[Event]) -> float:
        return statistics.median(e.e2e_ms for e in events if isinstance(e, Turn) and e.status == "ok")

    assert median_wait(fast) == pytest.approx(median_wait(usual), rel=0.1)
    more = len(by_kind(fast)[CallEnd]) / len(by_kind(usual)[CallEnd])
    assert 2.5 < more < 4.5
    live = [e.active_calls for e in fast if isinstance(e, SourceStatus)]
    assert 70 < statistics.fmean(live) < 140


def test_a_hundred_thousand_calls_are_simulated_faster_than_real_time() -> None:
    it = fleet(calls=100_000)
    it.until(START + 6)
    began = time.perf_counter()
    reported = sum(len(it.until(START + 6 + 0.05 * k)) for k in range(1, 21))
    took = time.perf_counter() - began
    sys.stdout.write(f"{reported:,} events/s of simulated time, {100 * took:.0f} % of a core\n")
    assert reported >= 20_000
    assert len(it.live) == pytest.approx(100_000, rel=0.06)
