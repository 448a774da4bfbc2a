"""Whose it is: a segment only where it is sure, everybody where it isn't."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from voicetop.engine.attribution.conjunctions import MOST, Conjunctions
from voicetop.engine.attribution.exhaustive_scan import scan
from voicetop.engine.windows.cells import Key

KEYS: list[Key] = [
    (("intent", a), ("language", b), ("tier", c))
    for a, b, c in itertools.product(("billing", "orders", "sales"), ("en", "es"), ("mid", "smb"))
]


def segments() -> Conjunctions:
    made = Conjunctions()
    made.grow(KEYS)
    return made


def hit(**where: str) -> np.ndarray:
    return np.array([set(where.items()) <= set(key) for key in KEYS])


@pytest.mark.parametrize("where", [{"intent": "billing"}, {"intent": "billing", "language": "es"},
                                   {"intent": "sales", "language": "en", "tier": "smb"}])  # fmt: skip
def test_the_conjunction_is_named_exactly(where: dict[str, str]) -> None:
    expected = np.full(len(KEYS), 5.0)
    verdict = scan(expected + 60 * hit(**where), expected, segments())
    assert verdict.where == tuple(sorted(where.items()))
    assert verdict.likely > 0.9
    assert verdict.explains > 0.8


def test_what_hits_everybody_is_everybodys() -> None:
    expected = np.full(len(KEYS), 2.0)
    verdict = scan(expected * 6, expected, segments())
    assert verdict.fleet_wide > 0.9
    assert verdict.where == ()


def test_two_segments_that_fail_together_are_not_one() -> None:
    expected = np.full(len(KEYS), 2.0)
    verdict = scan(expected + 20 * hit(intent="billing") + 18 * hit(intent="orders"), expected, segments())
    assert verdict.where == ()


def test_few_hits_in_one_corner_name_no_culprit() -> None:
    observed = np.zeros(len(KEYS))
    observed[0] = 3
    verdict = scan(observed, np.full(len(KEYS), 0.2), segments())
    assert not (verdict.where and verdict.likely > 0.9)


def test_rare_combinations_cannot_grow_without_bound() -> None:
    made = Conjunctions()
    made.grow([(("a", str(n)), ("b", str(n)), ("c", str(n))) for n in range(MOST)])
    assert len(made) <= MOST
