"""The hours of the day as a segment dimension: each of the last 24 hours against the others.

The hour isn't a dimension of cells, so its rows are made from the quarter-hours. A quarter with a problem on the screen
counts in its own hour, and not in the normals of the others.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeAlias

import numpy as np

from voicetop.engine.normals import Normals
from voicetop.engine.snapshot import NAN, SegmentsPanel
from voicetop.engine.windows.buckets import BUCKETS
from voicetop.engine.windows.histograms import Histogram
from voicetop.engine.windows.slots import MINUTE, QUARTER
from voicetop.views.segment_table import KINDS, Group, row_of

Quarter: TypeAlias = tuple[float, Histogram, dict[str, int]]
"""(start, e2e counts, sums)."""
_Sums: TypeAlias = tuple[Histogram, dict[str, int]]
HOUR_S = 3600
DIMENSION = "hour"


def panel(quarters: list[Quarter], troubled: Collection[int] = ()) -> SegmentsPanel:
    """One row per hour of the day (UTC), the worst first; `troubled` minutes (since the epoch) had a problem."""
    bad = {minute * MINUTE // QUARTER for minute in troubled}
    hours = _by_hour(quarters)
    healthy = _by_hour([quarter for quarter in quarters if quarter[0] // QUARTER not in bad])
    nothing: _Sums = (np.zeros(BUCKETS, np.int64), dict.fromkeys(KINDS, 0))
    everything = np.sum([nothing[0], *(counts for counts, _ in healthy.values())], axis=0)
    whole = {kind: sum(sums[kind] for _, sums in healthy.values()) for kind in KINDS}
    groups = [
        Group(
            value=f"{hour:02d}",
            now=counts,
            waits=np.zeros(BUCKETS, np.int64),
            normals=Normals(
                {"e2e": everything - healthy.get(hour, nothing)[0]},
                {kind: whole[kind] - healthy.get(hour, nothing)[1][kind] for kind in KINDS},
            ),
            sums=sums,
            business=sums,
        )
        for hour, (counts, sums) in hours.items()
    ]
    all_ended = max(1, sum(sums["ended"] for _, sums in hours.values()))
    rows = [row_of(group, groups, all_ended, NAN, "24h") for group in groups if group.active]
    rows.sort(key=lambda row: (-len(row.worse), row.value))
    return SegmentsPanel(DIMENSION, tuple(rows))


def _by_hour(quarters: list[Quarter]) -> dict[int, _Sums]:
    hours: dict[int, _Sums] = {}
    for start, e2e, sums in quarters:
        counts, so_far = hours.setdefault(
            int(start) // HOUR_S % 24, (np.zeros(BUCKETS, np.int64), dict.fromkeys(KINDS, 0))
        )
        counts += e2e
        for kind in KINDS:
            so_far[kind] += sums.get(kind, 0)
    return hours
