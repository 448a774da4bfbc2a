"""One window for what changed near a moment."""

from __future__ import annotations

from voicetop.engine.attribution.markers import NEAR_S, changes_near, last_before, name
from voicetop.wire.events import Marker

AT = 1_760_000_000.0


def marker(ago: float, kind: str = "deploy", version: str = "v42") -> Marker:
    return Marker(ts=AT - ago, kind=kind, label="new prompt", version=version)


def test_the_last_marker_before_is_named_whatever_its_kind() -> None:
    older, newer, later = marker(600), marker(60, kind="holiday", version=""), marker(-10)
    found = last_before([older, newer, later], AT)
    assert found == newer
    assert name(newer) == "holiday new prompt"
    assert name(older) == "deploy v42"


def test_what_is_further_than_the_window_has_nothing_to_do_with_it() -> None:
    assert last_before([marker(NEAR_S + 1)], AT) is None
    assert last_before([marker(NEAR_S)], AT) is not None
    assert changes_near([marker(NEAR_S + 1), marker(-NEAR_S - 1)], AT) == []


def test_changes_of_the_agent_count_on_both_sides_the_nearest_first() -> None:
    before, after, other = marker(100), marker(-50), marker(1, kind="holiday")
    assert changes_near([before, after, other], AT) == [after, before]
