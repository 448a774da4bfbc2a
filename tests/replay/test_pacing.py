"""When each stamp is due."""

from __future__ import annotations

import math

from voicetop.replay.pacing import MeasuredSpeed, Pacing

NOW = 50.0


def anchored(speed: float, stamp: float = 100.0) -> Pacing:
    pacing = Pacing(speed)
    pacing.anchor(stamp, NOW)
    return pacing


def test_stamps_fall_due_at_the_speed_that_was_set() -> None:
    pacing = anchored(2.0)
    assert pacing.due(NOW) == 100.0
    assert pacing.due(NOW + 3) == 106.0
    assert pacing.wait(107.0, NOW + 3) == 0.5
    assert pacing.wait(90.0, NOW + 3) == 0.0


def test_at_unlimited_speed_everything_is_due() -> None:
    pacing = anchored(math.inf)
    assert pacing.due(NOW) == math.inf
    assert pacing.wait(1e12, NOW) == 0.0


def test_a_gap_in_the_recording_counts_as_one_second() -> None:
    pacing = anchored(2.0)
    pacing.skip_gap(100.0, 105.0, NOW)
    assert pacing.wait(105.0, NOW) == 2.5, "five seconds are no pause"
    pacing.skip_gap(100.0, 5000.0, NOW)
    assert pacing.wait(5000.0, NOW) == 1.0
    pacing.skip_gap(100.0, 5000.0, NOW + 0.75)
    assert pacing.wait(5000.0, NOW + 0.75) == 0.25, "it is met before every frame, and waited for once"


def test_stamps_that_step_back_are_not_waited_for() -> None:
    pacing = anchored(2.0)
    pacing.skip_gap(100.0, 97.0, NOW)
    assert pacing.due(NOW) == 100.0, "a little disorder is none of its business"
    pacing.skip_gap(100.0, 40.0, NOW)
    assert pacing.due(NOW) == 40.0
    assert pacing.wait(40.5, NOW) == 0.25


def test_the_actual_speed_is_that_of_the_last_second() -> None:
    reached = MeasuredSpeed()
    assert math.isnan(reached.measure(0.0, NOW))
    for tenth in range(1, 11):
        speed = reached.measure(4.0 * tenth / 10, NOW + tenth / 10)
    assert math.isclose(speed, 4.0)
    for tenth in range(11, 31):
        speed = reached.measure(4.0 + (tenth - 10) / 10, NOW + tenth / 10)
    assert math.isclose(speed, 1.0)
    reached.restart()
    assert math.isnan(reached.measure(9.0, NOW + 9))
