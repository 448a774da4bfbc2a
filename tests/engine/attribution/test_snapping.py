"""A change within the bounds of an onset is the onset; any other is none of its business."""

from __future__ import annotations

import math

import numpy as np

from voicetop.engine.attribution.snapping import GUILTY_Z, snapped, version_z
from voicetop.wire.events import Marker

AT = 1_795_356_450.0


def deploy(seconds: float, version: str = "v42", kind: str = "deploy") -> Marker:
    return Marker(ts=AT + seconds, kind=kind, label=version, version=version)


def test_a_change_within_the_bounds_is_the_onset() -> None:
    change = deploy(-35)
    assert snapped([change], AT - 40, AT, AT + 20) == (AT - 35, change)


def test_of_several_changes_the_nearest_counts() -> None:
    far, near = deploy(-35, "v41"), deploy(10)
    assert snapped([far, near], AT - 40, AT, AT + 20) == (AT + 10, near)
    assert snapped([near, far], AT - 40, AT, AT + 20) == (AT + 10, near), "in whatever order they came"


def test_a_change_outside_the_bounds_leaves_the_estimate() -> None:
    assert snapped([deploy(-41), deploy(21)], AT - 40, AT, AT + 20) == (AT, None)


def test_a_marker_that_changes_nothing_is_no_cause() -> None:
    assert snapped([deploy(0, kind="note")], AT - 40, AT, AT + 20) == (AT, None)


def test_unknown_bounds_leave_the_estimate() -> None:
    nan = float("nan")
    assert snapped([deploy(0)], nan, AT, nan) == (AT, None)


KEYS = [(), None, (("intent", "billing"), ("version", "v42")), (("version", "v41"),), (("version", "v42"),)]
TURNS = np.array([0, 0, 50, 150, 100])


def test_a_version_that_became_worse_than_the_others_is_guilty() -> None:
    assert version_z(KEYS, np.array([0, 0, 9, 1, 3]), TURNS, "v42") > GUILTY_Z


def test_what_hits_all_versions_alike_acquits_each() -> None:
    for version in ("v41", "v42"):
        assert abs(version_z(KEYS, np.array([0, 0, 10, 31, 19]), TURNS, version)) < GUILTY_Z


def test_without_another_version_there_is_nothing_to_compare() -> None:
    alone = [(("version", "v42"),)]
    assert math.isnan(version_z(alone, np.array([5]), np.array([50]), "v42"))
    assert math.isnan(version_z(KEYS, np.array([0, 0, 9, 1, 3]), TURNS, "v43"))
    assert math.isnan(version_z(KEYS, np.array([0, 0, 9, 1, 3]), TURNS, ""))
