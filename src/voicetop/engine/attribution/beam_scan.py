"""Which conjunction explains an excess: a beam search, with everything outside as the control.

The best `BEAM` conjunctions are widened by one value at a time, among the values of each dimension with most excess.
Inside and outside are compared with each other and not with what was expected in all, so that an expectation that is
off for the whole fleet names nobody.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.attribution.conjunctions import MOST_VALUES
from voicetop.engine.attribution.likelihood import (
    CONVINCING,
    EXPLAINS,
    MOST_EXPECTED,
    Attribution,
    excess_inside,
)
from voicetop.engine.snapshot import Where
from voicetop.engine.windows.cells import SegmentColumns

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]
VALUES_TRIED = 6
BEAM = 10
LEAST_HITS = 5


def scan(
    columns: SegmentColumns, observed: Vector, expect: Vector, convincing: float = CONVINCING
) -> Attribution:
    """The conjunction to blame for `observed` being more than `expect`, cell by cell.

    `convincing` is the least log-likelihood ratio: higher where nothing else says that something is wrong.
    """
    more = observed.sum() - expect.sum()
    if observed.sum() < LEAST_HITS or more <= 0:
        return Attribution()
    busy = np.flatnonzero((observed > 0) | (expect > 0))
    o, e = observed[busy], np.maximum(expect[busy], 1e-6)
    masks = _masks(columns, busy, o, e)
    best: tuple[float, Where, Mask | None] = (convincing, (), None)
    beam: list[tuple[float, Where, Mask]] = [(0.0, (), np.ones(len(busy), bool))]
    for size in range(1, MOST_VALUES + 1):
        beam = _wider(beam, masks, o, e)
        if beam and beam[0][0] > best[0] * (1.02 if size > 1 else 1.0):
            best = beam[0]
    ratio, where, mask = best
    if mask is None:
        return Attribution()
    explains = float((o[mask].sum() - e[mask].sum()) / more)
    if explains < EXPLAINS or float(e[mask].sum()) > MOST_EXPECTED * float(e.sum()):
        return Attribution()
    return Attribution(where, min(1.0, explains), ratio)


def _wider(
    beam: list[tuple[float, Where, Mask]], masks: dict[tuple[str, str], Mask], o: Vector, e: Vector
) -> list[tuple[float, Where, Mask]]:
    """Each conjunction of the beam with one value more, the most convincing first."""
    found: dict[Where, tuple[float, Where, Mask, Mask]] = {}
    whole = float(o.sum()), float(e.sum())
    for _, where, inside in beam:
        taken = {name for name, _ in where}
        longer = {tuple(sorted((*where, part))): part for part in masks if part[0] not in taken}
        fresh = [(key, masks[part]) for key, part in longer.items() if key not in found]
        if not fresh:
            continue
        held = np.flatnonzero(inside)
        table = np.stack([mask for _, mask in fresh])[:, held]
        sums = [np.where(table, values[held], 0.0).sum(axis=1).tolist() for values in (o, e)]
        for (key, mask), hits, hoped in zip(fresh, *sums, strict=True):
            found[key] = (excess_inside(hits, hoped, *whole), key, inside, mask)
    most = sorted(found.values(), key=lambda one: (-one[0], one[1]))[:BEAM]
    return [(ratio, key, inside & mask) for ratio, key, inside, mask in most]


def _masks(
    columns: SegmentColumns, busy: NDArray[np.intp], o: Vector, e: Vector
) -> dict[tuple[str, str], Mask]:
    """The values of each dimension with most excess, as masks over the busy cells."""
    found: dict[tuple[str, str], Mask] = {}
    for name, values, codes in columns:
        of = codes[busy]
        hits, hoped = (np.bincount(of, each, len(values)) for each in (o, e))
        more = (hits - hoped).tolist()
        worst = sorted(
            (-more[code], values[code]) for code in np.unique(of).tolist() if values[code] is not None
        )
        for excess, value in worst[:VALUES_TRIED]:
            if excess < 0:
                found[name, value] = of == values.index(value)
    return found
