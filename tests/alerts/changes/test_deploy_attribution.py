"""Which change it began with: the deploy at its onset and of its version, and no other."""

from __future__ import annotations

import numpy as np

from alerts.planted import START, Change, baseline, readings, rows_of
from voicetop.alerts.changes.alarms import Alarm
from voicetop.alerts.changes.deploy_attribution import blame, date
from voicetop.alerts.changes.detector import ChangeDetector, ChangeDetectorState
from voicetop.alerts.changes.onset import Onset
from voicetop.alerts.changes.signal_text import AttributedChange
from voicetop.wire.events import Marker

FROM = 1_200.0


def broken_since_deploy(version: str) -> Change:
    """The model fails more often in one version, or in all."""
    inside = rows_of(version=version) if version else rows_of()

    def change(kind: str, usual: np.ndarray, seconds: float) -> np.ndarray:
        return np.where(inside & (kind == "fault:llm:server") & (seconds >= FROM), 0.1, usual)

    return change


def found(version: str, *markers: Marker, unsure_s: float = 30) -> tuple[Alarm, AttributedChange]:
    watch = ChangeDetector(ChangeDetectorState(baseline=baseline()))
    for at, reading in readings(32, broken_since_deploy(version)):
        watch.step(reading, at)
    assert watch.evidence is not None
    (alarm,) = watch.state.alarms
    stream = next(stream for stream in watch.evidence.weights.streams if stream.name == alarm.stream)
    onset = Onset(START + FROM, START + FROM - unsure_s, START + FROM + unsure_s)
    date(alarm, stream, markers, watch.evidence, onset)
    return alarm, blame(alarm, stream, markers, watch.evidence)


def deploy(version: str, seconds: float) -> Marker:
    return Marker(ts=START + seconds, kind="deploy", label=f"deploy {version}", version=version)


def test_the_deploy_at_the_onset_is_blamed() -> None:
    alarm, blamed = found("v2", deploy("v2", FROM - 20))
    assert (blamed.marker, blamed.version, blamed.lag_s) == ("deploy v2", "v2", 0)
    assert alarm.began == START + FROM - 20, "it is exact, the estimate isn't"
    assert (alarm.where, alarm.version) == ((), "v2")


def test_a_version_that_is_beyond_doubt_is_named_with_the_time_since_its_deploy() -> None:
    alarm, blamed = found("v2", deploy("v2", FROM - 200))
    assert (blamed.marker, blamed.version, blamed.lag_s) == ("deploy v2", "v2", 200)
    assert alarm.began == START + FROM


def test_what_hits_all_versions_alike_is_not_blamed_on_one() -> None:
    alarm, blamed = found("", deploy("v2", FROM - 5))
    assert (blamed, alarm.marker) == (AttributedChange(), "")
    assert alarm.began == START + FROM


def test_a_change_without_a_version_is_judged_by_its_time_alone() -> None:
    change = Marker(ts=START + FROM - 5, kind="config", label="new voice")
    alarm, blamed = found("", change)
    assert (blamed.marker, blamed.lag_s, alarm.began) == ("config new voice", 0, START + FROM - 5)


def test_a_change_without_a_version_needs_narrow_bounds() -> None:
    change = Marker(ts=START + FROM - 5, kind="config", label="new voice")
    assert found("", change, unsure_s=200)[1] == AttributedChange()


def test_a_deploy_of_the_version_that_does_well_is_not() -> None:
    assert found("v2", deploy("v1", FROM - 20))[1] == AttributedChange()


def test_a_deploy_long_before_is_not() -> None:
    assert found("v2", deploy("v2", FROM - 1_100))[1] == AttributedChange()
