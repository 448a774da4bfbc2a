"""When an alarm begins, and that it ends only when its CUSUM has clearly fallen."""

from __future__ import annotations

import numpy as np

from alerts.planted import KEYS, baseline, readings
from voicetop.alerts.changes.alarms import OFF_S
from voicetop.alerts.changes.detector import ChangeDetector, ChangeDetectorState

FROM = 300.0


def outage(kind: str, rate: np.ndarray, seconds: float) -> np.ndarray:
    return np.full(len(KEYS), 0.4) if kind == "fault:llm:server" and seconds >= FROM else rate


def test_an_alarm_stays_on_between_half_its_threshold_and_the_whole_and_ends_below_half() -> None:
    detector = ChangeDetector(ChangeDetectorState(baseline=baseline()))
    marks = readings(12, outage)
    at = marks[0][0]
    for at, reading in marks:
        detector.step(reading, at)
        if detector.state.alarms:
            break
    (alarm,) = detector.state.alarms
    assert detector.weights is not None
    assert detector.evidence is not None
    gauges, alarms = detector.state.gauges, detector._alarms
    number = gauges.names.index(alarm.stream)
    limit = detector.weights.limit[number, alarm.tilt]

    def after(level: float) -> bool:
        """Whether it is on still after its CUSUM stood at this share of its threshold for longer than a minute."""
        began = at
        gauges.value[:] = 0
        gauges.value[number, alarm.tilt] = int(level * limit)
        for step in range(int(OFF_S / 5) + 2):
            alarms.step(detector.evidence, gauges, began + 5.0 * step)  # type: ignore[arg-type]
        return alarm in detector.state.alarms

    assert after(0.7)
    at += 300.0
    assert not after(0.4)
