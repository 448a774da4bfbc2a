"""Which conjunction the stuck callers have in common, or whether chance can put so many of them into one.

Nobody is stuck as a rule, so there is no past to expect a number from: what is asked is whether stuck callers are a
random draw from all live calls (Fisher's exact test, one-sided). The probability of that is multiplied by the number of
conjunctions that could have been found (Bonferroni), an equal part of it for each size, so that a few callers who
happen to share a value don't name a culprit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.attribution.conjunctions import MOST_VALUES
from voicetop.engine.attribution.likelihood import MOST_EXPECTED, Attribution
from voicetop.engine.snapshot import Where
from voicetop.engine.windows.cells import SegmentColumns

Ints = NDArray[np.int64]
CONVINCING = 3.5
"""The least score, in nats: chance brings it in one of 100 outages of a whole fleet, looked at again and again."""
EXPLAINS = 0.8
"""The least share of the stuck callers that a segment must have: the others would contradict it."""
CLEARER = 3.0
"""By how many nats a longer conjunction, or another than before, must be clearer."""


def scan(
    columns: SegmentColumns,
    stuck: Ints,
    live: Ints,
    before: Where = (),
    suspects: frozenset[Where] = frozenset(),
    convincing: float = CONVINCING,
) -> Attribution:
    """The conjunction to blame for `stuck` of the `live` calls, cell by cell.

    `before` is what was found at the last look: it stays while it has most of the stuck callers, and until another
    conjunction is clearer. So the answer doesn't change with every caller, nor as the last ones get their replies.
    `suspects` are named by something else already, so they aren't found among many and need fewer callers.
    """
    total = int(stuck.sum())
    found = {
        where: (
            score(hits, total, of, int(live.sum()))
            - (math.log(len(suspects)) if where in suspects else chances),
            hits,
        )
        for where, hits, of, chances in _candidates(columns, stuck, live)
    }
    best = before if before in found else ()
    for size in range(1, MOST_VALUES + 1):
        top = max((where for where in found if len(where) == size), key=found.__getitem__, default=())
        if top and (not best or found[top][0] >= found[best][0] + CLEARER):
            best = top
    if not best or (best != before and found[best][0] < convincing):
        return Attribution()
    clear, hits = found[best]
    return Attribution(best, hits / total, clear)


def _candidates(columns: SegmentColumns, stuck: Ints, live: Ints) -> Iterator[tuple[Where, int, int, float]]:
    """(conjunction, its stuck and its live calls, log of how many others could have been found) of those with most.

    Most of the callers have at most one value of a dimension.
    """
    least = EXPLAINS * float(stuck.sum())
    possible: list[int] = []
    common: list[tuple[tuple[str, str], NDArray[np.bool_]]] = []
    for name, values, codes in columns:
        hits, of = (np.bincount(codes, each, len(values))[1:] for each in (stuck, live))
        possible.append(int((of >= least).sum()))
        code = int(hits.argmax()) + 1 if len(hits) else 0
        value = values[code]
        if value is not None and hits[code - 1] >= least:
            common.append(((name, value), codes == code))
    everyone = MOST_EXPECTED * float(live.sum())
    for size in range(1, MOST_VALUES + 1):
        chances = math.log(MOST_VALUES * max(1, _conjunctions(possible, size)))
        for parts in itertools.combinations(common, size):
            mask = np.logical_and.reduce([mask for _, mask in parts])
            inside, of_live = int(stuck[mask].sum()), int(live[mask].sum())
            if least <= inside and of_live <= everyone:
                yield tuple(part for part, _ in parts), inside, of_live, chances


def _conjunctions(values: list[int], size: int) -> int:
    """How many conjunctions of this size there are of so many values of each dimension."""
    return sum(math.prod(several) for several in itertools.combinations(values, size))


def score(hits: int, drawn: int, marked: int, total: int) -> float:
    """−log of the probability, in nats, that of so many `drawn` from `total` at random `hits` or more are `marked`."""
    first = _log_chance(hits, drawn, marked, total)
    tail = 1.0
    for more in range(hits + 1, min(drawn, marked) + 1):
        part = math.exp(_log_chance(more, drawn, marked, total) - first)
        tail += part
        if part < 1e-6 * tail:
            break
    return -first - math.log(tail)


def _log_chance(hits: int, drawn: int, marked: int, total: int) -> float:
    return _log_of(marked, hits) + _log_of(total - marked, drawn - hits) - _log_of(total, drawn)


def _log_of(n: int, k: int) -> float:
    """The log of the number of ways to take k of n."""
    if not 0 <= k <= n:
        return -math.inf
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
