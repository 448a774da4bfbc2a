"""Which segment the stuck callers have in common: as soon as chance doesn't explain it, and nobody before."""

from __future__ import annotations

import random
from collections.abc import Iterable

import numpy as np

from voicetop.engine.attribution import stuck_scan
from voicetop.engine.attribution.likelihood import Attribution
from voicetop.engine.config import EngineConfig
from voicetop.engine.snapshot import Where
from voicetop.engine.windows.cells import Cells, SegmentColumns
from voicetop.simulator.population import Population

ES: Where = (("language", "es"),)


class Fleet:
    """Live calls by their segments, of which some have a stuck caller."""

    def __init__(self, calls: Iterable[dict[str, str]]) -> None:
        self.cells = Cells.empty(EngineConfig())
        self.calls = [self.cells.find(segments, lambda: ()) for segments in calls]
        self.columns = SegmentColumns().update(self.cells)

    def of(self, **wanted: str) -> list[int]:
        """The numbers of the calls that match."""
        parts = set(wanted.items())
        return [number for number, cell in enumerate(self.calls) if parts <= set(self.cells.keys[cell] or ())]

    def blame(self, stuck: Iterable[int], before: Where = (), *suspects: Where) -> Attribution:
        hits, live = self._count(self.calls[number] for number in stuck), self._count(self.calls)
        return stuck_scan.scan(self.columns, hits, live, before, frozenset(suspects))

    def _count(self, cells: Iterable[int]) -> np.ndarray:
        return np.bincount(np.array(list(cells), np.intp), minlength=len(self.cells))


def simulated(seed: int, calls: int = 150) -> Fleet:
    """Live calls of the simulator's population."""
    rnd, population = random.Random(seed), Population()
    return Fleet(population.draw(rnd.random()).segments for _ in range(calls))


def mixed(calls: int = 150) -> Fleet:
    """A fifth of the calls in es; every value of the other dimensions is as frequent in all languages."""
    intents, channels = ("billing", "orders", "account"), ("pstn", "mobile")
    return Fleet(
        {
            "language": "es" if n % 5 == 0 else "en",
            "intent": intents[n // 5 % 3],
            "channel": channels[n // 15 % 2],
        }
        for n in range(calls)
    )


def test_five_callers_in_a_language_that_every_fifth_speaks_are_no_chance() -> None:
    fleet = mixed()
    found = fleet.blame(fleet.of(language="es")[:5])
    assert (found.where, found.explains) == (ES, 1.0)


def test_two_callers_name_nobody_though_they_share_everything() -> None:
    fleet = mixed()
    assert fleet.blame(fleet.of(language="es", intent="billing")[:2]) == Attribution()


def test_three_callers_are_enough_in_a_segment_that_something_else_names() -> None:
    fleet = mixed()
    speakers = fleet.of(language="es")
    assert fleet.blame(speakers[:3]).where == ()
    assert fleet.blame(speakers[:3], (), ES).where == ES
    assert fleet.blame(speakers[:2], (), ES).where == (), "two are no evidence"
    assert fleet.blame(fleet.of(language="en")[::31], (), ES).where == ()


def test_nobody_stuck_is_nobodys_fault() -> None:
    assert mixed().blame([]) == Attribution()


def test_one_caller_of_another_language_among_many_does_not_contradict() -> None:
    fleet = mixed()
    found = fleet.blame([*fleet.of(language="es")[:9], fleet.of(language="en")[0]])
    assert (found.where, found.explains) == (ES, 0.9)


def test_a_third_of_the_callers_outside_contradict() -> None:
    fleet = mixed()
    assert fleet.blame([*fleet.of(language="es")[:10], *fleet.of(language="en")[:5]]).where == ()


def test_two_values_together_are_named_when_they_are_clearer_than_one() -> None:
    fleet = mixed(300)
    found = fleet.blame(fleet.of(language="es", intent="billing")[:12])
    assert found.where == (("intent", "billing"), ("language", "es"))


def test_what_nearly_everybody_is_explains_nothing() -> None:
    fleet = Fleet({"tier": "gold" if n % 10 else "free"} for n in range(200))
    assert fleet.blame(fleet.of(tier="gold")).where == ()


def test_a_fleet_wide_outage_blames_a_segment_once_in_a_hundred() -> None:
    """The stuck callers of an outage are a random part of all calls, and more of them at every look."""
    blamed = 0
    for seed in range(200):
        fleet, rnd, before = simulated(seed), random.Random(seed), Where()
        order = rnd.sample(range(150), 150)
        for stuck in range(2, 110, 6):
            before = fleet.blame(order[:stuck], before).where
            if before:
                blamed += 1
                break
    assert blamed <= 4, "1 % of 200 outages are 2"


def test_an_outage_of_one_language_is_clear_at_its_seventh_caller_and_stays_so() -> None:
    first, changes = [], 0
    for seed in range(100):
        fleet, found = simulated(seed), Where()
        speakers = random.Random(seed).sample(fleet.of(language="es"), 24)
        for stuck in range(2, 25):
            before, found = found, fleet.blame(speakers[:stuck], found).where
            first += [stuck] if found == ES and not before else []
            changes += bool(before) and found != before
        assert found == ES
    assert len(first) >= 95
    assert sorted(first)[50] <= 7
    assert changes <= 15


def test_what_was_found_stays_while_the_last_callers_get_their_replies() -> None:
    fleet = mixed()
    speakers = fleet.of(language="es")
    assert fleet.blame(speakers[:3]).where == ()
    assert fleet.blame(speakers[:3], ES).where == ES
    assert fleet.blame([*speakers[:2], *fleet.of(language="en")[:2]], ES).where == ()
