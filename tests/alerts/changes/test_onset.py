"""When a change began, and how sure that is, from the counts of its alarm."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from alerts.planted import START, Change, baseline, readings
from voicetop.alerts.changes.detector import ChangeDetector, ChangeDetectorState
from voicetop.alerts.changes.onset import Counted, Onset, estimated
from voicetop.alerts.incidents.incident import Incident
from voicetop.engine.config import EngineConfig
from voicetop.engine.windows.ledger import Ledger
from voicetop.session import Session
from voicetop.simulator import Fleet, FleetConfig, SimulatedIncident
from voicetop.wire.events import Heartbeat

FROM = 607.0


def since(begin: float, which: str, factor: float = 1.0, more: float = 0.0) -> Change:
    def change(kind: str, usual: np.ndarray, seconds: float) -> np.ndarray:
        return usual * factor + more if kind == which and seconds >= begin else usual

    return change


def onset_of(change: Change, family: str, minutes: float = 20, seed: int = 7) -> Onset:
    """Seconds since the start."""
    watch = ChangeDetector(ChangeDetectorState(baseline=baseline()))
    ledger = Ledger(EngineConfig(), lambda: None, lambda: ())
    for at, reading in readings(minutes, change, seed):
        for alarm in watch.step(reading, at):
            if alarm.family == family:
                assert watch.evidence is not None
                stream = next(s for s in watch.evidence.weights.streams if s.name == alarm.stream)
                counted = Counted(watch.state.recent, ledger, watch.baseline.lines)
                return Onset(
                    *(time - START for time in estimated(alarm, stream, watch.evidence, counted, at))
                )
    raise AssertionError(f"no alarm about {family}")


CHANGES = {
    "errors": since(FROM, "fault:llm:server", 40.0),
    "abandonment": since(FROM, "hangup", 8.0),
    "cost": since(FROM, "x:cost", more=60.0),
    "traffic": since(FROM, "started", 0.1),
}


@pytest.mark.parametrize("family", CHANGES)
def test_the_onset_lies_within_its_bounds(family: str) -> None:
    onset = onset_of(CHANGES[family], family)
    assert onset.earliest <= FROM <= onset.latest
    assert abs(onset.best - FROM) <= 60
    assert onset.latest - onset.earliest <= 300


def test_what_is_clearer_is_dated_better() -> None:
    clear = onset_of(since(FROM, "fault:llm:server", 200.0), "errors")
    assert clear.latest - clear.earliest <= 40
    vague = onset_of(since(FROM, "fault:llm:server", 12.0), "errors")
    assert vague.latest - vague.earliest > clear.latest - clear.earliest
    assert vague.earliest <= FROM <= vague.latest


def test_the_bounds_hold_the_onset_in_nineteen_of_twenty_cases() -> None:
    onsets = [onset_of(since(FROM, "fault:llm:server", 30.0), "errors", 13, seed) for seed in range(20)]
    assert sum(onset.earliest <= FROM <= onset.latest for onset in onsets) >= 18


# -- in a segment, from the engine's windows ----------------------------------------------------------------------

LEARNED_S, LASTS_S, BEAT_S = 1_057.0, 300.0, 5.0
SEGMENT = {"intent": "billing", "language": "es", "version": "v42"}


def first_incident(incident: SimulatedIncident, family: str) -> Incident:
    """The first incident of a family after the baseline was learned, of a fleet of 150 calls."""
    config = FleetConfig(
        start=START, seed=5, calls=150, history=900.0, full=300.0, old_calls=100, incidents=(incident,)
    )
    fleet, session, seq, at = Fleet(config), Session(EngineConfig(verdict=False)), 1, START
    while at < START + incident.at + LASTS_S:
        events = [*fleet.until(at), Heartbeat(ts=at, seq=seq)]
        head = f'{{"type":"batch","seq":{seq},"at":[[{at:.3f},{len(events)}]],"events":'
        session.feed(head.encode() + msgspec.json.encode(events) + b"}")
        seq, at = seq + len(events), at + BEAT_S
        for found in session.alerts.incidents.opened:
            if found.firing and found.family == family and found.fired_at > START + incident.at:
                return found
    raise AssertionError(f"no incident about {family}")


@pytest.mark.parametrize(
    ("name", "family", "strength"), [("seg_latency", "latency", 2.5), ("seg_errors", "errors", 4.0)]
)
def test_a_change_in_a_segment_is_dated_by_its_own_counts_and_named_by_its_deploy(
    name: str, family: str, strength: float
) -> None:
    incident = first_incident(
        SimulatedIncident(name, at=LEARNED_S, duration=3_600.0, segment=SEGMENT, magnitude=strength), family
    )
    assert incident.onset == START + LEARNED_S
    assert incident.marker == "deploy v42"
    assert incident.latest - incident.earliest <= 200
