"""The beam search: which conjunction explains an excess, with everything outside as the control."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from voicetop.engine.attribution import beam_scan, exhaustive_scan
from voicetop.engine.attribution.conjunctions import Conjunctions
from voicetop.engine.attribution.likelihood import CONVINCING, Attribution
from voicetop.engine.windows.cells import Cells, Key, SegmentColumns

KEYS: list[Key] = [
    (("intent", a), ("language", b))
    for a, b in itertools.product(("billing", "orders", "sales"), ("en", "es", "de"))
]


CELLS = Cells(64, 8, 8, keys=list(KEYS), ids={}, values={}, live=[])
"""These combinations, in this order."""


def scan(observed: np.ndarray, expected: np.ndarray, convincing: float = CONVINCING) -> Attribution:
    return beam_scan.scan(SegmentColumns().update(CELLS), observed, expected, convincing)


def hit(**where: str) -> np.ndarray:
    return np.array([set(where.items()) <= set(key) for key in KEYS])


@pytest.mark.parametrize("where", [{"intent": "billing"}, {"intent": "billing", "language": "es"}])
def test_it_names_what_the_exhaustive_scan_names(where: dict[str, str]) -> None:
    expected = np.full(len(KEYS), 5.0)
    observed = expected + 60 * hit(**where)
    conjunctions = Conjunctions()
    conjunctions.grow(KEYS)
    found, weighed = scan(observed, expected), exhaustive_scan.scan(observed, expected, conjunctions)
    assert found.where == weighed.where == tuple(sorted(where.items()))
    assert found.explains == pytest.approx(weighed.explains)
    assert min(found.ratio, weighed.ratio) > CONVINCING
    assert np.isnan(found.fleet_wide), "the beam sees a part of the alternatives"


def test_an_expectation_that_is_off_for_everybody_names_nobody() -> None:
    expected = np.full(len(KEYS), 5.0)
    assert scan(expected * 4, expected) == Attribution()
    assert scan(expected + hit(intent="billing"), expected) == Attribution(), "too little to convince"
