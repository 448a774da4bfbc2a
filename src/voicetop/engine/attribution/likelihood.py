"""What both searches share: their one result, the Poisson log-likelihood ratio, and when it convinces."""

from __future__ import annotations

import math

from msgspec import Struct

from voicetop.engine.snapshot import NAN, Where

CONVINCING = 10.0
"""The least log-likelihood ratio, in nats, of a segment that is to explain an excess."""
EXPLAINS = 0.5
"""The least share of the excess that has to lie in it."""
MOST_EXPECTED = 0.8
"""A segment of which more of the whole was expected than this is everybody by another name."""


class Attribution(Struct, frozen=True):
    """The conjunction of segment values that explains an excess; `where` is empty where it is fleet-wide.

    `explains` is its share of the excess and `ratio` its log-likelihood ratio in nats. `likely` is the probability that
    it is this conjunction's, `fleet_wide` that it is everybody's: NaN where the search weighs no alternatives.
    """

    where: Where = ()
    explains: float = NAN
    ratio: float = 0.0
    likely: float = NAN
    fleet_wide: float = NAN


FLEET = Attribution(likely=0.0, fleet_wide=1.0)
"""Everybody's for sure."""


def term(hits: float, expected: float) -> float:
    """The part of a Poisson log-likelihood ratio that grows with the hits, in nats."""
    return hits * math.log(hits / expected) if hits > 0 else 0.0


def excess(hits: float, expected: float) -> float:
    """The log-likelihood ratio of as many hits as came against what was expected, in nats; 0 of too few."""
    return term(hits, max(expected, 1e-9)) - (hits - expected) if hits > expected else 0.0


def excess_inside(inside: float, expected: float, total: float, expected_total: float) -> float:
    """The ratio of two rates, inside and outside, against one rate for all (Kulldorff, 1997); 0 of no more inside."""
    outside, left = total - inside, expected_total - expected
    if expected <= 0 or left <= 0 or inside / expected <= total / expected_total:
        return 0.0
    return term(inside, expected) + term(outside, left) - term(total, expected_total)
