"""The search for segments that changed: every value and every pair of values, by evidence and not by size.

What the likelihood ratio (G) finds likely is tested once more by Fisher's exact test. The best is taken, with another
value where that makes it surer, its cells are put aside, and what is left is searched again: a value that stands out
only for a pair within it isn't named twice.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.snapshot.comparison import Key
from voicetop.views.compare import intervals
from voicetop.views.compare.measures import LEAST_CALLS, Measure, measures, tests
from voicetop.views.compare.sample_arrays import Mask, SampleArrays, Vector, common

MOST = 8
"""Segments that are named."""
MOST_TESTED = 600
"""The largest ones: how large says nothing about how they changed."""
MOST_VALUES = 3
"""Values of one segment, as many as a verdict blames."""
BEAM = 10
PAIRED = ("intent", "language", "tier", "version", "channel", "region")
"""Dimensions that are paired where there are more than so many."""
MOSTLY = 0.6
"""Of a segment's evidence: a part of it that has so much may be all there is to it."""
NOTHING = 0.03
"""The chance below which the rest of a segment is taken to have changed, too."""

Members = NDArray[np.bool_]


class SegmentFinding(NamedTuple):
    """A segment, and the row of the table in which it changed."""

    where: Key
    name: str
    chance: float


class SegmentFindings(NamedTuple):
    segments: list[SegmentFinding]
    tested: int


def search(a: SampleArrays, b: SampleArrays, where: Key, level: float) -> SegmentFindings:
    """The segments within `where` that changed, the surest first."""
    keys, of_a, of_b = common(a, b)
    wanted = {part for part in where if part[0] != "hour"}
    inside = np.array([wanted <= set(key) for key in keys], bool)
    by = measures(a, b, of_a, of_b, inside)
    calls = sum((m.a[1] + m.b[1] for m in by if m.name == "errors"), np.zeros(len(keys)))
    names, members = _segments(keys, inside, {name for name, _ in wanted}, calls)
    if not names:
        return SegmentFindings([], 0)
    chances, evidence = tests(members, by, inside)
    looked_at = chances[np.isfinite(chances)]
    line = intervals.cutoff(looked_at.tolist(), level)
    found: list[SegmentFinding] = []
    left = inside.copy()
    while line > 0 and len(found) < MOST:
        evidence = np.where(chances <= line, evidence, -1.0)
        row, column = divmod(int(np.argmax(evidence)), len(by))
        if evidence[row, column] <= 0:
            break
        one, mask = _sharpened(names, members, evidence[:, column], by[column], left)
        found.append(one)
        left &= ~mask
        chances, evidence = tests(members, by, left)
    return SegmentFindings(found, len(looked_at))


def _sharpened(
    names: list[Key], members: Members, evidence: Vector, measure: Measure, left: Mask
) -> tuple[SegmentFinding, Mask]:
    """The surest of the best segments and of what another value makes of them; or a part that is all there is to it.

    The best of K values is surer by 2·ln K (of z²) by chance alone, so that each value more has to bring as much.
    """
    tried = {names[row]: members[row] for row in np.argsort(-evidence)[:BEAM].tolist() if evidence[row] > 0}
    values = {where[0]: mask for where, mask in zip(names, members, strict=True) if len(where) == 1}
    for where, mask in list(tried.items()):
        if len(where) < MOST_VALUES:
            more = (part for part in values if part[0] not in dict(where))
            tried |= {tuple(sorted((*where, part))): mask & values[part] for part in more}
    wheres, masks = list(tried), np.array(list(tried.values()))
    chances, sure = (column[:, 0] for column in tests(masks, [measure], left))
    dear = np.array([(len(where) - 1) * 2 * math.log(max(2, len(values))) for where in wheres])
    best = int(np.argmax(np.where(np.isfinite(chances), sure - dear, -np.inf)))
    part = _part(best, masks, sure, measure, left)
    return SegmentFinding(wheres[part], measure.name, float(chances[part])), masks[part]


def _part(best: int, masks: Members, sure: Vector, measure: Measure, left: Mask) -> int:
    """A part of the best one that has most of its evidence, where the rest of it has none."""
    within = ~(masks & ~masks[best]).any(axis=1) & (masks.sum(axis=1) < masks[best].sum())
    inner = int(np.argmax(np.where(within, sure, -1.0)))
    if not within[inner] or sure[inner] < MOSTLY * sure[best]:
        return best
    chances, _ = tests(masks[best : best + 1], [measure], left & ~masks[inner])
    return best if chances[0, 0] < NOTHING else inner


def _segments(
    keys: list[Key], inside: Mask, narrowed: set[str], calls: Vector
) -> tuple[list[Key], NDArray[np.bool_]]:
    """Values and pairs of values with the combinations that they hold, the largest of them."""
    members: dict[Key, list[int]] = {}
    dimensions = {name for number in np.flatnonzero(inside).tolist() for name, _ in keys[number]} - narrowed
    paired = dimensions if len(dimensions) <= len(PAIRED) else dimensions & set(PAIRED)
    for number in np.flatnonzero(inside).tolist():
        own = [part for part in keys[number] if part[0] in dimensions]
        for part in own:
            members.setdefault((part,), []).append(number)
        for pair in itertools.combinations([part for part in own if part[0] in paired], 2):
            members.setdefault(pair, []).append(number)
    size = {where: float(calls[numbers].sum()) for where, numbers in members.items()}
    kept = sorted((where for where in members if size[where] >= 2 * LEAST_CALLS), key=lambda w: (-size[w], w))
    kept = kept[:MOST_TESTED]
    table = np.zeros((len(kept), len(keys)), bool)
    for row, where in enumerate(kept):
        table[row, members[where]] = True
    return kept, table
