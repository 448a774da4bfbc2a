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

from voicetop.engine.normals import handling_s, share_of_call
from voicetop.engine.snapshot import NAN, Where
from voicetop.engine.windows.cells import SegmentColumns
from voicetop.engine.windows.ledger import Ledger

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]
CONVINCING = 10.0
EXPLAINS = 0.5
VALUES_TRIED = 6
MOST = 3
BEAM = 10
PRIOR = 20.0
"""Turns of the fleet's own rate that a cell's past is mixed with, so that a small cell isn't judged by two turns."""


class Attribution(Struct, frozen=True):
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


def find(
    columns: SegmentColumns, observed: Vector, expect: Vector, convincing: float = CONVINCING
) -> Attribution:
    """The conjunction to blame for `observed` being more than `expect`, cell by cell.

    `convincing` is the least log-likelihood ratio: higher where nothing else says that something is wrong.
    """
    excess = observed.sum() - expect.sum()
    if observed.sum() < 5 or excess <= 0:
        return Attribution()
    busy = np.flatnonzero((observed > 0) | (expect > 0))
    o, e = observed[busy], np.maximum(expect[busy], 1e-6)
    masks = _masks(columns, busy, o, e)
    best: tuple[float, Where, Mask | None] = (convincing, (), None)
    beam: list[tuple[float, Where, Mask]] = [(0.0, (), np.ones(len(busy), bool))]
    for size in range(1, MOST + 1):
        beam = _wider(beam, masks, o, e)
        if beam and beam[0][0] > best[0] * (1.02 if size > 1 else 1.0):
            best = beam[0]
    _, where, mask = best
    if mask is None:
        return Attribution()
    explains = float((o[mask].sum() - e[mask].sum()) / excess)
    if explains < EXPLAINS or float(e[mask].sum()) > 0.8 * float(e.sum()):
        return Attribution()
    return Attribution(where, min(1.0, explains))


def of_errors(ledger: Ledger, convincing: float = CONVINCING) -> Attribution:
    """Calls with an error in the last 5 minutes, against how many of them each cell has always had."""
    used, counts, sums = len(ledger.cells), ledger.counts, ledger.counts.sums("30m", None)
    hits, ended = (counts.by_cell("5m", kind)[:used].astype(float) for kind in ("error", "ended"))
    before, of = (counts.by_cell("24h", kind)[:used].astype(float) for kind in ("error", "ended"))
    active = np.array(ledger.cells.live, float) + ended
    expect = expected(active * share_of_call("5m", handling_s(sums)), before - hits, of - ended)
    return find(ledger.columns.follow(ledger.cells), hits, expect, convincing)


def of_slow_turns(ledger: Ledger, bucket: int, convincing: float = CONVINCING) -> Attribution:
    """Turns from `bucket` on in the last 5 minutes, against how many of them each cell has always had."""
    slow, n = ledger.windows.slow_by_cell("5m", bucket, len(ledger.cells))
    slow_day, n_day = ledger.windows.slow_by_cell("24h", bucket, len(ledger.cells))
    expect = expected(n, slow_day - slow, n_day - n)
    return find(ledger.columns.follow(ledger.cells), slow, expect, convincing)


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
            found[key] = (_ratio(hits, hoped, *whole), key, inside, mask)
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


def _ratio(inside: float, e_in: float, whole: float, e_whole: float) -> float:
    """How much better two rates, inside and outside, tell what was seen than one; 0 where inside is no worse."""
    outside, e_out = whole - inside, e_whole - e_in
    if e_in <= 0 or e_out <= 0 or inside / e_in <= whole / e_whole:
        return 0.0
    return _term(inside, e_in) + _term(outside, e_out) - _term(whole, e_whole)


def _term(hits: float, expect: float) -> float:
    return hits * math.log(hits / expect) if hits > 0 else 0.0
