"""Whose it is: everybody's, or that of one conjunction of segment values.

A Poisson scan (Kulldorff, 1997) over every conjunction: what came inside against what was expected there, with the rate
outside as it always was. Each hypothesis is weighed over the sizes that a change may have; conjunctions share one half
of the prior and everybody has the other, so that few hits in one corner don't name a culprit.
"""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct

from voicetop.alerts.changes.array_codec import Floats
from voicetop.alerts.changes.conjunctions import Conjunctions
from voicetop.engine.snapshot import NAN, Where

RATIOS = np.array([1.25, 1.5, 2.0, 3.0, 4.5, 7.0, 10.0, 16.0, 25.0, 40.0, 70.0, 120.0, 250.0])
CONVINCING = 10.0
EXPLAINS = 0.5
OUTSIDE = 3.0
"""The log-likelihood ratio of an excess outside, from which on it isn't local."""


class ScanResult(Struct, frozen=True):
    """`everybody` and `best` are probabilities; `where` is the likeliest conjunction, local only if `local`."""

    everybody: float = 1.0
    best: float = 0.0
    where: Where = ()
    explains: float = NAN
    local: bool = False


def scan(hits: Floats, expected: Floats, segments: Conjunctions) -> ScanResult:
    """`hits` came in each row, and `expected` were to come."""
    total, hoped = float(hits.sum()), float(expected.sum())
    if total < 3 or total <= hoped:
        return ScanResult()
    o, e = segments.weighed(hits), np.maximum(segments.weighed(expected), 1e-9)
    weighed = _weighed(o, e)
    weighed[0] = -math.inf
    weighed[(o < 3) | (e > 0.8 * hoped)] = -math.inf
    sizes = np.bincount(segments.sizes)
    prior = np.log(0.5 / (len(sizes) - 1) / np.maximum(1, sizes[segments.sizes]))
    everybody = float(_weighed(np.array([total]), np.array([hoped]))[0]) + math.log(0.5)
    scores = weighed + prior
    top = max(everybody, float(scores.max()))
    shares = np.exp(scores - top)
    whole = float(shares.sum()) + math.exp(everybody - top)
    best = int(scores.argmax())
    inside, there = float(o[best]), float(e[best])
    explains = (inside - there) / max(total - hoped, 1e-9)
    ratio = inside * math.log(inside / there) - (inside - there) if inside > there else 0.0
    local = ratio > CONVINCING and explains >= EXPLAINS and excess(total - inside, hoped - there) < OUTSIDE
    return ScanResult(
        math.exp(everybody - top) / whole,
        float(shares[best]) / whole,
        segments.where[best],
        min(1.0, explains),
        local,
    )


def _weighed(o: Floats, e: Floats) -> Floats:
    """The log of the mean likelihood ratio over `RATIOS`."""
    each = o[:, None] * np.log(RATIOS) - e[:, None] * (RATIOS - 1)
    top = each.max(axis=1)
    found: Floats = top + np.log(np.exp(each - top[:, None]).mean(axis=1))
    return found


def excess(hits: float, expected: float) -> float:
    """The log-likelihood ratio of as many hits as came against what was expected, in nats; 0 of too few."""
    if hits <= expected or hits <= 0:
        return 0.0
    return hits * math.log(hits / max(expected, 1e-9)) - (hits - expected)
