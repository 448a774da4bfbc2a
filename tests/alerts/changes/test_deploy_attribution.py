"""Which change it began with: the deploy at its onset and of its version, and no other."""

from __future__ import annotations

import numpy as np

from alerts.planted import START, Change, baseline, readings, rows_of
from voicetop.alerts.changes.alarms import Alarm
from voicetop.alerts.changes.deploy_attribution import blame
from voicetop.alerts.changes.detector import ChangeDetector, ChangeDetectorState
from voicetop.alerts.changes.signal_text import AttributedChange
from voicetop.wire.events import Marker

FROM = 1_200.0


def broken_since_deploy(version: str) -> Change:
    """The model fails more often in one version."""
    inside = rows_of(version=version)

    def change(kind: str, usual: np.ndarray, seconds: float) -> np.ndarray:
        return np.where(inside & (kind == "fault:llm:server") & (seconds >= FROM), 0.1, usual)

    return change


def found(version: str, *markers: Marker) -> tuple[Alarm, AttributedChange]:
    watch = ChangeDetector(ChangeDetectorState(baseline=baseline()))
    for at, reading in readings(32, broken_since_deploy(version)):
        watch.step(reading, at)
    assert watch.evidence is not None
    (alarm,) = watch.state.alarms
    stream = next(stream for stream in watch.evidence.weights.streams if stream.name == alarm.stream)
    return alarm, blame(alarm, stream, list(markers), watch.evidence)


def deploy(version: str, seconds: float) -> Marker:
    return Marker(ts=START + seconds, kind="deploy", label=f"deploy {version}", version=version)


def test_the_deploy_at_the_onset_is_blamed() -> None:
    alarm, blamed = found("v2", deploy("v2", FROM - 20))
    assert (blamed.marker, blamed.version) == ("deploy v2", "v2")
    assert 0 <= blamed.lag_s < 120
    assert (alarm.where, alarm.version) == ((), "v2")


def test_a_deploy_of_the_version_that_does_well_is_not() -> None:
    assert found("v2", deploy("v1", FROM - 20))[1] == AttributedChange()


def test_a_deploy_long_before_is_not() -> None:
    assert found("v2", deploy("v2", FROM - 1_100))[1] == AttributedChange()
