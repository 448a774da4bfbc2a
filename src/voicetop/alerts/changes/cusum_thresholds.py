"""How far a CUSUM may rise before it means something: from what it did in healthy hours.

The greatest value of each hour is kept. The highest of them fall off exponentially; the slope is their mean excess,
drawn towards e^−h, which is what a log-likelihood ratio does where its model is exact (Lorden, 1971), and never
steeper. The threshold is where one hour in so many crosses it. Before enough hours are known it is a guess on the safe
side.
"""

from __future__ import annotations

import math

import numpy as np

from voicetop.alerts.changes.array_codec import Floats, Ints
from voicetop.alerts.changes.expectations import NAT

ENOUGH_HOURS = 72
UNLEARNED = 16 * NAT
"""Before that: e^−16 an hour, with room for a model that isn't exact yet."""
TAIL = 0.08
"""The share of hours that the slope is read from. Not more: where errors are rare, most hours have one or none."""
CROWN = 0.985
"""Hours beyond this share count as no more than it: one that had an incident in it may not teach."""
KEPT = 1 - (1 - CROWN) / TAIL
"""What is left of the mean excess of an exponential tail that is cut at the crown."""
EXACT_HOURS = 6.0
"""The model's own slope weighs as much as so many hours."""


def threshold(peaks: Ints, days_between: float) -> Ints:
    """The least value that one of `peaks` [hour, tilt] crosses once in so many days, in micro-nats by tilt."""
    tilts = peaks.shape[1]
    if len(peaks) < ENOUGH_HOURS:
        return np.full(tilts, UNLEARNED, np.int64)
    held: Floats = peaks / NAT
    start, crown = np.quantile(held, [1 - TAIL, CROWN], axis=0)
    found = np.zeros(tilts)
    for tilt in range(tilts):
        above = np.minimum(held[:, tilt], crown[tilt]) - start[tilt]
        above = above[above > 0]
        hours = len(above) * KEPT
        slope = max(1.0, (float(above.sum()) + EXACT_HOURS) / (hours + EXACT_HOURS))
        found[tilt] = start[tilt] + slope * math.log(TAIL * 24 * days_between)
    return np.rint(found * NAT).astype(np.int64)
