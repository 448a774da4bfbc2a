"""Stuck callers who have a segment in common: their incident names it once it is clear, and stays one incident."""

from __future__ import annotations

from engine.feeding import Line
from voicetop.alerts.signals import Effect
from voicetop.engine.snapshot import IncidentRow, Where

ES: Where = (("language", "es"),)


class Fleet(Line):
    """A hundred live calls, every fifth in Spanish; `told` are the effects of its incidents."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Effect] = []
        self.session.on_effect.append(self.told.append)
        for number in range(100):
            self.begin(
                f"c{number}", language="en" if number % 5 else "es", tier="gold" if number % 3 else "free"
            )

    def stick(self, numbers: range) -> None:
        """These callers begin to wait, and all who do are stuck after it."""
        for number in numbers:
            self.wait(f"c{number}")
        self.pass_(15.0)

    def answer(self, numbers: range) -> None:
        for number in numbers:
            self.turn(f"c{number}", 20_000.0, turn=0)
        self.pass_(5.0)

    @property
    def stuck(self) -> list[IncidentRow]:
        return [row for row in self.see().alerts.incidents if row.family == "waiting"]


def test_callers_who_all_speak_one_language_are_its_incident_as_soon_as_that_is_clear() -> None:
    fleet = Fleet()
    fleet.stick(range(0, 15, 5))
    assert [row.where for row in fleet.stuck] == [()], "three callers are too few to name a segment"
    fleet.stick(range(15, 40, 5))
    (row,) = fleet.stuck
    assert (row.where, row.explains) == (ES, 1.0)
    assert "es explains 100 %" in row.blame


def test_it_stays_one_incident_under_one_key_while_the_segment_becomes_clear_and_callers_get_replies() -> (
    None
):
    fleet = Fleet()
    fleet.stick(range(0, 15, 5))
    fleet.stick(range(15, 60, 5))
    fleet.answer(range(0, 45, 5))
    assert [row.where for row in fleet.stuck] == [ES], "three callers are left"
    fleet.answer(range(45, 60, 5))
    fleet.pass_(10.0)
    fleet.stick(range(60, 70, 5))
    fleet.answer(range(60, 70, 5))
    fleet.pass_(130.0)
    assert [row.state for row in fleet.stuck] == ["resolved"]
    told = [effect for effect in fleet.told if effect.family == "waiting"]
    assert [effect.reason for effect in told if effect.reason != "worse"] == ["fired", "resolved"]
    assert len({(effect.key, effect.incident_id) for effect in told}) == 1
    assert told[-1].where == ES


def test_callers_of_all_segments_are_nobodys_incident() -> None:
    fleet = Fleet()
    fleet.stick(range(0, 100, 7))
    fleet.stick(range(3, 100, 7))
    assert [row.where for row in fleet.stuck] == [()]
