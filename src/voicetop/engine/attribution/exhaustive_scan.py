"""Which conjunction explains a change, or whether it is everybody's: all hypotheses weighed against each other.

A Poisson scan (Kulldorff, 1997) over every conjunction: what came inside against what was expected there, with the rate
outside as it always was. Each hypothesis is weighed over the sizes that a change may have; conjunctions share one half
of the prior and everybody has the other, so that few hits in one corner don't name a culprit.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.attribution.conjunctions import Conjunctions
from voicetop.engine.attribution.likelihood import (
    CONVINCING,
    EXPLAINS,
    FLEET,
    MOST_EXPECTED,
    Attribution,
    excess,
)
from voicetop.engine.snapshot import NAN

Floats = NDArray[np.float64]

RATIOS = np.array([1.25, 1.5, 2.0, 3.0, 4.5, 7.0, 10.0, 16.0, 25.0, 40.0, 70.0, 120.0, 250.0])
LEAST_HITS = 3
OUTSIDE = 3.0
"""The log-likelihood ratio of an excess outside, from which on it isn't local."""


def scan(hits: Floats, expected: Floats, segments: Conjunctions) -> Attribution:
    """`hits` came in each row, and `expected` were to come."""
    total, hoped = float(hits.sum()), float(expected.sum())
    if total < LEAST_HITS or total <= hoped:
        return FLEET
    o, e = segments.weighed(hits), np.maximum(segments.weighed(expected), 1e-9)
    weighed = _weighed(o, e)
    weighed[0] = -math.inf
    weighed[(o < LEAST_HITS) | (e > MOST_EXPECTED * hoped)] = -math.inf
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
    ratio = excess(inside, there)
    local = ratio > CONVINCING and explains >= EXPLAINS and excess(total - inside, hoped - there) < OUTSIDE
    probabilities = float(shares[best]) / whole, math.exp(everybody - top) / whole
    if not local:
        return Attribution((), NAN, ratio, *probabilities)
    return Attribution(segments.where[best], min(1.0, explains), ratio, *probabilities)


def _weighed(o: Floats, e: Floats) -> Floats:
    """The log of the mean likelihood ratio over `RATIOS`."""
    each = o[:, None] * np.log(RATIOS) - e[:, None] * (RATIOS - 1)
    top = each.max(axis=1)
    found: Floats = top + np.log(np.exp(each - top[:, None]).mean(axis=1))
    return found
