"""CUSUM thresholds from hourly maxima in healthy hours.

The upper tail of the hourly maxima is fitted as an exponential: its slope is the mean excess, shrunk towards e^−h, the
decay of a log-likelihood ratio under an exact model (Lorden, 1971), and never steeper. The threshold is exceeded once
in the requested number of hours. With too few hours it is a conservative constant.
"""

from __future__ import annotations

import math

import numpy as np

from voicetop.alerts.changes.array_codec import Floats, Ints
from voicetop.alerts.changes.expectations import NAT

MIN_HOURS = 72
UNLEARNED = 16 * NAT
"""Before that: e^−16 per hour, with a margin for a model that isn't exact yet."""
TAIL = 0.08
"""Share of hours in the fitted tail. Not more: where errors are rare, most hours have one or none."""
CROWN = 0.985
"""Maxima are clipped at this quantile, so that an hour with an undetected incident doesn't raise the threshold."""
CUT_MEAN = 1 - (1 - CROWN) / TAIL
"""Mean excess of an exponential tail clipped at `CROWN`, as a share of the unclipped one."""
PRIOR_HOURS = 6.0
"""Weight of the exact model's slope, in hours."""


def threshold(peaks: Ints, days_between: float) -> Ints:
    """The value that `peaks` [hour, tilt] exceed once in `days_between`, in micro-nats by tilt."""
    tilts = peaks.shape[1]
    if len(peaks) < MIN_HOURS:
        return np.full(tilts, UNLEARNED, np.int64)
    nats: Floats = peaks / NAT
    start, crown = np.quantile(nats, [1 - TAIL, CROWN], axis=0)
    limits = np.zeros(tilts)
    for tilt in range(tilts):
        above = np.minimum(nats[:, tilt], crown[tilt]) - start[tilt]
        above = above[above > 0]
        hours = len(above) * CUT_MEAN
        slope = max(1.0, (float(above.sum()) + PRIOR_HOURS) / (hours + PRIOR_HOURS))
        limits[tilt] = start[tilt] + slope * math.log(TAIL * 24 * days_between)
    return np.rint(limits * NAT).astype(np.int64)
