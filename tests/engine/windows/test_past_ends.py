"""What a window that ended earlier counted, end by end."""

from __future__ import annotations

import numpy as np

from voicetop.engine.windows.past_ends import PastEnds
from voicetop.engine.windows.slots import Edges

AT = 1_760_000_400.0
"""The start of a quarter of an hour."""


def past(at: float = AT + 600) -> PastEnds:
    made = PastEnds()
    made.advance(at)
    return made


def test_a_wait_counts_at_each_end_that_it_lasts_across() -> None:
    ends = past()
    ends.add_wait(3, AT + 50, AT + 180)
    ends.add_wait(3, AT + 70, AT + 110)
    assert [int(ends.waits(AT + 60 * n, None).sum()) for n in range(5)] == [0, 1, 1, 1, 0]
    assert not ends.waits(AT + 60, np.array([2])).any()
    assert ends.waits(AT + 60, np.array([2, 3])).sum() == 1


def test_an_error_counts_in_windows_that_hold_it_and_end_before_the_next_one() -> None:
    ends = past()
    ends.add_error(1, AT + 130, AT + 500)
    assert [ends.errors(AT + 120, AT + 60 * n, None) for n in range(2, 10)] == [0, 1, 1, 1, 1, 1, 1, 0]
    assert [ends.errors(AT + 60 * n, AT + 300, None) for n in range(5)] == [1, 1, 1, 0, 0]


def test_an_error_that_arrives_late_takes_the_place_of_earlier_ones_only() -> None:
    ends = past()
    notes = ends.add_error(1, AT + 10, AT + 500)
    for ts in (AT + 250, AT + 130, AT + 255):
        notes, more = ends.add_late_error(1, ts, AT + 500, notes)
        notes += more
    assert [ends.errors(AT + 60 * n, AT + 60 * n + 60, None) for n in range(8)] == [1, 0, 1, 0, 1, 0, 0, 0]
    assert ends.errors(AT, AT + 480, None) == 1
    ends.move(notes, 1, 5)
    assert ends.errors(AT, AT + 480, np.array([1])) == 0


def test_entries_move_to_another_cell() -> None:
    ends = past()
    notes = ends.add_wait(1, AT + 50, AT + 130) + ends.add_error(1, AT + 10, AT + 70)
    ends.advance(AT + 700)
    ends.move(notes, 1, 5)
    assert not ends.waits(AT + 60, np.array([1])).any()
    assert ends.waits(AT + 60, np.array([5])).sum() == 1
    assert ends.errors(AT, AT + 60, np.array([5])) == 1


def test_minutes_are_kept_for_two_hours_and_quarters_for_a_day() -> None:
    ends = past(AT + 1_800)
    ends.add_wait(0, AT + 10, AT + 1_000)
    assert len(ends.slots) == 16
    ends.advance(AT + 10_000)
    assert list(ends.slots) == [(AT + 900) // 60]
    ends.add_wait(0, AT + 10, AT + 1_000)
    assert list(ends.slots) == [(AT + 900) // 60]
    ends.advance(AT + 90_000)
    assert ends.slots == {}


def test_a_wait_of_ages_takes_no_more_ends_than_are_kept() -> None:
    ends, young = past(), PastEnds()
    for made in (ends, young):
        made.add_wait(0, 1.0, AT + 600)
    assert 96 < len(ends.slots) < 96 + 130
    assert len(young.slots) == 1_440


def test_the_state_does_not_depend_on_when_an_end_was_compressed() -> None:
    one, other = past(), past()
    for ends, between in ((one, AT + 600), (other, AT + 700)):
        ends.add_wait(1, AT + 50, AT + 70)
        ends.advance(between)
        ends.add_wait(2, AT + 40, AT + 70)
        ends.advance(AT + 800)
    assert one.dump() == other.dump()
    loaded = PastEnds.load(one.dump(), Edges.moved(AT + 800))
    assert loaded.dump() == one.dump()
    assert (loaded.waits(AT + 60, None) == one.waits(AT + 60, None)).all()
