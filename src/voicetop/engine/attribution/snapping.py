"""From an estimated onset to the change that caused it: a deploy at 14:01:30 is exact, an estimate is not.

Some deploy lies within the bounds of an onset by chance. What a provider breaks for all is not its fault, and versions
tell: `version_z` compares how much worse the new one became with how much worse the others did.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from voicetop.engine.attribution.markers import CHANGES
from voicetop.engine.windows.cells import Key
from voicetop.wire.events import Marker

VERSION = "version"
GUILTY_Z = 2.0
"""From this z-score on, a version became worse than the others."""
Amounts = NDArray[np.int64] | NDArray[np.float64]


def snapped(
    markers: Iterable[Marker], earliest: float, best: float, latest: float
) -> tuple[float, Marker | None]:
    """The onset, and the change that it began with.

    `best` is the estimate, and `earliest` and `latest` are its bounds (stamp times). A change within the bounds, the
    nearest to the estimate if there are several, gives the onset; without one, or with unknown bounds, the estimate
    stays.
    """
    within = [marker for marker in markers if marker.kind in CHANGES and earliest <= marker.ts <= latest]
    if not within:
        return best, None
    nearest = min(within, key=lambda marker: (abs(marker.ts - best), marker.ts))
    return nearest.ts, nearest


def version_z(keys: Sequence[Key | None], hits: Amounts, expected: Amounts, version: str) -> float:
    """z-score of a version's excess of hits over the others' since its deploy; NaN if there is nothing to compare.

    By cell or row, as `keys` are; `expected` in any unit, such as turns.
    """
    mine = np.array([key is not None and (VERSION, version) in key for key in keys], bool)
    at_all = float(expected.sum())
    if not version or at_all <= 0:
        return math.nan
    scale = max(float(hits.sum()), 1.0) / at_all
    own, others = float(expected[mine].sum()) * scale, float(expected[~mine].sum()) * scale
    if own <= 0 or others <= 0:
        return math.nan
    return log_ratio_z((float(hits[mine].sum()), own), (float(hits[~mine].sum()), others))


def log_ratio_z(new: tuple[float, float], old: tuple[float, float]) -> float:
    """z-score of the ratio of two ratios of (hits, expected hits)."""
    (hits, expected), (other_hits, other_expected) = new, old
    log_ratio = math.log((hits + 0.5) / (expected + 0.5)) - math.log(
        (other_hits + 0.5) / (other_expected + 0.5)
    )
    return log_ratio / math.sqrt(1 / (hits + 0.5) + 1 / (other_hits + 0.5))
