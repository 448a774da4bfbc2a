"""Ten-second totals: everything is in them once, for twenty minutes."""

from __future__ import annotations

import numpy as np

from voicetop.alerts.changes.recent_totals import SLOTS, Slot, TenSeconds, add, slots_of


def marks(count: int) -> list[TenSeconds]:
    recent: list[TenSeconds] = []
    for number in range(1, count + 1):
        part = np.array([0, 3]), np.array([1, number % 2])
        add(recent, {"turns": part}, number * 5.0)
    return recent


def test_two_marks_make_a_slot_of_all_rows() -> None:
    assert slots_of(marks(4), "fault", "turns") == [Slot(0, 10, 0, 3), Slot(10, 20, 0, 3)]


def test_what_is_old_is_dropped() -> None:
    recent = marks(2 * SLOTS + 2)
    assert len(recent) == SLOTS
    assert recent[0].start == 10
