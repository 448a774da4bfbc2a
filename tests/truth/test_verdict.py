"""The verdict says what the simulator's schedule does: what, where, since when, and when it is over.

One seed per incident; `benchmarks/verdict.py` measures more of them, and docs/detection.md has its table.
"""

from __future__ import annotations

import pytest

from truth.schedule import SUDDEN, Watched, frames, watched
from voicetop.engine.snapshot import Where
from voicetop.session import Session
from voicetop.simulator import Fleet, FleetConfig, SimulatedIncident

START = 1_795_356_000.0
SEED = 20
LEAD, LASTS, AFTER = 30.0, 270.0, 400.0
FOUND, ONSET, RECOVERING, OK = 120.0, 60.0, 120.0, 390.0
"""Limits in seconds: each is above what is to reach in the median, and far below what an engineer would forgive."""


def fleet(*incidents: SimulatedIncident, history: float = 1_800.0, calls: int = 130) -> FleetConfig:
    return FleetConfig(
        start=START, seed=SEED, calls=calls, history=history, full=history, old_calls=0, incidents=incidents
    )


OFTEN = frozenset({"llm_outage", "traffic_drop"})
"""Sudden incidents that are watched in every run."""


def incident(name: str, at: float = LEAD, lasts: float = LASTS, where: Where = ()) -> SimulatedIncident:
    return SimulatedIncident(name, at, lasts, segment=dict(where))


def told_truly(seen: Watched, found: float = FOUND) -> None:
    """In time, without a flip, with its onset, until it is over; nothing before it."""
    assert not any(moment.bad for moment in seen.moments if moment.after < 0), seen
    assert seen.found <= found, seen
    assert seen.flips == 0, seen
    assert abs(seen.onset) <= ONSET, seen
    assert seen.moved <= 0, seen
    assert seen.recovering <= RECOVERING, seen
    assert seen.ok <= OK, seen


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in OFTEN else pytest.mark.soak) for name in SUDDEN],
)
def test_a_sudden_incident_is_told_in_time_with_its_part_and_onset_until_it_is_over(name: str) -> None:
    seen = watched(fleet(incident(name)), LEAD + LASTS + AFTER)
    told_truly(seen)
    assert seen.late_ok == 0, seen
    assert SUDDEN[name] in seen.parts, seen
    assert not seen.deploys, seen


@pytest.mark.parametrize("name", ["seg_errors", "seg_latency"])
def test_an_incident_of_a_segment_names_it_and_the_deploy_that_it_began_with(name: str) -> None:
    where: Where = (("language", "es"), ("version", "v42"))
    seen = watched(fleet(incident(name, where=where), calls=150), LEAD + LASTS + AFTER)
    told_truly(seen, 2 * FOUND)
    assert tuple(sorted(seen.segment)) == where, seen
    assert seen.deploys, seen


@pytest.mark.parametrize(
    "name",
    [
        "latency_blip",
        "traffic_double",
        pytest.param("campaign", marks=pytest.mark.soak),
        pytest.param("deploy_noop", marks=pytest.mark.soak),
    ],
)
def test_nothing_is_told_where_nothing_is_wrong(name: str) -> None:
    lasts = 45.0 if name == "latency_blip" else LASTS
    seen = watched(fleet(incident(name, lasts=lasts)), LEAD + LASTS)
    assert seen.not_ok_s == 0.0, seen


def test_an_outage_in_the_first_minute_of_a_feed_is_told_and_no_older_than_the_feed() -> None:
    seen = watched(fleet(incident("llm_outage", 20.0, 180.0), history=0.0), 200.0)
    assert seen.found <= FOUND, seen
    assert seen.late_ok == 0, seen
    assert all(moment.since >= -20.0 for moment in seen.moments if moment.bad), seen


def test_of_two_incidents_the_one_that_goes_on_is_told_after_the_other_ended() -> None:
    both = fleet(incident("tts_slow", lasts=420.0), incident("asr_timeouts", LEAD + 60.0, 120.0))
    seen = watched(both, LEAD + 420.0)
    assert seen.late_ok == 0, seen
    assert seen.flips == 0, seen
    early, late = (
        {one.stage.split("_")[0] for one in moment.verdict.troubles}
        for moment in (seen.moments[int((LEAD + 170.0) // 5)], seen.moments[-1])
    )
    assert {"tts", "stt"} <= early, seen
    assert "tts" in late, seen
    assert "stt" not in late, seen


def joined(*, checkpoint: bool) -> tuple[Watched, Watched]:
    """What was said of an outage by who saw all of it, and by who joined three minutes into it."""
    config = fleet(incident("llm_outage"))
    first, second = Session(), Session()
    saw, came = (Watched(START + LEAD, LASTS) for _ in range(2))
    for frame in frames(Fleet(config), LEAD + LASTS):
        here = first.at >= START + LEAD + 180.0
        if here and checkpoint and not second.seq:
            second.load(first.checkpoint())
        first.feed(frame)
        if here:
            second.feed(frame)
            came.look(second)
            saw.look(first)
    return saw, came


def test_who_joins_from_a_checkpoint_says_the_same() -> None:
    saw, came = joined(checkpoint=True)
    assert repr(came.moments) == repr(saw.moments)


def test_who_joins_from_nothing_tells_the_outage_but_not_from_before_it_came() -> None:
    _, came = joined(checkpoint=False)
    assert came.moments[-1].bad, came
    assert all(moment.since >= 180.0 for moment in came.moments if moment.bad), came
    assert all(moment.severity != "ok" for moment in came.moments), came
