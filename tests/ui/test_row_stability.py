from __future__ import annotations

from ui import synthetic
from voicetop.engine.snapshot import CallRow
from voicetop.ui.row_stability import HOLD_S, RowStability

ROWS = dict(zip("abcdef", synthetic.fleet(6), strict=True))
NAMES = {row.call_id: name for name, row in ROWS.items()}


def rows(names: str) -> list[CallRow]:
    return [ROWS[name] for name in names]


def stand(standing: RowStability, names: str, at: float, asked: str = "eyes") -> str:
    return "".join(NAMES[row.call_id] for row in standing.arrange(rows(names), asked, at))


def test_rows_keep_their_places_for_a_second_then_stand_in_order() -> None:
    standing = RowStability()
    assert stand(standing, "abcd", 100.0) == "abcd"
    assert stand(standing, "dcba", 100.25) == "abcd"
    assert stand(standing, "dcba", 100.0 + HOLD_S) == "dcba"
    assert stand(standing, "abcd", 100.25 + HOLD_S) == "dcba"


def test_who_comes_takes_the_place_of_who_left() -> None:
    standing = RowStability()
    stand(standing, "abc", 100.0)
    assert stand(standing, "cda", 100.25) == "adc"
    assert stand(standing, "efa", 100.5) == "aef"
    assert stand(standing, "a", 100.75) == "a"


def test_another_wish_or_a_step_back_in_time_is_obeyed_at_once() -> None:
    standing = RowStability()
    stand(standing, "abc", 100.0)
    assert stand(standing, "cba", 100.25, asked="age") == "cba"
    assert stand(standing, "abc", 90.0, asked="age") == "abc"
