"""Which values of a dimension are worse than their own past and than all others: a table of segments, row by row.

Each comparison is the Poisson likelihood ratio of two rates against one (Kulldorff, 1997). Chance exceeds a
log-likelihood ratio of r with a probability of exp(-r) at most, so the least ratio grows with the log of how many
figures are looked at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from voicetop.engine.attribution.likelihood import excess_inside
from voicetop.engine.attribution.segments import PRIOR, Trials

CHANCE = 0.05
"""The chance that a table without any difference has a row that stands out, at most."""
LEAST_HITS = 5.0
NOTHING = 1e-6
"""What is expected where nothing is: no ratio to nothing is finite."""


class Counted(Struct, frozen=True):
    """What is bad in one row: `hits` of `n`, where `expected` were to come, and what its past had.

    The past includes a little of everybody's, as for `expected`; it is empty while nothing at all is learned.
    """

    hits: float = 0.0
    n: float = 0.0
    expected: float = 0.0
    past_hits: float = 0.0
    past_n: float = 0.0

    @property
    def times(self) -> float:
        """How many times as frequent as in its past the hits are; infinite where nothing is learned."""
        usual = self.past_hits * self.n
        return self.hits * self.past_n / usual if usual > 0 else math.inf

    @property
    def over_past(self) -> float:
        """The log-likelihood ratio of being worse than its own past, in nats; infinite where nothing is learned."""
        if self.hits < LEAST_HITS:
            return 0.0
        if self.past_n <= 0:
            return math.inf
        both = self.hits + self.past_hits, self.n + self.past_n
        return excess_inside(self.hits, self.n, *both)

    def over_rest(self, whole: Counted) -> float:
        """The log-likelihood ratio of being worse than the others of `whole`, each against its own past.

        0 if it is no worse as it stands: to have been better once is no trouble.
        """
        if self.hits * (whole.n - self.n) <= (whole.hits - self.hits) * self.n:
            return 0.0
        return excess_inside(self.hits, self.expected, whole.hits, whole.expected)


def counted(trials: Trials, members: Sequence[Sequence[int]]) -> list[Counted]:
    """The rows that consist of these cells."""
    past_hits, past_n = (past.clip(0) for past in (trials.past_hits, trials.past_n))
    learned = float(past_n.sum())
    prior = PRIOR if learned else 0.0
    rate = float(past_hits.sum()) / learned if learned else 0.0
    expected = trials.expected if learned else trials.n * (trials.hits.sum() / max(1.0, trials.n.sum()))
    columns = (trials.hits, trials.n, np.maximum(expected, NOTHING), past_hits, past_n)
    rows = []
    for own in members:
        hits, n, hoped, before, of = (float(column[np.array(own, np.intp)].sum()) for column in columns)
        rows.append(Counted(hits, n, hoped, before + prior * rate, of + prior))
    return rows


def whole(rows: Sequence[Counted]) -> Counted:
    """All rows together."""
    names = Counted.__struct_fields__
    return Counted(*(float(sum(getattr(row, name) for row in rows)) for name in names))


def least_ratio(rows: int, figures: int) -> float:
    """The log-likelihood ratio, in nats, from which a figure of a row is beyond chance among so many."""
    return math.log(max(1, rows) * figures / CHANCE)
