"""Searches for segments that changed: every value and pair of values, by evidence, not by size.

What is likely by the likelihood ratio (G) is confirmed by Fisher's exact test. The best segment is taken, refined by
another value if that strengthens it; then its cells are removed and the rest is searched again, so that a value that
stands out only because of a pair within it isn't named twice.
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
"""Segments reported at most."""
MOST_TESTED = 600
"""Only the largest are tested; size is independent of change."""
MOST_VALUES = 3
"""Values in one segment, the same as in a verdict's attribution."""
BEAM = 10
PAIRED = ("intent", "language", "tier", "version", "channel", "region")
"""The only dimensions that are paired if there are more of them."""
MOST_OF_EVIDENCE = 0.6
"""The share of a segment's evidence above which a part of it may explain all of it."""
UNCHANGED = 0.03
"""The p-value below which the rest of a segment has changed too."""

Members = NDArray[np.bool_]


class SegmentFinding(NamedTuple):
    """A segment, and the figure in which it changed."""

    where: Key
    name: str
    chance: float


class SegmentFindings(NamedTuple):
    segments: list[SegmentFinding]
    tested: int


def search(a: SampleArrays, b: SampleArrays, where: Key, level: float) -> SegmentFindings:
    """The segments within `where` that changed, the most certain first."""
    keys, of_a, of_b = common(a, b)
    wanted = {part for part in where if part[0] != "hour"}
    inside = np.array([wanted <= set(key) for key in keys], bool)
    by = measures(a, b, of_a, of_b, inside)
    calls = sum((m.a[1] + m.b[1] for m in by if m.name == "errors"), np.zeros(len(keys)))
    names, members = _segments(keys, inside, {name for name, _ in wanted}, calls)
    if not names:
        return SegmentFindings([], 0)
    p_values, evidence = tests(members, by, inside)
    tested = p_values[np.isfinite(p_values)]
    threshold = intervals.cutoff(tested.tolist(), level)
    findings: list[SegmentFinding] = []
    left = inside.copy()
    while threshold > 0 and len(findings) < MOST:
        evidence = np.where(p_values <= threshold, evidence, -1.0)
        row, column = divmod(int(np.argmax(evidence)), len(by))
        if evidence[row, column] <= 0:
            break
        finding, mask = _refined(names, members, evidence[:, column], by[column], left)
        findings.append(finding)
        left &= ~mask
        p_values, evidence = tests(members, by, left)
    return SegmentFindings(findings, len(tested))


def _refined(
    names: list[Key], members: Members, evidence: Vector, measure: Measure, left: Mask
) -> tuple[SegmentFinding, Mask]:
    """The most certain of the best segments and their refinements by another value; or a part that explains it.

    The best of K values gains 2·ln K (of z²) by chance alone, so each additional value must add more than that.
    """
    best_rows = [row for row in np.argsort(-evidence)[:BEAM].tolist() if evidence[row] > 0]
    candidates = {names[row]: members[row] for row in best_rows}
    values = {where[0]: mask for where, mask in zip(names, members, strict=True) if len(where) == 1}
    for where, mask in list(candidates.items()):
        if len(where) < MOST_VALUES:
            more = (part for part in values if part[0] not in dict(where))
            candidates |= {tuple(sorted((*where, part))): mask & values[part] for part in more}
    wheres, masks = list(candidates), np.array(list(candidates.values()))
    p_values, certainty = (column[:, 0] for column in tests(masks, [measure], left))
    penalty = np.array([(len(where) - 1) * 2 * math.log(max(2, len(values))) for where in wheres])
    best = int(np.argmax(np.where(np.isfinite(p_values), certainty - penalty, -np.inf)))
    part = _part(best, masks, certainty, measure, left)
    return SegmentFinding(wheres[part], measure.name, float(p_values[part])), masks[part]


def _part(best: int, masks: Members, certainty: Vector, measure: Measure, left: Mask) -> int:
    """A part of the best segment that has most of its evidence, if the rest of it has none."""
    within = ~(masks & ~masks[best]).any(axis=1) & (masks.sum(axis=1) < masks[best].sum())
    part = int(np.argmax(np.where(within, certainty, -1.0)))
    if not within[part] or certainty[part] < MOST_OF_EVIDENCE * certainty[best]:
        return best
    p_values, _ = tests(masks[best : best + 1], [measure], left & ~masks[part])
    return best if p_values[0, 0] < UNCHANGED else part


def _segments(
    keys: list[Key], inside: Mask, narrowed: set[str], calls: Vector
) -> tuple[list[Key], NDArray[np.bool_]]:
    """The largest values and pairs of values, with masks of their combinations."""
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
    top = sorted((where for where in members if size[where] >= 2 * LEAST_CALLS), key=lambda w: (-size[w], w))
    top = top[:MOST_TESTED]
    table = np.zeros((len(top), len(keys)), bool)
    for row, where in enumerate(top):
        table[row, members[where]] = True
    return top, table
