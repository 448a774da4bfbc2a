"""Who is it: the conjunction of segment values that explains an excess, or everybody.

A scan in the manner of Kulldorff's (1997): over conjunctions of up to three values, the Poisson log-likelihood ratio
of what was observed inside against what was expected there, with everything outside as the control. What is expected
of a cell is its own past rate, so that a language that is always slower isn't blamed for being itself. It is called
local only where the ratio is convincing and the conjunction explains at least half of the excess.
"""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from voicetop.engine.cells import Cells
from voicetop.engine.snapshot import NAN, Where

Vector = NDArray[np.float64]
CONVINCING = 10.0
EXPLAINS = 0.5
VALUES_TRIED = 6
MOST = 3
BEAM = 10
PRIOR = 20.0
"""Turns of the fleet's own rate that a cell's past is mixed with, so that a small cell isn't judged by two turns."""


class Blame(Struct, frozen=True):
    """A conjunction and its share of the excess; `where` is empty where it is everybody's."""

    where: Where = ()
    explains: float = NAN


def expected(n_now: Vector, hits_before: Vector, n_before: Vector) -> Vector:
    """What each cell's own past lets expect of `n_now` trials.

    A past below nothing is none: the last seconds are in the short window before they are in the long one.
    """
    hits_before, n_before = np.maximum(hits_before, 0), np.maximum(n_before, 0)
    total = n_before.sum()
    rate = hits_before.sum() / total if total else 0.0
    return n_now * (hits_before + PRIOR * rate) / (n_before + PRIOR)


def find(cells: Cells, observed: Vector, expect: Vector, convincing: float = CONVINCING) -> Blame:
    """The conjunction to blame for `observed` being more than `expect`, cell by cell.

    `convincing` is the least log-likelihood ratio: higher where nothing else says that something is wrong.
    """
    excess = observed.sum() - expect.sum()
    if observed.sum() < 5 or excess <= 0:
        return Blame()
    busy = np.flatnonzero((observed > 0) | (expect > 0))
    keys = [dict(cells.keys[cell] or ()) for cell in busy.tolist()]
    o, e = observed[busy], np.maximum(expect[busy], 1e-6)
    masks = _masks(keys, o, e)
    best: tuple[float, Where, NDArray[np.bool_] | None] = (convincing, (), None)
    beam: list[tuple[float, Where, NDArray[np.bool_]]] = [(0.0, (), np.ones(len(keys), bool))]
    for size in range(1, MOST + 1):
        beam = _wider(beam, masks, o, e)
        if beam and beam[0][0] > best[0] * (1.02 if size > 1 else 1.0):
            best = beam[0]
    _, where, mask = best
    if mask is None:
        return Blame()
    explains = float((o[mask].sum() - e[mask].sum()) / excess)
    if explains < EXPLAINS or float(e[mask].sum()) > 0.8 * float(e.sum()):
        return Blame()
    return Blame(where, min(1.0, explains))


def _wider(
    beam: list[tuple[float, Where, NDArray[np.bool_]]],
    masks: dict[tuple[str, str], NDArray[np.bool_]],
    o: Vector,
    e: Vector,
) -> list[tuple[float, Where, NDArray[np.bool_]]]:
    """Each conjunction of the beam with one value more, the most convincing first."""
    found: dict[Where, tuple[float, Where, NDArray[np.bool_]]] = {}
    for _, where, inside in beam:
        taken = {name for name, _ in where}
        for part, mask in masks.items():
            longer = tuple(sorted((*where, part)))
            if part[0] not in taken and longer not in found:
                both = inside & mask
                found[longer] = (_ratio(o, e, both), longer, both)
    return sorted(found.values(), key=lambda one: (-one[0], one[1]))[:BEAM]


def _masks(keys: list[dict[str, str]], o: Vector, e: Vector) -> dict[tuple[str, str], NDArray[np.bool_]]:
    """The values of each dimension with most excess, as masks over the cells."""
    found: dict[tuple[str, str], NDArray[np.bool_]] = {}
    for name in sorted({name for key in keys for name in key}):
        values = sorted({key[name] for key in keys if name in key})
        masks = {value: np.array([key.get(name) == value for key in keys]) for value in values}
        worst = sorted(values, key=lambda value: (-(o[masks[value]].sum() - e[masks[value]].sum()), value))
        for value in worst[:VALUES_TRIED]:
            if o[masks[value]].sum() > e[masks[value]].sum():
                found[name, value] = masks[value]
    return found


def _ratio(o: Vector, e: Vector, mask: NDArray[np.bool_]) -> float:
    """How much better two rates, inside and outside, tell what was seen than one; 0 where inside is no worse."""
    inside, outside = float(o[mask].sum()), float(o.sum() - o[mask].sum())
    e_in, e_out = float(e[mask].sum()), float(e.sum() - e[mask].sum())
    if e_in <= 0 or e_out <= 0 or inside / e_in <= (inside + outside) / (e_in + e_out):
        return 0.0
    whole = inside + outside
    return _term(inside, e_in) + _term(outside, e_out) - _term(whole, e_in + e_out)


def _term(hits: float, expect: float) -> float:
    return hits * math.log(hits / expect) if hits > 0 else 0.0


def in_words(blame: Blame) -> str:
    """As " · billing × es × v42 explain 91 %"; empty where it is everybody's."""
    if not blame.where:
        return ""
    values = " × ".join(value for _, value in blame.where)
    return f" · {values} explain{'s' if len(blame.where) == 1 else ''} {100 * blame.explains:.0f} %"
