"""When a change began, and how sure that is, from the counts of its alarm."""

from __future__ import annotations

import numpy as np
import pytest

from alerts.planted import START, Change, baseline, readings
from voicetop.alerts.changes.detector import ChangeDetector, ChangeDetectorState
from voicetop.alerts.changes.onset import Counted, Onset, estimated
from voicetop.engine.config import EngineConfig
from voicetop.engine.windows.ledger import Ledger

FROM = 1_507.0


def since(begin: float, which: str, factor: float = 1.0, more: float = 0.0) -> Change:
    def change(kind: str, usual: np.ndarray, seconds: float) -> np.ndarray:
        return usual * factor + more if kind == which and seconds >= begin else usual

    return change


def onset_of(change: Change, family: str, minutes: float = 40, seed: int = 7) -> Onset:
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
    assert abs(onset.best - FROM) <= 40
    assert onset.latest - onset.earliest <= 300


def test_what_is_clearer_is_dated_better() -> None:
    clear = onset_of(since(FROM, "fault:llm:server", 200.0), "errors")
    assert clear.latest - clear.earliest <= 30
    vague = onset_of(since(FROM, "escalated", 8.0), "escalation")
    assert vague.latest - vague.earliest > 300
    assert vague.earliest <= FROM <= vague.latest


def test_the_bounds_hold_the_onset_in_nineteen_of_twenty_cases() -> None:
    onsets = [onset_of(since(FROM, "fault:llm:server", 30.0), "errors", seed=seed) for seed in range(20)]
    assert sum(onset.earliest <= FROM <= onset.latest for onset in onsets) >= 18
